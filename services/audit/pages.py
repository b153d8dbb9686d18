"""Serve the auditor's pages: search, and one case with its proofs. They only read, and a reader can repeat every check offline."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.domain.local_time import LOCAL, local
from referral.errors import Malformed
from referral.runtime.http_server import PAGE_HEADERS
from referral.runtime.keys.case_keys import Keys
from referral.runtime.observe import log, signed
from referral.runtime.postgres import clock
from referral.runtime.postgres.tokens import AUDITORS, digest
from referral.runtime.postgres.visits import Visits
from referral.tlog.witness_policy import Policy
from services.audit import case_view, queries

HOME = "/auditor"
DAYS = 30
"""Days that a search without a time and a case covers (ours)."""
MOST = 100
"""Cases in a list (ours)."""
MOST_BYTES = 2000
"""Largest body of a form (ours): a token has 43 bytes."""
CASE_ID = re.compile(r"[0-9a-f-]{0,36}")
DAY_US = 24 * 60 * 60 * 1_000_000

Page = Callable[[Request, str], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class SearchForm:
    """The values of the search form. start, end: dates, the last one included."""

    case: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one process.

    keys: to read the cases that are not erased. policy: decides which checkpoints are accepted. intake: public keys that sign erasures.
    """

    engine: AsyncEngine
    keys: Keys
    policy: Policy
    intake: tuple[bytes, ...]
    templates: Environment
    drill: bool
    visits: Visits

    def routes(self) -> list[BaseRoute]:
        """Return all routes."""
        return [
            Route(HOME, self._visited(self._cases), methods=["GET"]),
            Route(f"{HOME}/cases/{{case_id:uuid}}", self._visited(self._case), methods=["GET"]),
            Route(f"{HOME}/signin", self._signin, methods=["GET", "POST"]),
            Route(f"{HOME}/signout", self._signout, methods=["GET", "POST"]),
            Route(f"{HOME}/audit.css", _css, methods=["GET"]),
        ]

    def _page(self, template: str, reader: str, status: int = 200, **values: object) -> HTMLResponse:
        text = self.templates.get_template(template).render(reader=reader, time=_shown, **values)
        return HTMLResponse(text, status, PAGE_HEADERS)

    def _visited(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """Serve a page only to a visitor with a valid token; redirect others to the sign-in page."""

        async def endpoint(request: Request) -> Response:
            async with self.engine.connect() as tx:
                reader = await AUDITORS.holder(tx, await self.visits.reader(tx, request))
            return await page(request, reader.name) if reader else RedirectResponse(f"{HOME}/signin", 303, PAGE_HEADERS)

        return endpoint

    async def _signin(self, request: Request) -> Response:
        if request.method == "GET":
            return self._page("signin.html", "", wrong=False)
        body = await _body(request)
        token = parse_qs(body.decode("ascii", "replace")).get("token", [""])[0].strip()
        answer = RedirectResponse(HOME, 303, PAGE_HEADERS)
        async with self.engine.begin() as tx:
            reader = await AUDITORS.holder(tx, digest(token))
            if reader:
                await self.visits.begin(tx, token, answer)
        signed("audit", "in" if reader else "refused", reader.name if reader else "")
        return answer if reader else self._page("signin.html", "", 403, wrong=True)

    async def _signout(self, request: Request) -> Response:
        answer = RedirectResponse(f"{HOME}/signin" if request.method == "POST" else HOME, 303, PAGE_HEADERS)
        if request.method == "POST":
            async with self.engine.begin() as tx:
                reader = await AUDITORS.holder(tx, await self.visits.reader(tx, request))
                await self.visits.end(tx, request, answer)
            signed("audit", "out", reader.name if reader else "")
        return answer

    async def _cases(self, request: Request, reader: str) -> Response:
        async with self.engine.connect() as tx:
            today = local(await clock.now(tx)).date()
            given = request.query_params
            case = given.get("case", "").strip().lower()
            first = date(2000, 1, 1) if case else today - timedelta(days=DAYS)
            asked = SearchForm(case, given.get("from", "") or first.isoformat(), given.get("to", "") or today.isoformat())
            problem = _problem(asked)
            cases = [] if problem else await queries.cases(tx, case, _micros(asked.start), _micros(asked.end) + DAY_US, MOST + 1)
        status = 400 if problem else 200
        return self._page("cases.html", reader, status, asked=asked, problem=problem, cases=cases[:MOST], more=len(cases) > MOST)

    async def _case(self, request: Request, reader: str) -> Response:
        case_id = str(request.path_params["case_id"])
        async with self.engine.connect() as tx:
            try:
                read = await queries.case(tx, case_id)
            except Malformed as error:
                problem = f"The log's tree was changed in the database ({error}): nothing of this case is proven."
                return self._page("cases.html", reader, 500, asked=SearchForm(case_id, "", ""), problem=problem, cases=[], more=False)
            erased = any(case_view.erased(entry, self.intake) for entry in read.entries)  # the key is destroyed just after it
            key = None if erased else (await self.keys.load(tx, [case_id])).get(case_id)
        log().info("audit page", service="audit", case_id=case_id, kind=reader)
        if not read.entries and not read.damaged:
            asked = SearchForm(case_id, "", "")
            return self._page("cases.html", reader, 404, asked=asked, problem="The log has no entry of this case.", cases=[], more=False)
        believed = case_view.accepted(self.policy, read.published.cosigned if read.published else None)
        marks = case_view.marks(read.entries, read.leaves, read.proofs, believed)
        unreadable = "The case is erased: nobody can tell any more." if erased else "" if key else "The case's key is missing."
        return self._page(
            "case.html",
            reader,
            case_id=case_id,
            entries=len(read.entries),
            rows=case_view.rows(read.entries, key, marks),
            readings=case_view.readings(read.entries, key),
            unreadable=unreadable,
            vouched=case_view.vouched(believed, marks),
            damaged=read.damaged,
            drill=self.drill,
        )


def made(engine: AsyncEngine, keys: Keys, policy: Policy, intake: tuple[bytes, ...], *, drill: bool, secure: bool) -> Pages:
    """Return the pages, for wiring. secure: people reach them by https."""
    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return Pages(engine, keys, policy, intake, templates, drill, Visits("audit", "auditor", HOME, secure))


async def _css(_: Request) -> Response:
    path = Path(__file__).with_name("static") / "audit.css"
    return FileResponse(path, media_type="text/css; charset=utf-8", headers=PAGE_HEADERS)


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return b""
    return body


def _problem(asked: SearchForm) -> str:
    if not CASE_ID.fullmatch(asked.case):
        return "A case id has digits, the letters a to f and hyphens."
    try:
        return "" if date.fromisoformat(asked.start) <= date.fromisoformat(asked.end) else "The first day is after the last one."
    except ValueError:
        return "Write a day as 2026-01-31."


def _micros(day: str) -> int:
    """Return the beginning of a day in Kosovo, µs UTC."""
    return int(datetime.combine(date.fromisoformat(day), time(), LOCAL).timestamp() * 1_000_000)


def _shown(micros: int) -> str:
    return local(micros).strftime("%d.%m.%Y %H:%M")
