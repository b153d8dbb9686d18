"""Serve the pages that an office opens with a token: sign in and out, a visit of one working day, language, style sheet, and the frame.

The pages themselves stand in the services, each of which has the tables `reader` (tokens) and `visit` in its schema. A visit ends after a
working day, by signing out, and with its token; its cookie never contains the token.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.runtime import i18n, peer, random_secret
from referral.runtime.http_message import bounded_body
from referral.runtime.i18n import ENDONYMS, Words
from referral.runtime.observe import signed
from referral.runtime.postgres import clock, security_events
from referral.runtime.postgres.tokens import Holder, TokenTable, digest
from referral.runtime.security_journal import Journal
from referral.web import frame, static_file
from referral.web.cookies import Cookies
from referral.web.frame import PAGE_HEADERS
from referral.wire import security_event
from referral.wire.security_event import Event, Kind

MOST_BYTES = 2000
"""Largest body of a form (ours): a token has 43 bytes."""
VISIT_S = 8 * 60 * 60
"""Seconds of a visit (ours): a working day."""
EVERY = ["GET", "POST", "PUT", "PATCH", "DELETE"]
"""Methods of the page for all paths that no other has."""
BASE = frame.HERE / "static" / "office.css"
"""Rules of style that all sites have in common; each sheet begins with them."""


@dataclass(frozen=True, slots=True)
class OfficeRequest:
    """One request of a reader. reader: the office; None: nobody is signed in. say: texts of the reader's language."""

    request: Request
    reader: Holder | None
    say: Words

    @property
    def who(self) -> Holder:
        """Return the office of a page that only readers see."""
        assert self.reader is not None
        return self.reader


Page = Callable[[OfficeRequest], Awaitable[Response]]


