"""Serve the auditor's pages: search, and one case with its proofs. They only read, and a reader can repeat every check offline."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from jinja2 import Environment
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.domain.local_time import LOCAL, local
from referral.errors import Malformed
from referral.runtime import token_pages
from referral.runtime.http_server import PAGE_HEADERS
from referral.runtime.keys.case_keys import Keys
from referral.runtime.observe import log
from referral.runtime.postgres import clock
from referral.runtime.postgres.tokens import AUDITORS
from referral.runtime.postgres.visits import Visits
from referral.runtime.token_pages import SignIn
from referral.tlog.witness_policy import Policy
from services.audit import case_view, queries

HOME, HERE = "/auditor", Path(__file__).parent
DAYS = 30
"""Days that a search without a time and a case covers (ours)."""
MOST = 100
"""Cases in a list (ours)."""
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
    sign_in: SignIn

    def routes(self) -> list[BaseRoute]:
        """Return all routes."""
        return [
            Route(HOME, self._visited(self._cases), methods=["GET"]),
            Route(f"{HOME}/cases/{{case_id:uuid}}", self._visited(self._case), methods=["GET"]),
            Route(f"{HOME}/signin", self._signin, methods=["GET", "POST"]),
            Route(f"{HOME}/signout", self._signout, methods=["GET", "POST"]),
            token_pages.stylesheet(f"{HOME}/audit.css", HERE / "static" / "audit.css"),
        ]

    def _page(self, template: str, reader: str, status: int = 200, **values: object) -> HTMLResponse:
        text = self.templates.get_template(template).render(reader=reader, time=_shown, **values)
        return HTMLResponse(text, status, PAGE_HEADERS)

    def _visited(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """Serve a page only to a visitor with a valid token; redirect others to the sign-in page."""

        async def endpoint(request: Request) -> Response:
            async with self.engine.connect() as tx:
                reader = await self.sign_in.reader(tx, request)
            return await page(request, reader.name) if reader else self.sign_in.redirect()

        return endpoint

    async def _signin(self, request: Request) -> Response:
        return await self.sign_in.begin(request, self._signin_page)

    def _signin_page(self, _: Request, wrong: bool) -> Response:
        return self._page("signin.html", "", 403 if wrong else 200, wrong=wrong)

    async def _signout(self, request: Request) -> Response:
        return await self.sign_in.end(request) if request.method == "POST" else RedirectResponse(HOME, 303, PAGE_HEADERS)

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
    sign_in = SignIn(engine, AUDITORS, Visits("audit", "auditor", HOME, secure))
    return Pages(engine, keys, policy, intake, token_pages.templates(HERE / "templates"), drill, sign_in)


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
