"""The events of the three case topics, folded into children on procedures.

The result does not depend on how the topics interleave: the records of a case come in order within each topic, and nothing of one
topic or case is compared with another before it is asked for.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from referral.domain import events as e
from referral.domain.policy import Policy
from services.oversight.course import Course, Full
from services.oversight.kept import NEVER, Case, Run
from services.oversight.meaning import MEANING
from services.oversight.months import LOCAL, after, begins, month

EARLIEST, LATEST = begins("2000-01"), begins("2100-01")
"""A record of another time is out of every period (ours)."""
DEEPEST = 20
"""Complaints about complaints, one upon the other (ours): far more than there are."""
TOPICS = frozenset({"referral-intake", "referral-routing", "referral-notification"})
KNOWN: Mapping[type, str] = {kind: topic for kind in e.EVENTS.values() if (topic := getattr(kind, "TOPIC", "")) in TOPICS}
"""Events of the case topics, each with its own."""


class Courses:
    """All children, as far as their records have been noted."""

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}
        self._runs: dict[str, list[Run]] = {}
        self._raisers: set[str] = set()
        self._erased: dict[str, int] = {}
        self._drills = array("q")
        self._met: dict[str, list[tuple[str, int]]] = {}

    def note(self, topic: str, meta: e.Meta, body: Any) -> None:
        """One more record: each once, those of a case in order for each topic. body: None when its key is gone."""
        at, id, kind = meta.recorded_at, meta.case_id, type(body)
        if meta.drill:
            self._drills.append(at)
        elif body is None or kind is e.CaseErased:
            self._erase(id, NEVER if body is None else at)
        elif id in self._erased:
            return
        elif not EARLIEST <= at < LATEST:
            self._meet("out-of-period", id, at)
        elif KNOWN.get(kind) != topic:
            self._meet("unknown-type", id, at)
        elif (rule := MEANING.get(kind)) is not None:
            case = self._cases.get(id)
            if case is None:
                case = self._cases[id] = Case(id)
            runs = case.runs
            if word := rule(case, body, at):
                self._meet(word, id, at)
            if case.runs is not runs:
                self._runs.setdefault(case.runs[-1].pathway, []).append(case.runs[-1])
            if case.raised:
                self._raisers.add(id)
            if topic == "referral-routing":
                if at < case.since:
                    self._meet("clock-back", id, at)
                case.since = case.since or at

    def of(self, pathway: str, start: int, end: int) -> tuple[Course, ...]:
        """The children who began on it from start until before end, µs UTC; always in the same order."""
        found = [_course(runs) for runs in self._children(pathway) if start <= runs[0].began_at < end]
        return tuple(sorted(found, key=lambda c: (c.began_at, c.municipality, c.sex, c.age_band, sorted(c.first.items()))))

    def pathways(self) -> tuple[str, ...]:
        """The procedures that somebody is counted on."""
        return tuple(sorted(pathway for pathway, runs in self._runs.items() if runs))

    def months(self) -> tuple[str, ...]:
        """The months in which somebody began on a procedure."""
        return tuple(sorted({month(runs[0].began_at) for pathway in self._runs for runs in self._children(pathway)}))

    def fulls(self, month: str, policy: Policy, now: int) -> tuple[Full, ...]:
        """By role, on how many days of a month no place was free at their end; days that have not ended by now are not looked at."""
        ends = [at for at in _midnights(month) if at <= now]
        stays = [stay for case in self._cases.values() for stay in case.stays if ends and stay.meets(ends[0], ends[-1])]
        held = [Counter(stay.service for stay in stays if stay.holds(at)) for at in ends]
        places = {service.id: (service.places, service.roles) for service in policy.services.values() if service.places is not None}
        every = sorted({role for _, roles in places.values() for role in roles})
        having = {role: {id for id, (_, roles) in places.items() if role in roles} for role in every}
        there = {role: sum(places[id][0] for id in ids) for role, ids in having.items()}
        full = []
        for role, ids in having.items():
            days = sum(sum(taken[id] for id in ids) >= there[role] for taken in held)
            full.append(Full(role, there[role], min(there[other] for other in every if having[other] <= ids), days))
        return tuple(full)

    def counted(self, until: int) -> Counter[str]:
        """What was met before a time, µs UTC, and not guessed about: erased cases, else records."""
        met = Counter(word for words in self._met.values() for word, at in words if at < until)
        met["erased"] = sum(at < until for at in self._erased.values())
        met["drill"] = sum(at < until for at in self._drills)
        return +met

    def _children(self, pathway: str) -> Iterator[list[Run]]:
        """Of every child its runs on a procedure, first the one that began first. A case and all that it has raised are one child."""
        above = {new: id for id in sorted(self._raisers, reverse=True) if (case := self._cases.get(id)) for new in case.raised}
        together: dict[str, list[Run]] = {}
        for run in self._runs.get(pathway, ()):
            id = run.case.id
            if id not in above and id not in self._raisers:
                yield [run]
                continue
            for _ in range(DEEPEST):
                id = above.get(id, id)
            together.setdefault(id, []).append(run)
        for runs in together.values():
            yield sorted(runs, key=lambda run: (run.began_at, run.case.id))

    def _meet(self, word: str, id: str, at: int) -> None:
        self._met.setdefault(id, []).append((word, at))

    def _erase(self, id: str, at: int) -> None:
        """The case counts nowhere any more, only as erased."""
        self._erased[id] = at or self._erased.get(id, NEVER)
        self._met.pop(id, None)
        if (case := self._cases.pop(id, None)) is not None:
            for run in case.runs:
                self._runs[run.pathway].remove(run)


def _midnights(month: str) -> list[int]:
    """The end of each day of a month, µs UTC."""
    first, last = date.fromisoformat(f"{month}-01"), date.fromisoformat(f"{after(month)}-01")
    days = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    return [int(datetime(day.year, day.month, day.day, tzinfo=LOCAL).timestamp()) * 1_000_000 for day in days]


def _course(runs: list[Run]) -> Course:
    first: dict[str, int] = {}
    for run in runs:
        case = run.case
        for fact, at in (*zip(run.facts, run.times, strict=True), ("duplicate", case.joined), ("withdrawn", case.withdrawn)):
            if at != NEVER:
                first[fact] = min(at, first.get(fact, at))
    begun = runs[0]
    return Course(begun.pathway, begun.began_at, begun.municipality, begun.sex, begun.age_band, first)
