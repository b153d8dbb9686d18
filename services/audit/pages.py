"""Serve the auditor's pages: search, one case with its proofs, and who opened cases. A reader can repeat every check offline.

They change nothing, but that opening a case is an entry of the log first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute

from referral.domain.case_number import case_number, read
from referral.domain.durations import DAY_US
from referral.domain.local_time import LOCAL, local
from referral.errors import Malformed, Unavailable, Unproven
from referral.proof import act
from referral.proof.forgeries import Believed, judge
from referral.proof.history import words as history
from referral.proof.reading import How, Reading
from referral.runtime import i18n
from referral.runtime.keys.case_keys import Keys
from referral.runtime.observe import log
from referral.runtime.postgres import clock, readings
from referral.runtime.postgres.tokens import AUDITORS
from referral.tlog.witness_policy import Policy
from referral.web.office import Office, OfficeRequest
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.policy_signature import Trusted
from referral.wire.signed.writer_signature import NO_WRITERS, Writers
from services.audit import case_view, queries

HOME = "/auditor"
RETURN = re.compile(r"/auditor(/signin|/readings|/cases/[0-9a-f-]{36}|\?[A-Za-z0-9=&+-]{1,120})?")
"""Pages to return to after a change of language: ours, and no other."""
DAYS = 30
"""Days that a search without a time and a case covers (ours)."""
MOST = 100
"""Cases or readings in a list (ours)."""
CASE_ID = re.compile(r"[0-9a-f-]{0,36}")
NO_SIGNERS = Trusted()
"""No policy keepers: codes stay codes."""
EXAMPLE = "2026-01-31"
"""A day as the search takes it where a browser has no field for days."""
LONGEST = 100
"""Characters of a search that are read (ours): a case id has 36."""


class Pages:
    """The pages of one process.

    keys: to read the cases that are not erased. policy: decides which checkpoints are accepted. erasers: those whom an erasure is believed.
    writers: those whose signature a record needs. signers: of the policy, by whose bundle codes are named.
    drill: all children here are made up. secure: people reach the pages by https.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        keys: Keys,
        policy: Policy,
        erasers: Erasers,
        writers: Writers = NO_WRITERS,
        signers: Trusted = NO_SIGNERS,
        *,
        drill: bool,
        secure: bool,
    ) -> None:
        self._engine, self._keys, self._policy, self._erasers, self._drill = engine, keys, policy, erasers, drill
        self._writers, self._names = Believed(writers), queries.CodeNames(signers)
        self._timeline = i18n.load(history.FILE)
        self.office = Office(
            engine, "audit", AUDITORS, HOME, Path(__file__).parent, RETURN, secure=secure, first="cases.title", beside=_beside
        )

    def routes(self) -> list[BaseRoute]:
        """Return all routes."""
        route = self.office.route
        return self.office.routes(route("", self._cases), route("/cases/{case_id:uuid}", self._case), route("/readings", self._readings))

    async def _cases(self, call: OfficeRequest) -> Response:
        async with self._engine.connect() as tx:
            today = local(await clock.now(tx)).date()
            given = call.request.query_params
            case = given.get("case", "").strip()[:LONGEST]
            number = read(case)
            case = number or case.lower()
            first = date(2000, 1, 1) if case else today - timedelta(days=DAYS)
            start, end = given.get("from", "") or first.isoformat(), given.get("to", "") or today.isoformat()
            wrong = _wrong(case, start, end)
            ids: list[str] | None = None
            if number and not wrong:  # a hash of each id: a tenth of a second for 10,000, and nobody else waits
                ids = await run_in_threadpool(_numbered, number, await queries.case_ids(tx))
            cases = []
            if not wrong:
                begin, until = "" if number else case, _micros(end) + DAY_US
                cases = await queries.cases(tx, self._erasers, begin, _micros(start), until, MOST + 1, ids)
        problem = call.say(wrong, example=EXAMPLE) if wrong else ""
        return self._list(call, 400 if wrong else 200, problem, case, start, end, cases)

    def _list(
        self,
        call: OfficeRequest,
        status: int,
        problem: str,
        case: str,
        start: str = "",
        end: str = "",
        cases: list[queries.CaseSummary] | None = None,
    ) -> Response:
        """Return the search with the cases that it found. start, end: dates, the last one included."""
        found = cases or []
        asked = {"case": case, "start": start, "end": end}
        return self.office.page(call, "cases.html", status, asked=asked, problem=problem, cases=found[:MOST], more=len(found) > MOST)

    async def _readings(self, call: OfficeRequest) -> Response:
        async with self._engine.connect() as tx:
            found = await queries.readings(tx, MOST + 1)
        return self.office.page(call, "readings.html", readings=found[:MOST], more=len(found) > MOST)

    async def _case(self, call: OfficeRequest) -> Response:
        case_id = str(call.request.path_params["case_id"])
        async with self._engine.connect() as tx:
            if not await queries.known(tx, case_id):
                return self._list(call, 404, call.say("problem.none"), case_id)
        try:
            reading = Reading(reader=call.who.name, how=How.PAGE, cases=(case_id,), token=act.token(call.who.digest))
            await readings.record(self._engine, reading.encode())
        except (Unavailable, Unproven) as error:
            log().error("no reading", service="audit", kind=type(error).__name__, hint=str(error))
            return self._list(call, 503, call.say("problem.reading"), case_id)
        async with self._engine.connect() as tx:
            try:
                found = await queries.case(tx, case_id)
            except Malformed as error:
                return self._list(call, 500, call.say("problem.tree", error=error), case_id)
            erased = any(case_view.erased(entry, self._erasers) for entry in found.entries)  # the key is destroyed just after it
            key = None if erased else (await self._keys.load(tx, [case_id])).get(case_id)
            rules = await self._names.policy(tx)
        genuine = judge(found.entries, key, self._writers).genuine(found.entries)
        log().info("audit page", service="audit", case_id=case_id, kind=call.who.name)
        believed = case_view.accepted(self._policy, found.published.cosigned if found.published else None)
        marks = case_view.marks(found.entries, found.leaves, found.proofs, believed)
        texts = self._timeline[call.say.language]
        name = case_view.names(rules, texts, call.say.language)
        return self.office.page(
            call,
            "case.html",
            case_id=case_id,
            entries=len(found.entries),
            rows=case_view.rows(found.entries, key, marks, texts, self._writers, name),
            readings=case_view.readings(genuine, key),
            basis=lambda code: history.coded(texts, "read", code),
            name=name,
            unreadable="erased" if erased else "" if key else "sealed",
            believed=believed,
            count=Counter(marks.values()),
            damaged=found.damaged,
            drill=self._drill,
        )


def _beside(_: OfficeRequest) -> dict[str, object]:
    return {"number_of": case_number}


def _numbered(number: str, case_ids: Iterable[str]) -> list[str]:
    """Return the cases that have this number: one, hardly ever two."""
    return [case_id for case_id in case_ids if case_number(case_id) == number]


def _wrong(case: str, start: str, end: str) -> str:
    """Return the key of the text that says what is wrong with a search; empty: nothing is."""
    if not CASE_ID.fullmatch(case) and read(case) is None:
        return "problem.case"
    try:
        return "" if date.fromisoformat(start) <= date.fromisoformat(end) else "problem.order"
    except ValueError:
        return "problem.day"


def _micros(day: str) -> int:
    """Return the beginning of a day in Kosovo, µs UTC."""
    return int(datetime.combine(date.fromisoformat(day), time(), LOCAL).timestamp() * 1_000_000)