class Office:
    """The site of one service for the offices that have a token.

    service: whose schema has the tables `reader` and `visit`. tokens: those of the offices.
    home: path of the pages; its last part names the cookies.
    folder: has templates, words.yaml and static/SERVICE.css.
    returns: pages to return to after a change of language, ours and no other.
    first: key of the text that names the first page.
    beside: further values of each page.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        service: str,
        tokens: TokenTable,
        home: str,
        folder: Path,
        returns: re.Pattern[str],
        *,
        secure: bool,
        first: str = "app",
        beside: Callable[[OfficeRequest], Mapping[str, object]] = lambda _: {},
    ) -> None:
        self.engine, self.service, self.home, self.journal = engine, service, home, Journal(service)
        self.words = i18n.load(folder / "words.yaml")
        self._tokens, self._returns, self._first, self._beside = tokens, returns, first, beside
        self._cookie = home.removeprefix("/")
        self._cookies = Cookies(secure, home, "strict", f"{self._cookie}-language")
        self._templates = frame.templates(folder / "templates")
        self._css = BASE.read_bytes() + (folder / "static" / f"{service}.css").read_bytes()

    def routes(self, *pages: Route, programs: bool = False) -> list[BaseRoute]:
        """Return these pages, and what every site has: a path that no page has is a page that says so. programs: as of `route`."""
        both = ["GET", "POST"]
        return [
            *pages,
            Route(f"{self.home}/signin", self._sign_in, methods=both),
            Route(f"{self.home}/signout", self._sign_out, methods=both),
            Route(f"{self.home}/language", self._choose, methods=both),
            static_file.serve(f"{self.home}/{self.service}.css", self._css),
            static_file.serve(f"{self.home}/mark.svg", static_file.ICON),
            self.route("/{rest:path}", self._no_page, programs=programs, methods=EVERY),
        ]

    def route(self, path: str, page: Page, *, programs: bool = False, methods: list[str] | None = None) -> Route:
        """Return the route of a page for visitors with a valid token; others are led to the sign-in page.

        programs: a program may show the token in a header, without a visit.
        """

        async def endpoint(request: Request) -> Response:
            bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip() if programs else ""
            async with self.engine.connect() as tx:
                reader = await (self._tokens.holder(tx, digest(bearer)) if bearer else self._reader(tx, request))
            if reader is not None:
                return await page(self._call(request, reader))
            if not bearer:
                return self._to_sign_in()
            await self.refused(bearer)
            return Response(status_code=401, headers=PAGE_HEADERS | {"WWW-Authenticate": "Bearer"})

        return Route(self.home + path, endpoint, methods=methods or ["GET"])

    def page(self, call: OfficeRequest, template: str, status: int = 200, **values: object) -> HTMLResponse:
        """Return a page. A change of language leads back to it."""
        url = call.request.url
        shared = {
            "say": call.say,
            "reader": call.reader,
            "home": self.home,
            "here": self._back(f"{url.path}?{url.query}" if url.query else url.path, url.path),
            "endonyms": ENDONYMS,
            "bad": status >= 400,
            "sheet": f"{self.home}/{self.service}.css?{static_file.mark(self._css)}",
        }
        text = self._templates.get_template(template).render({**shared, **self._beside(call), **values})
        return HTMLResponse(text, status, PAGE_HEADERS)

    def lost(self, call: OfficeRequest) -> Response:
        """Return the page for what is not there."""
        return self.page(call, "lost.html", 404, first=self._first)

    async def _no_page(self, call: OfficeRequest) -> Response:
        return self.lost(call)

    async def refused(self, token: str) -> None:
        """Record a token that nobody has, or no longer."""
        signed(self.service, "refused", "")
        async with self.engine.begin() as tx:
            honey = await security_events.touched(tx, token)
        if not honey:
            self.journal.note(Kind.REFUSED, security_event.UNKNOWN, "token")

    async def _sign_in(self, request: Request) -> Response:
        """Show the sign-in page (GET), or begin a visit (POST)."""
        if request.method == "GET":
            return self._sign_in_page(request, wrong=False)
        if foreign(request):
            self.journal.note(Kind.DENIED, security_event.UNKNOWN, "foreign-form")
            return self._to_sign_in()
        token = (await form(request)).get("token", "").strip()
        answer = self._to_home()
        async with self.engine.begin() as tx:
            reader = await self._tokens.holder(tx, digest(token))
            if reader:
                await self._end_visit(tx, request)
                await self._begin_visit(tx, token, answer)
                await security_events.put(tx, Event(kind=Kind.SIGNED_IN, who=security_event.office(reader.name), detail="token"))
        if reader is None:
            await self.refused(token)
            return self._sign_in_page(request, wrong=True)
        signed(self.service, "in", reader.name)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        """End the visit (POST) and return the way to the sign-in page."""
        if request.method == "GET":
            return self._to_home()
        answer = self._to_sign_in()
        async with self.engine.begin() as tx:
            reader = await self._reader(tx, request)
            await self._end_visit(tx, request)
            if reader:
                await security_events.put(tx, Event(kind=Kind.SIGNED_OUT, who=security_event.office(reader.name)))
        self._cookies.drop(answer, self._cookie)
        signed(self.service, "out", reader.name if reader else "")
        return answer

    async def _choose(self, request: Request) -> Response:
        """Store the chosen language (POST) and return to the page of the form."""
        if request.method == "GET":
            return self._to_home()
        chosen = await form(request)
        answer = RedirectResponse(self._back(chosen.get("from", "")), 303, PAGE_HEADERS)
        self._cookies.speak(answer, chosen.get("language", ""))
        return answer

    def _call(self, request: Request, reader: Holder | None) -> OfficeRequest:
        return OfficeRequest(request, reader, self.words[self._cookies.language(request)])

    def _sign_in_page(self, request: Request, *, wrong: bool) -> Response:
        return self.page(self._call(request, None), "signin.html", 403 if wrong else 200, wrong=wrong)

    def _to_sign_in(self) -> Response:
        return RedirectResponse(f"{self.home}/signin", 303, PAGE_HEADERS)

    def _to_home(self) -> Response:
        return RedirectResponse(self.home, 303, PAGE_HEADERS)

    def _back(self, *pages: str) -> str:
        """Return the page to return to: the first of these that is ours, else the first of all."""
        return next((page for page in pages if self._returns.fullmatch(page)), self.home)

    async def _reader(self, tx: AsyncConnection, request: Request) -> Holder | None:
        """Return the office that makes this request; None: it has no visit, its visit is over, or its token has ended."""
        visit = digest(self._cookies.get(request, self._cookie))
        sql = f"SELECT reader FROM {self.service}.visit WHERE digest = :digest AND ends_at > :now"  # noqa: S608 - a constant of wiring
        token = (await tx.execute(text(sql), {"digest": visit, "now": await clock.now(tx)})).scalar_one_or_none()
        found = await self._tokens.holder(tx, None if token is None else bytes(token))
        if found:
            peer.count_for(request.scope, f"office/{found.name}", visit.hex())
        return found

    async def _begin_visit(self, tx: AsyncConnection, token: str, response: Response) -> None:
        """Begin a visit of the holder of a valid token, and set its cookie on the response."""
        visit, now = random_secret.made(), await clock.now(tx)
        await tx.execute(text(f"DELETE FROM {self.service}.visit WHERE ends_at <= :now"), {"now": now})  # noqa: S608
        sql = f"INSERT INTO {self.service}.visit (digest, reader, ends_at) VALUES (:digest, :reader, :ends)"  # noqa: S608
        await tx.execute(text(sql), {"digest": digest(visit), "reader": digest(token), "ends": now + VISIT_S * 1_000_000})
        self._cookies.put(response, self._cookie, visit, VISIT_S)

    async def _end_visit(self, tx: AsyncConnection, request: Request) -> None:
        """End the visit that a browser has, so that a copy of its cookie is worthless."""
        sql = f"DELETE FROM {self.service}.visit WHERE digest = :digest"  # noqa: S608
        await tx.execute(text(sql), {"digest": digest(self._cookies.get(request, self._cookie))})


def foreign(request: Request) -> bool:
    """Return whether a browser says that another site sends this form: it would sign its reader in as somebody else. A program says
    nothing.

    Browsers of today send Sec-Fetch-Site; older ones Origin, whose host is compared with the one that they asked for.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form; empty if it is too long or not text."""
    body = await bounded_body(request, MOST_BYTES)
    if len(body) > MOST_BYTES:
        return {}
    return {name: values[0] for name, values in parse_qs(body.decode("ascii", "replace")).items()}
