"""Pages that an office opens with a token: sign in, sign out, and what all such pages share. The pages themselves stand in the services."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from referral.runtime import peer
from referral.runtime.http_message import bounded_body
from referral.runtime.http_server import PAGE_HEADERS
from referral.runtime.i18n import ENDONYMS, spoken
from referral.runtime.observe import signed
from referral.runtime.postgres import security_events
from referral.runtime.postgres.tokens import Holder, TokenTable, digest
from referral.runtime.postgres.visits import Visits
from referral.runtime.security_journal import Journal
from referral.wire import security_event
from referral.wire.security_event import Event, Kind

MOST_BYTES = 2000
"""Largest body of a form (ours): a token has 43 bytes."""
LANGUAGE_S = 365 * 24 * 60 * 60
"""Seconds that a browser keeps the language (ours)."""


def foreign(request: Request) -> bool:
    """Return whether a browser says that another site sends this form: it would sign its reader in as somebody else. A program says
    nothing.

    Browsers of today send Sec-Fetch-Site; older ones Origin, whose host is compared with the one that they asked for.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


@dataclass(frozen=True, slots=True)
class SignIn:
    """The sign-in of one service's pages. tokens: of the offices that may read. visits: the sessions that follow. journal: of refusals."""

    engine: AsyncEngine
    tokens: TokenTable
    visits: Visits
    journal: Journal

    async def reader(self, tx: AsyncConnection, request: Request) -> Holder | None:
        """Return the office that makes this request; None: it has no visit, or its token has ended."""
        found = await self.tokens.holder(tx, await self.visits.reader(tx, request))
        if found:
            visit = digest(request.cookies.get(self.visits.cookie, ""))
            peer.count_for(request.scope, f"office/{found.name}", visit.hex())
        return found

    def redirect(self) -> Response:
        """Return the answer to a visitor without a valid token: the way to the sign-in page."""
        return RedirectResponse(f"{self.visits.home}/signin", 303, PAGE_HEADERS)

    async def begin(self, request: Request, page: Callable[[Request, bool], Response]) -> Response:
        """Answer a request for the sign-in page (GET), or sign in (POST). page: renders it; its flag: the token was refused."""
        if request.method == "GET":
            return page(request, False)
        if foreign(request):
            self.journal.note(Kind.DENIED, security_event.UNKNOWN, "foreign-form")
            return self.redirect()
        token = (await form(request)).get("token", "").strip()
        answer = RedirectResponse(self.visits.home, 303, PAGE_HEADERS)
        async with self.engine.begin() as tx:
            reader = await self.tokens.holder(tx, digest(token))
            if reader:
                await self.visits.end(tx, request)
                await self.visits.begin(tx, token, answer)
                await security_events.put(tx, Event(kind=Kind.SIGNED_IN, who=security_event.office(reader.name), detail="token"))
        if reader is None:
            await self.refused(token)
            return page(request, True)
        signed(self.visits.service, "in", reader.name)
        return answer

    async def refused(self, token: str) -> None:
        """Record a token that nobody has, or no longer."""
        signed(self.visits.service, "refused", "")
        async with self.engine.begin() as tx:
            honey = await security_events.touched(tx, token)
        if not honey:
            self.journal.note(Kind.REFUSED, security_event.UNKNOWN, "token")

    async def end(self, request: Request) -> Response:
        """Sign out (POST) and return the way to the sign-in page."""
        answer = self.redirect()
        async with self.engine.begin() as tx:
            reader = await self.reader(tx, request)
            await self.visits.end(tx, request)
            self.visits.drop(answer)
            if reader:
                await security_events.put(tx, Event(kind=Kind.SIGNED_OUT, who=security_event.office(reader.name)))
        signed(self.visits.service, "out", reader.name if reader else "")
        return answer


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """The language of one service's pages, which each browser keeps in a cookie.

    plain: the cookie's name, without a prefix. home: path of the pages. here: pages to return to after a change, ours and no other.
    secure: people reach them by https. Then the cookie is `__Host-`, as that of a visit.
    """

    plain: str
    home: str
    here: re.Pattern[str]
    secure: bool

    @property
    def cookie(self) -> str:
        """Return the cookie's name."""
        return f"__Host-{self.plain}" if self.secure else self.plain

    def of(self, request: Request) -> str:
        """Return the language of a request: chosen before, else the browser's, else Albanian."""
        return spoken(request.cookies.get(self.cookie, ""), request.headers.get("accept-language", ""))

    def back(self, page: str) -> str:
        """Return the page to return to: this one if it is ours, else the first."""
        return page if self.here.fullmatch(page) else self.home

    async def choose(self, request: Request) -> Response:
        """Store the chosen language (POST) and return to the page of the form. An unknown language changes nothing."""
        chosen = await form(request)
        answer = RedirectResponse(self.back(chosen.get("from", "")), 303, PAGE_HEADERS)
        if chosen.get("language") in ENDONYMS:
            path = "/" if self.secure else self.home  # a browser accepts a `__Host-` cookie for the whole host only
            answer.set_cookie(self.cookie, chosen["language"], LANGUAGE_S, path=path, secure=self.secure, httponly=True, samesite="strict")
        return answer


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form; empty if it is too long or not text."""
    body = await bounded_body(request, MOST_BYTES)
    if len(body) > MOST_BYTES:
        return {}
    return {name: values[0] for name, values in parse_qs(body.decode("ascii", "replace")).items()}
