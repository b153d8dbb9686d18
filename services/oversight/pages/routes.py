"""Serve the pages of the Committee and the Adviser. They only read published releases, never a case."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.domain.policy import Policy
from referral.errors import Malformed, Unavailable
from referral.runtime import i18n as words
from referral.runtime import static_file, templates
from referral.runtime.http_server import PAGE_HEADERS
from referral.runtime.i18n import ENDONYMS, Words
from referral.runtime.observe import log
from referral.runtime.postgres.tokens import OVERSIGHT, Holder, digest
from referral.runtime.postgres.visits import Visits
from referral.runtime.security_journal import Journal
from referral.runtime.token_pages import LanguageChoice, SignIn
from referral.wire.figure_release import Published
from services.oversight.disclosure.blocks import GATHER
from services.oversight.pages import charts, downloads, panels, sections
from services.oversight.pages import view as shown
from services.oversight.pages.measures import Measures
from services.oversight.pages.naming import Naming
from services.oversight.pages.release_cache import ReleaseCache

HOME, LANGUAGE = "/oversight", "oversight-language"
FOLDER = Path(__file__).parent
SHEET = FOLDER / "static" / "oversight.css"
HERE = re.compile(r"/oversight(/[a-z0-9][a-z0-9-]*){0,3}(\?block=[0-9.-]{1,20})?")
"""Pages to return to after a change of language: ours, and no other."""
CSV, JSON = "text/csv; charset=utf-8; header=present", "application/json"
ORDERS = {"country": sections.COUNTRY, "deadlines": sections.DEADLINES}
FIRST = {"committee": "country", "adviser": "deadlines"}
"""First page of an office; it may open all."""
EVERY = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a reader. reader: the office; its note is its role, committee or adviser."""

    request: Request
    reader: Holder
    releases: Sequence[Published]
    naming: Naming

    @property
    def threshold(self) -> int:
        """Return the threshold of the newest release: no figure reveals fewer children."""
        return self.releases[-1].made.threshold if self.releases else 0


