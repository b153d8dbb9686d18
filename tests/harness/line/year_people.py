"""The people of a year: who does what when, as `simulate` makes them up, but upon what the real line says.

So that a year fits into minutes, acts that may as well be done a little later are done together: a moment of the year is as late as the
most pressing of what waits allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec
from msgspec import Struct

from referral.analysis.simulation.caseload import Arrival, Caseload
from referral.analysis.simulation.reactions import REACTIONS, Live, Look
from referral.analysis.simulation.world import World
from referral.domain import events as e
from referral.domain.case import next_due
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.evolve import evolve
from referral.domain.policy import Policy

TOGETHER = 15
"""Days of which all referrals come on the first, at nine: the more come together, the fewer moments a year has."""
SLACK = 8 * MINUTE_US
PATIENCE = 2
"""What was to come after a while may come after so many times as long again."""
LATER = 12 * HOUR_US
"""What was to come after so long comes with the next referrals."""
DRILLS, DUPLICATES, WITHDRAWN = 3, 4, 4
"""How many of a hundred referrals are an exercise, are for a child that was referred before, or are taken back."""


class Crowd(Caseload, frozen=True, kw_only=True):
    """A caseload whose referrals come on a few days. days: of the year in which they come."""

    days: int = 365

    def arrivals(self) -> Iterator[Arrival]:
        for one in super().arrivals():
            day = (one.at - self.start) * self.days // (365 * DAY_US) // TOGETHER * TOGETHER
            yield msgspec.structs.replace(one, at=self.start + day * DAY_US + 9 * HOUR_US)


class Besides(Struct, frozen=True):
    """What no simulation does: `withdraw` a referral, refer `again`, `link` the two, `erase`."""

    what: str


class Waiting(NamedTuple):
    """at: from when on, latest: until when."""

    at: int
    latest: int
    live: Live
    item: Struct | int


class People(World):
    """drills: names of exercises. known: case id of the line → its live case. agreed: name → how it came."""

    def __init__(self, caseload: Caseload, policy: Policy) -> None:
        self.now, self._waiting = 0, dict[int, Waiting]()
        self._soon: list[tuple[int, int]] = []
        self._last: list[tuple[int, int]] = []
        super().__init__(caseload, policy)
        self.now = caseload.start
        self.known: dict[str, Live] = {}
        self.drills: set[str] = set()
        self.agreed: dict[str, Arrival] = {}

    def moment(self, until: int) -> tuple[int, list[tuple[Live, Struct, Struct]]] | None:
        """The next moment, µs UTC, and what is done in it, by whom and because of what; None where nothing is left before `until`."""
        while self._last and self._is_over(self._last[0][1]):
            self._waiting.pop(heappop(self._last)[1], None)
        if not self._last or self._last[0][0] >= until:
            return None
        self.now = max(self.now, self._last[0][0])
        done: list[tuple[Live, Struct, Struct]] = []
        while self._soon and self._soon[0][0] <= self.now:
            found = self._waiting.pop(heappop(self._soon)[1], None)
            if found is None or found.live.ended or isinstance(found.item, int):
                continue  # alarms go off by themselves
            body = self._said(found.live, found.item)
            if body is not None:
                found.live.inputs += 1
                done.append((found.live, body, found.item))
        return self.now, done

    def hears(self, case_id: str, event: Struct, at: int) -> None:
        """One event of the real line, in order; what somebody will do upon it."""
        live = self.known[case_id]
        live.case = evolve(live.case, event, case_id)
        react = REACTIONS.get(type(event))
        if react is not None:
            self._later(live, react(self._reaction(live, at), event))
        if isinstance(event, e.CaseRaised):
            number = live.again("raised")
            self.known[event.new_case_id] = Live(
                f"{live.name}.{number + 1}", event.new_case_id, at, event.pathway, event.traits.found_in, True
            )

    def heard(self, case_ids: set[str]) -> None:
        """Everything of this moment was heard: alarms are set, ended cases are left alone."""
        for case_id in case_ids:
            live = self.known[case_id]
            assert live.case is not None
            live.ended = live.case.closed
            due = next_due(live.case)
            if not live.ended and due is not None and due != live.alarm:
                live.alarm = due
                self._push(max(due, self.now), live, due)

    def again(self, live: Live, item: Struct) -> None:
        """A task that still stands after a desk has acted comes up again."""
        if isinstance(item, Look) and not live.ended:
            self._later(live, self._reaction(live, self.now).looks_again(item))

    def _said(self, live: Live, item: Struct) -> Struct | None:
        if isinstance(item, Besides):
            return item
        if isinstance(item, Arrival):
            self._besides(live, item)
        return self._body(live, item, self.now)

    def _besides(self, live: Live, arrival: Arrival) -> None:
        self.agreed[live.name] = arrival
        drill, again, back, _ = self._dice.throw(f"{live.name} besides")
        if drill * 100 < DRILLS:
            self.drills.add(live.name)
        elif again * 100 < DUPLICATES:
            self._push(self.now + DAY_US, live, Besides("again"))
        elif back * 100 < WITHDRAWN:
            self._push(self.now + 2 * HOUR_US, live, Besides("withdraw"))

    def comes_again(self, live: Live) -> tuple[Live, Struct]:
        """The same child is referred once more; the desk will see that it is the same."""
        arrival = self.agreed[live.name]
        twin = Live(f"{live.name}-again", "", self.now, live.pathway, live.place, False)
        body = self._body(twin, msgspec.structs.replace(arrival, name=twin.name), self.now)
        assert body is not None
        self._push(self.now + 3 * HOUR_US, live, Besides("link"))
        return twin, body

    def _is_over(self, number: int) -> bool:
        found = self._waiting.get(number)
        return found is None or bool(found.live.ended) or (isinstance(found.item, int) and found.live.alarm != found.item)

    def _push(self, at: int, live: Live, item: Struct | int) -> None:
        self._count += 1
        wait = max(at - self.now, 0) if self.now else 0
        latest = at + max(SLACK, min(PATIENCE * wait, 20 * DAY_US))
        if wait >= LATER and not isinstance(item, int) and (day := self._next_day(at)) <= latest:
            at, latest = day, day + SLACK
        self._waiting[self._count] = Waiting(at, latest, live, item)
        heappush(self._soon, (at, self._count))
        heappush(self._last, (latest, self._count))

    def _next_day(self, at: int) -> int:
        first, step = self.caseload.start + 9 * HOUR_US, TOGETHER * DAY_US
        return first - (first - at) // step * step
