"""Serve the auditor's pages: search, one case with its proofs, and who opened cases. A reader can repeat every check offline.

They change nothing, but that opening a case is an entry of the log first.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from jinja2 import Environment
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.domain.case_number import case_number, read
from referral.domain.durations import DAY_US
from referral.domain.local_time import LOCAL, local
from referral.errors import Malformed, Unavailable, Unproven
from referral.proof import act
from referral.proof.forgeries import Believed, judge
from referral.proof.history import words as history
from referral.proof.reading import How, Reading
from referral.runtime import i18n, static_file, templates
from referral.runtime.http_server import PAGE_HEADERS
from referral.runtime.i18n import ENDONYMS, Words
from referral.runtime.keys.case_keys import Keys
from referral.runtime.observe import log
from referral.runtime.postgres import clock, readings
from referral.runtime.postgres.tokens import AUDITORS
from referral.runtime.postgres.visits import Visits
from referral.runtime.security_journal import Journal
from referral.runtime.token_pages import LanguageChoice, SignIn
from referral.tlog.witness_policy import Policy
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.policy_signature import Trusted
from referral.wire.signed.writer_signature import NO_WRITERS, Writers
from services.audit import case_view, code_names, queries
from services.audit.code_names import CodeNames

HOME, HERE = "/auditor", Path(__file__).parent
SHEET = HERE / "static" / "audit.css"
RETURN = re.compile(r"/auditor(/signin|/readings|/cases/[0-9a-f-]{36}|\?[A-Za-z0-9=&+-]{1,120})?")
"""Pages to return to after a change of language: ours, and no other."""
DAYS = 30
"""Days that a search without a time and a case covers (ours)."""
MOST = 100
"""Cases or readings in a list (ours)."""
EVERY = ["GET", "POST", "PUT", "PATCH", "DELETE"]
CASE_ID = re.compile(r"[0-9a-f-]{0,36}")
NO_SIGNERS = Trusted()
"""No policy keepers: codes stay codes."""
EXAMPLE = "2026-01-31"
"""A day as the search takes it where a browser has no field for days."""
LONGEST = 100
"""Characters of a search that are read (ours): a case id has 36."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a reader. reader: the office; empty: nobody is signed in. say: texts of the reader's language.

    token: subject of the token with which somebody signed in.
    """

    request: Request
    reader: str
    say: Words
    token: str = ""

    @property
    def here(self) -> str:
        """Return the path to return to after a change of language."""
        url = self.request.url
        return url.path + (f"?{url.query}" if url.query else "")

    def day(self, micros: int) -> str:
        """Return the day in Kosovo of a time."""
        at = local(micros)
        return self.say("date", day=f"{at:%d}", month=f"{at:%m}", year=f"{at:%Y}")

    def time(self, micros: int) -> str:
        """Return day and minute in Kosovo of a time."""
        return f"{self.day(micros)} {local(micros):%H:%M}"

    def clock(self, micros: int) -> str:
        """Return the second in Kosovo of a time, without its day."""
        return f"{local(micros):%H:%M:%S}"

    def second(self, micros: int) -> str:
        """Return day and second in Kosovo of a time."""
        return f"{self.day(micros)} {self.clock(micros)}"


Page = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class SearchForm:
    """The values of the search form. start, end: dates, the last one included."""

    case: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one process.

    keys: to read the cases that are not erased. policy: decides which checkpoints are accepted. erasers: those whom an erasure is believed.
    writers: those whose signature a record needs.
    words, timeline: texts of the pages and of a case's history, by language. names: of the codes in it.
    """

    engine: AsyncEngine
    keys: Keys
    policy: Policy
    erasers: Erasers
    writers: Believed
    templates: Environment
    words: Mapping[str, Words]
    timeline: Mapping[str, Words]
    names: CodeNames
    drill: bool
    sign_in: SignIn
    language: LanguageChoice
    sheet: str

    def routes(self) -> list[BaseRoute]:
        """Return all routes."""
        return [
            Route(HOME, self._visited(self._cases), methods=["GET"]),
            Route(f"{HOME}/cases/{{case_id:uuid}}", self._visited(self._case), methods=["GET"]),
            Route(f"{HOME}/readings", self._visited(self._readings), methods=["GET"]),
            Route(f"{HOME}/signin", self._signin, methods=["GET", "POST"]),
            Route(f"{HOME}/signout", self._signout, methods=["GET", "POST"]),
            Route(f"{HOME}/language", self._choose, methods=["GET", "POST"]),
            static_file.serve(f"{HOME}/audit.css", SHEET.read_bytes()),
            static_file.serve(f"{HOME}/mark.svg", static_file.ICON),
            Route(f"{HOME}/{{rest:path}}", self._visited(self._lost), methods=EVERY),
        ]

    def _call(self, request: Request, reader: str, token: str = "") -> Call:
        return Call(request, reader, self.words[self.language.of(request)], token)

    def _page(self, call: Call, template: str, status: int = 200, **values: object) -> HTMLResponse:
        shared = {
            "say": call.say,
            "number_of": case_number,
            "call": call,
            "reader": call.reader,
            "here": self.language.back(call.here),
            "endonyms": ENDONYMS,
            "bad": status >= 400,
            "sheet": self.sheet,
        }
        return HTMLResponse(self.templates.get_template(template).render(shared | values), status, PAGE_HEADERS)

    def _visited(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """Serve a page only to a visitor with a valid token; redirect others to the sign-in page."""

        async def endpoint(request: Request) -> Response:
            async with self.engine.connect() as tx:
                reader = await self.sign_in.reader(tx, request)
            return await page(self._call(request, reader.name, act.token(reader.digest))) if reader else self.sign_in.redirect()

        return endpoint

    async def _signin(self, request: Request) -> Response:
        return await self.sign_in.begin(request, self._signin_page)

    def _signin_page(self, request: Request, wrong: bool) -> Response:
        return self._page(self._call(request, ""), "signin.html", 403 if wrong else 200, wrong=wrong)

    async def _signout(self, request: Request) -> Response:
        return await self.sign_in.end(request) if request.method == "POST" else RedirectResponse(HOME, 303, PAGE_HEADERS)

    async def _choose(self, request: Request) -> Response:
        return await self.language.choose(request) if request.method == "POST" else RedirectResponse(HOME, 303, PAGE_HEADERS)

    async def _lost(self, call: Call) -> Response:
        return self._page(call, "lost.html", 404)

    async def _cases(self, call: Call) -> Response:
        async with self.engine.connect() as tx:
            today = local(await clock.now(tx)).date()
            given = call.request.query_params
            case = given.get("case", "").strip()[:LONGEST]
            number = read(case)
            case = number or case.lower()
            first = date(2000, 1, 1) if case else today - timedelta(days=DAYS)
            asked = SearchForm(case, given.get("from", "") or first.isoformat(), given.get("to", "") or today.isoformat())
            wrong = _wrong(asked)
            ids: list[str] | None = None
            if number and not wrong:  # a hash of each id: a tenth of a second for 10,000, and nobody else waits
                ids = await run_in_threadpool(_numbered, number, await queries.case_ids(tx))
            begin = "" if number else case
            end = _micros(asked.end) + DAY_US if not wrong else 0
            cases = [] if wrong else await queries.cases(tx, self.erasers, begin, _micros(asked.start), end, MOST + 1, ids)
        problem = call.say(wrong, example=EXAMPLE) if wrong else ""
        status = 400 if wrong else 200
        return self._page(call, "cases.html", status, asked=asked, problem=problem, cases=cases[:MOST], more=len(cases) > MOST)

    async def _readings(self, call: Call) -> Response:
        async with self.engine.connect() as tx:
            found = await queries.readings(tx, MOST + 1)
        return self._page(call, "readings.html", readings=found[:MOST], more=len(found) > MOST)

    async def _case(self, call: Call) -> Response:
        case_id = str(call.request.path_params["case_id"])

        def unknown(status: int, problem: str) -> Response:
            return self._page(call, "cases.html", status, asked=SearchForm(case_id, "", ""), problem=problem, cases=[], more=False)

        async with self.engine.connect() as tx:
            if not await queries.known(tx, case_id):
                return unknown(404, call.say("problem.none"))
        try:
            reading = Reading(reader=call.reader, how=How.PAGE, cases=(case_id,), token=call.token)
            await readings.record(self.engine, reading.encode())
        except (Unavailable, Unproven) as error:
            log().error("no reading", service="audit", kind=type(error).__name__, hint=str(error))
            return unknown(503, call.say("problem.reading"))
        async with self.engine.connect() as tx:
            try:
                found = await queries.case(tx, case_id)
            except Malformed as error:
                return unknown(500, call.say("problem.tree", error=error))
            erased = any(case_view.erased(entry, self.erasers) for entry in found.entries)  # the key is destroyed just after it
            key = None if erased else (await self.keys.load(tx, [case_id])).get(case_id)
            rules = await self.names.policy(tx)
        genuine = judge(found.entries, key, self.writers).genuine(found.entries)
        log().info("audit page", service="audit", case_id=case_id, kind=call.reader)
        believed = case_view.accepted(self.policy, found.published.cosigned if found.published else None)
        marks = case_view.marks(found.entries, found.leaves, found.proofs, believed)
        texts = self.timeline[call.say.language]
        name = code_names.names(rules, texts, call.say.language)
        return self._page(
            call,
            "case.html",
            case_id=case_id,
            number=case_number(case_id),
            entries=len(found.entries),
            rows=case_view.rows(found.entries, key, marks, texts, self.writers, name),
            readings=case_view.readings(genuine, key, texts),
            name=name,
            unreadable="erased" if erased else "" if key else "sealed",
            vouched=case_view.vouched(believed, marks),
            damaged=found.damaged,
            drill=self.drill,
        )


def made(
    engine: AsyncEngine,
    keys: Keys,
    policy: Policy,
    erasers: Erasers,
    writers: Writers = NO_WRITERS,
    signers: Trusted = NO_SIGNERS,
    *,
    drill: bool,
    secure: bool,
) -> Pages:
    """Return the pages, for wiring. signers: of the policy, by whose bundle codes are named. secure: people reach them by https."""
    return Pages(
        engine,
        keys,
        policy,
        erasers,
        Believed(writers),
        templates.load(HERE / "templates"),
        i18n.load(HERE / "words.yaml"),
        i18n.load(history.FILE),
        CodeNames(signers),
        drill,
        SignIn(engine, AUDITORS, Visits("audit", "auditor", HOME, secure), Journal("audit")),
        LanguageChoice("auditor-language", HOME, RETURN, secure),
        static_file.sheet(f"{HOME}/audit.css", SHEET),
    )


def _numbered(number: str, case_ids: Iterable[str]) -> list[str]:
    """Return the cases that have this number: one, hardly ever two."""
    return [case_id for case_id in case_ids if case_number(case_id) == number]


def _wrong(asked: SearchForm) -> str:
    """Return the key of the text that says what is wrong with a search; empty: nothing is."""
    if not CASE_ID.fullmatch(asked.case) and read(asked.case) is None:
        return "problem.case"
    try:
        return "" if date.fromisoformat(asked.start) <= date.fromisoformat(asked.end) else "problem.order"
    except ValueError:
        return "problem.day"


def _micros(day: str) -> int:
    """Return the beginning of a day in Kosovo, µs UTC."""
    return int(datetime.combine(date.fromisoformat(day), time(), LOCAL).timestamp() * 1_000_000)