Page = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one process.

    policy: in force, for names; raises Unavailable if there is none yet. drill: all children here are made up.
    sheet: address of the style sheet.
    """

    engine: AsyncEngine
    policy: Callable[[], Policy]
    defined: Measures
    words: Mapping[str, Words]
    templates: Environment
    releases: ReleaseCache
    drill: bool
    sign_in: SignIn
    language: LanguageChoice
    sheet: str

    def routes(self) -> list[BaseRoute]:
        """Return all routes."""

        def visited(path: str, page: Page) -> Route:
            return Route(HOME + path, self._visited(page), methods=["GET"])

        return [
            visited("", _home),
            visited("/country", self._view),
            visited("/deadlines", self._view),
            visited("/procedures/{pathway:str}", self._procedure),
            visited("/releases", self._releases),
            visited("/releases/{number:int}", self._release),
            visited("/measures", self._measures),
            visited("/measures/{measure:str}", self._measures),
            visited("/downloads", self._downloads),
            visited("/dictionary.{kind:str}", self._dictionary),
            visited("/figures.{kind:str}", self._figures),
            visited("/releases/{number:int}/figures.{kind:str}", self._figures),
            Route(f"{HOME}/signin", self._signin, methods=["GET", "POST"]),
            Route(f"{HOME}/signout", self.sign_in.end, methods=["POST"]),
            Route(f"{HOME}/language", self.language.choose, methods=["POST"]),
            static_file.serve(f"{HOME}/oversight.css", SHEET.read_bytes()),
            static_file.serve(f"{HOME}/mark.svg", static_file.ICON),
            Route(f"{HOME}/{{rest:path}}", self._visited(self._lost), methods=EVERY),
        ]

    def _visited(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """Serve a page only to a reader with a valid token: a browser's cookie, or a program's header.

        The page is rendered in a thread, so that counting goes on.
        """

        async def endpoint(request: Request) -> Response:
            bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
            async with self.engine.connect() as tx:
                reader = await (OVERSIGHT.holder(tx, digest(bearer)) if bearer else self.sign_in.reader(tx, request))
                if reader is None and bearer:
                    await self.sign_in.refused(bearer)
                    return Response(status_code=401, headers=PAGE_HEADERS | {"WWW-Authenticate": "Bearer"})
                if reader is None:
                    return self.sign_in.redirect()
                try:
                    releases = await self.releases.all(tx)
                except Malformed as error:
                    log().error("release is not as it was made", service="oversight", reason=str(error))
                    return self._html("broken.html", self._nameless(request), reader, HOME, 500)
            return await run_in_threadpool(lambda: page(Call(request, reader, releases, self._naming(request))))

        return endpoint

    def _nameless(self, request: Request) -> Naming:
        """Return the reader's language, without the policy's names."""
        return Naming(self.words[self.language.of(request)], None, self.defined.measures)

    def _naming(self, request: Request) -> Naming:
        nameless = self._nameless(request)
        try:
            return replace(nameless, policy=self.policy())
        except Unavailable:  # display the figures, even without names
            return nameless

    def _html(self, template: str, naming: Naming, reader: Holder | None, here: str, status: int = 200, **values: object) -> HTMLResponse:
        shared = {
            "say": naming.say,
            "naming": naming,
            "defined": self.defined,
            "reader": reader,
            "here": here,
            "endonyms": ENDONYMS,
            "drill": self.drill,
            "bad": status >= 400,
            "sheet": self.sheet,
            "bar": charts.bar,
            "gather": GATHER,
            "hatch": charts.HATCH,
            "day": naming.day,
        }
        return HTMLResponse(self.templates.get_template(template).render(shared | values), status, PAGE_HEADERS)

    def _page(self, call: Call, template: str, status: int = 200, **values: object) -> HTMLResponse:
        block = call.request.query_params.get("block", "")
        here = call.request.url.path + (f"?block={block}" if block else "")
        return self._html(
            template, call.naming, call.reader, self.language.back(here), status, k=call.threshold, newest=call.releases[-1:], **values
        )

    def _view(self, call: Call) -> Response:
        view = call.request.url.path.rpartition("/")[2]
        told, waits = shown.blocks(call.releases), shown.waiting(call.releases)
        tables = sections.of_all(shown.newest(told).values(), shown.full(call.releases), call.naming)
        drawn = panels.over_time(told, waits, call.naming)
        return self._page(call, "view.html", view=view, order=ORDERS[view], tables=tables, panels=drawn, waits=waits)

    def _procedure(self, call: Call) -> Response:
        pathway = call.request.path_params["pathway"]
        told = [block for block in shown.blocks(call.releases) if block.pathway == pathway]
        waits = [figure for figure in shown.waiting(call.releases) if figure.pathway == pathway]
        if not told and not waits:
            return self._lost(call)
        wanted = call.request.query_params.get("block", "")
        block = next((block for block in told if block.id == wanted), None if wanted else told[-1] if told else None)
        if wanted and block is None:
            return self._lost(call)
        tables = sections.of_block(block, call.naming) if block else []
        drawn = panels.over_time(told, waits, call.naming)
        return self._page(call, "procedure.html", pathway=pathway, block=block, told=told[::-1], tables=tables, panels=drawn, waits=waits)

    def _releases(self, call: Call) -> Response:
        return self._page(call, "releases.html", releases=call.releases[::-1], corrected=shown.corrected(call.releases))

    def _release(self, call: Call) -> Response:
        number = call.request.path_params["number"]
        found = next((published for published in call.releases if published.number == number), None)
        if found is None:
            return self._lost(call)
        told = [(block, sections.of_block(block, call.naming)) for block in shown.blocks([found])]
        full = sections.of_places(shown.full([found]), call.naming)
        corrected = shown.corrected(call.releases).get(number, [])
        waits = shown.waiting([found])
        return self._page(call, "release.html", made=found.made, at=found.at, told=told, full=full, waits=waits, corrected=corrected)

    def _measures(self, call: Call) -> Response:
        wanted = call.request.path_params.get("measure", "")
        measures = {id: one for id, one in self.defined.measures.items() if wanted in ("", id)}
        terms = {id: one for id, one in self.defined.terms.items() if wanted in ("", id)}
        if not measures and not terms:
            return self._lost(call)
        return self._page(call, "measures.html", wanted=wanted, measures=measures, terms=terms)

    def _downloads(self, call: Call) -> Response:
        return self._page(call, "downloads.html", releases=call.releases[::-1])

    def _figures(self, call: Call) -> Response:
        number, kind = call.request.path_params.get("number"), call.request.path_params["kind"]
        chosen = [published for published in call.releases if number in (None, published.number)]
        if kind not in ("csv", "json") or (number is not None and not chosen):
            return self._lost(call)
        name = "figures" if number is None else f"figures-{number}"
        body = downloads.figures_csv(chosen) if kind == "csv" else downloads.figures_json(chosen)
        return _file(call.request, body, CSV if kind == "csv" else JSON, f"{name}.{kind}")

    def _dictionary(self, call: Call) -> Response:
        kind = call.request.path_params["kind"]
        if kind == "json":
            return _file(call.request, downloads.dictionary_json(self.defined, self.words), JSON, "dictionary.json")
        if kind != "csv":
            return self._lost(call)
        return _file(call.request, downloads.dictionary_csv(self.defined, call.naming.say), CSV, "dictionary.csv")

    def _lost(self, call: Call) -> Response:
        return self._page(call, "lost.html", 404)

    async def _signin(self, request: Request) -> Response:
        return await self.sign_in.begin(request, self._signin_page)

    def _signin_page(self, request: Request, wrong: bool) -> Response:
        return self._html("signin.html", self._nameless(request), None, f"{HOME}/signin", 403 if wrong else 200, wrong=wrong)


def made(engine: AsyncEngine, policy: Callable[[], Policy], defined: Measures, *, drill: bool, secure: bool) -> Pages:
    """Return the pages, for wiring."""
    sign_in = SignIn(engine, OVERSIGHT, Visits("oversight", "oversight", HOME, secure), Journal("oversight"))
    language = LanguageChoice(LANGUAGE, HOME, HERE, secure)
    return Pages(
        engine,
        policy,
        defined,
        words.load(FOLDER / "words.yaml"),
        templates.load(FOLDER / "templates"),
        ReleaseCache(),
        drill,
        sign_in,
        language,
        static_file.sheet(f"{HOME}/oversight.css", SHEET),
    )


def _home(call: Call) -> Response:
    return RedirectResponse(f"{HOME}/{FIRST[call.reader.note]}", 303, PAGE_HEADERS)


def _file(request: Request, body: bytes, kind: str, name: str) -> Response:
    """Return a download that only the reader's own cache may store, and must revalidate."""
    tag = downloads.etag(body)
    headers = PAGE_HEADERS | {"Cache-Control": "private, no-cache", "ETag": tag, "Content-Disposition": f'attachment; filename="{name}"'}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers | {"Content-Type": kind})
