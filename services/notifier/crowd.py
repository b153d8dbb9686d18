"""Hold back knocks for what comes in crowds: many referrals to confirm at one desk are one knock, one line of its inbox; many reports of
danger that nobody has confirmed are one knock at one station, with their number.

Nothing is lost: a knock that is held back leaves GATHER after the one that woke the desk, or STATION_GAP after the one that rang the
station, unless what it is about is settled, answered or has climbed by then (docs/decisions/0033-the-public-door.md, 0097).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import HOUR_US
from services.notifier.duty import Loudness
from services.notifier.plan import Plan, Question
from services.notifier.steps import URGENT_US, loudness

GATHER = 15 * 60 * 1_000_000
"""µs after a knock for which it stands for all that come at the same desk (P): as long as the desk has until its task climbs."""
RINGS_AN_HOUR = 6
"""Knocks an hour at one rung of an agency for what nobody has confirmed (P): whoever has many networks rings a station no more often."""
STATION_GAP = HOUR_US // RINGS_AN_HOUR
"""µs between two of them: a true report among many is told within ten minutes. A third of the time to acknowledge (15 min) is left then."""
_WOKEN = text(
    "SELECT a.agency, a.drill, a.due - d.planned_at <= CAST(:urgent AS bigint) AS urgent, max(d.planned_at) AS at FROM asked a"
    " JOIN delivery d ON d.asked = a.id AND d.rung = a.rung WHERE a.crowd AND a.task AND a.state = 'OPEN' AND a.agency = ANY(:agencies)"
    " AND a.id <> ALL(:asked) AND d.planned_at BETWEEN :since AND :now GROUP BY 1, 2, 3"
)
_RUNG = text(  # a round begins with its first message; one that is planned counts too, and what has been answered has rung all the same
    "SELECT agency, drill, rung, max(at) AS at FROM (SELECT a.agency, a.drill, d.rung, min(d.planned_at) AS at FROM asked a"
    " JOIN delivery d ON d.asked = a.id WHERE a.crowd AND NOT a.task AND a.agency = ANY(:agencies) AND d.planned_at > :since"
    " AND d.state <> 'DROPPED' GROUP BY a.agency, a.drill, d.rung, d.asked, d.again) AS round GROUP BY agency, drill, rung"
)
Woken = dict[tuple[str, bool, bool], int]
"""(desk, drill, urgent) → µs of its last knock for a task of this kind that is still open."""
Rung = dict[tuple[str, bool, int], int]
"""(agency, drill, rung) → µs of its last knock for what nobody has confirmed; later than now: the one that waits."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """The desks that were knocked lately for tasks of this kind, and the stations that were rung for what nobody has confirmed."""

    woken: Woken = field(default_factory=dict)
    rung: Rung = field(default_factory=dict)

    def hold(self, planned: Plan, now: int) -> Plan:
        """Return the plan with its knocks held back, where the desk was knocked lately and at least as loudly; else note its knock."""
        asked = planned.asked
        if not asked.crowd or not planned.knocks:
            return planned
        if asked.unconfirmed:
            return self._next(planned, now)
        urgent = loudness(asked.due, now) is Loudness.URGENT
        known = [at for (desk, drill, loud), at in self.woken.items() if (desk, drill) == (asked.agency, asked.drill) and loud >= urgent]
        if not known:
            self.woken[asked.agency, asked.drill, urgent] = now
            return planned
        later = max(known) + GATHER
        return replace(planned, knocks=tuple(replace(knock, at=max(knock.at, later)) for knock in planned.knocks))

    def _next(self, planned: Plan, now: int) -> Plan:
        """Return the plan with its knocks in the next round of the station: at once, where none was lately. The steps of a round keep their
        distance."""
        asked = planned.asked
        last = self.rung.get((asked.agency, asked.drill, asked.rung))
        at = now if last is None else last if last > now else max(now, last + STATION_GAP)
        self.rung[asked.agency, asked.drill, asked.rung] = at
        return replace(planned, knocks=tuple(replace(knock, at=knock.at + at - now) for knock in planned.knocks))


async def load(tx: AsyncConnection, asked: Sequence[Question], now: int) -> Crowd:
    """Return the crowd around these questions; an empty one where none of them comes in crowds."""
    ids, desks = [one.id for one in asked], {one.agency for one in asked if one.crowd and one.task}
    return Crowd(await _woken(tx, desks, ids, now), await _rung(tx, {one.agency for one in asked if one.unconfirmed}, now))


async def _woken(tx: AsyncConnection, desks: Iterable[str], ids: list[str], now: int) -> Woken:
    agencies = sorted(desks)
    if not agencies:
        return {}
    values = {"agencies": agencies, "asked": ids, "now": now, "since": now - GATHER, "urgent": URGENT_US}
    return {(row.agency, row.drill, bool(row.urgent)): row.at for row in await tx.execute(_WOKEN, values)}


async def _rung(tx: AsyncConnection, stations: Iterable[str], now: int) -> Rung:
    agencies = sorted(stations)
    if not agencies:
        return {}
    rows = await tx.execute(_RUNG, {"agencies": agencies, "since": now - STATION_GAP})
    return {(row.agency, row.drill, row.rung): row.at for row in rows}
