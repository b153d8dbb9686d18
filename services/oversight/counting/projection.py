"""Project the events of the three case topics into children on procedures.

The result does not depend on how the topics interleave: the records of a case come in order within each topic, and nothing of one
topic or case is compared with another before a figure is requested.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from referral.domain import events as e
from referral.domain.durations import HOUR_US
from referral.domain.local_time import LOCAL
from referral.domain.policy import Policy
from services.oversight.calendar import after, begins, month
from services.oversight.counting import saved
from services.oversight.counting.model import Course, Full
from services.oversight.counting.rules import MEANING
from services.oversight.counting.state import NEVER, Case, Run

EARLIEST, LATEST = begins("2000-01"), begins("2100-01")
"""Times outside this range are ignored (ours): they fall in no period."""
AHEAD = 365 * 86_400_000_000
"""µs before the first policy came into force: an earlier begin was recorded by a wrong clock (ours)."""
DEEPEST = 20
"""Depth of complaints about complaints (ours): far more than occur."""
ROUTING = "referral-routing"
TOPICS = frozenset({"referral-intake", ROUTING, "referral-notification"})
KNOWN: Mapping[type, str] = {kind: topic for kind in e.EVENTS.values() if (topic := getattr(kind, "TOPIC", "")) in TOPICS}
"""Events of the case topics, each with its own topic."""


class Courses:
    """All children, from the records noted so far."""

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}
        self._runs: dict[str, list[Run]] = {}
        self._raisers: set[str] = set()
        self._erased: dict[str, int] = {}
        self.drills: Counter[int] = Counter()
        """Hour → records of exercises; a period ends at a full hour."""
        self._met: dict[str, list[tuple[str, int]]] = {}

    def note(self, topic: str, meta: e.Meta, body: Any) -> bool:
        """Note one record: each once, those of a case in order within each topic. body: None if its key is gone.

        Return whether it can count in a period: not of a drill, in range, of a known type, and of a case that is not erased.
        """
        at, id, kind = meta.recorded_at, meta.case_id, type(body)
        if meta.drill:
            self.drills[at // HOUR_US] += 1
        elif body is None or kind is e.CaseErased:
            self._erase(id, NEVER if body is None else at)
        elif id in self._erased:
            pass
        elif not EARLIEST <= at < LATEST:
            self._meet("out-of-period", id, at)
        elif KNOWN.get(kind) != topic:
            self._meet("unknown-type", id, at)
        else:
            self._take(topic, id, at, body)
            return True
        return False

    def _take(self, topic: str, id: str, at: int, body: Any) -> None:
        """Apply a record. Routing writes a case in order, so a clock that was set back is corrected to the latest time before."""
        rule = MEANING.get(type(body))
        if rule is None and topic != ROUTING:
            return
        case = self._cases.get(id)
        if case is None:
            case = self._cases[id] = Case(id)
        if topic == ROUTING:
            case.back = at < case.since
            at = case.since = max(case.since, at)
            if case.back:
                self._meet("clock-back", id, at)
        runs = case.runs
        if rule is not None and (word := rule(case, body, at)):
            self._meet(word, id, at)
        if case.runs is not runs:
            self._runs.setdefault(case.runs[-1].pathway, []).append(case.runs[-1])
        if case.raised:
            self._raisers.add(id)

    def of(self, pathway: str, start: int, end: int) -> tuple[Course, ...]:
        """Return the children who began on a procedure from start until before end, µs UTC; always in the same order."""
        courses = [_course(runs) for runs in self._children(pathway) if start <= runs[0].began_at < end]
        return tuple(sorted(courses, key=lambda c: (c.began_at, c.municipality, c.sex, c.age_band, sorted(c.first.items()))))

    def pathways(self) -> tuple[str, ...]:
        """Return the procedures with at least one child."""
        return tuple(sorted(pathway for pathway, runs in self._runs.items() if runs))

    def months(self, start: int = EARLIEST) -> tuple[str, ...]:
        """Return the months in which a child began on a procedure, from start on, µs UTC."""
        return tuple(sorted({month(at) for at in self._begun() if at >= start}))

    def fulls(self, month: str, policy: Policy, now: int) -> tuple[Full, ...]:
        """Return, by role, the days of a month at whose end no place was free; days that end after `now` are ignored."""
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

    def counted(self, until: int, start: int = EARLIEST) -> Counter[str]:
        """Return what could not be counted before a time, µs UTC: erased cases and cases without a key, otherwise records.

        start: a begin before it falls in no period; its record counts as out of period.
        """
        met = Counter(word for words in self._met.values() for word, at in words if at < until)
        met["out-of-period"] += sum(at < min(start, until) for at in self._begun())
        met["erased"] = sum(NEVER != at < until for at in self._erased.values())
        met["key-gone"] = sum(at == NEVER for at in self._erased.values())
        met["drill"] = sum(count for hour, count in self.drills.items() if hour < until // HOUR_US)
        return +met

    def dump(self, id: str) -> bytes | None:
        """Return the state of a case as bytes; None: nothing of it is held, but that it is erased."""
        case = self._cases.get(id)
        met = self._met.get(id, [])
        return saved.dump(case or Case(id), met) if case is not None or met else None

    def load(self, id: str, state: bytes) -> None:
        """Take the state of a case that was dumped. Each case once, and before its next record."""
        case, met = saved.load(id, state)
        self._cases[id] = case
        for run in case.runs:
            self._runs.setdefault(run.pathway, []).append(run)
        if case.raised:
            self._raisers.add(id)
        if met:
            self._met[id] = met

    def erased(self, id: str) -> int | None:
        """Return when the case was erased, µs UTC, NEVER if only its key is gone; None: it is not."""
        return self._erased.get(id)

    def erase(self, id: str, at: int) -> None:
        """Take it that a case is erased. at: as `erased` returns it."""
        self._erase(id, at)

    def _begun(self) -> Iterator[int]:
        """Yield the begin of each child on each procedure."""
        return (runs[0].began_at for pathway in self._runs for runs in self._children(pathway))

    def _children(self, pathway: str) -> Iterator[list[Run]]:
        """Yield for each child its runs on a procedure, the earliest first. A case and all cases that it raised are one child."""
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
        """Count the case as erased and nowhere else. at: NEVER until an erasure was read."""
        self._erased[id] = at or self._erased.get(id, NEVER)
        self._met.pop(id, None)
        if (case := self._cases.pop(id, None)) is not None:
            for run in case.runs:
                self._runs[run.pathway].remove(run)


def _midnights(month: str) -> list[int]:
    """Return the end of each day of a month, µs UTC."""
    first, last = date.fromisoformat(f"{month}-01"), date.fromisoformat(f"{after(month)}-01")
    days = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    return [int(datetime(day.year, day.month, day.day, tzinfo=LOCAL).timestamp()) * 1_000_000 for day in days]


def _course(runs: list[Run]) -> Course:
    first: dict[str, int] = {}
    for run in runs:
        case = run.case
        for fact, at in (*zip(run.facts, run.times, strict=True), ("duplicate", case.joined), ("withdrawn", case.withdrawn)):
            if at != NEVER and (runs[0].timed or not fact.startswith("wait:")):
                first[fact] = min(at, first.get(fact, at))
    begun = runs[0]
    return Course(begun.pathway, begun.began_at, begun.municipality, begun.sex, begun.age_band, first)
