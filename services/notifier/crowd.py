"""Hold back knocks for what comes in crowds: many referrals to confirm at one desk are one knock, and one line of its inbox.

Nothing is lost: a knock that is held back leaves GATHER after the one that woke the desk, unless its task is settled or has climbed by then
(docs/decisions/0033-the-public-door.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.duty import Loudness
from services.notifier.plan import Plan, Question
from services.notifier.steps import URGENT_US, loudness

GATHER = 15 * 60 * 1_000_000
"""µs after a knock for which it stands for all that come at the same desk (P): as long as the desk has until its task climbs."""
_WOKEN = text(
    "SELECT a.agency, a.drill, a.due - d.planned_at <= CAST(:urgent AS bigint) AS urgent, max(d.planned_at) AS at FROM asked a"
    " JOIN delivery d ON d.asked = a.id AND d.rung = a.rung WHERE a.crowd AND a.state = 'OPEN' AND a.agency = ANY(:agencies)"
    " AND a.id <> ALL(:asked) AND d.planned_at BETWEEN :since AND :now GROUP BY 1, 2, 3"
)
Woken = dict[tuple[str, bool, bool], int]
"""(desk, drill, urgent) → µs of its last knock for a task of this kind that is still open."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """The desks that were knocked lately for tasks of this kind."""

    woken: Woken = field(default_factory=dict)

    def hold(self, planned: Plan, now: int) -> Plan:
        """Return the plan with its knocks held back, where the desk was knocked lately and at least as loudly; else note its knock."""
        asked = planned.asked
        if not asked.crowd or not planned.knocks:
            return planned
        urgent = loudness(asked.due, now) is Loudness.URGENT
        known = [at for (desk, drill, loud), at in self.woken.items() if (desk, drill) == (asked.agency, asked.drill) and loud >= urgent]
        if not known:
            self.woken[asked.agency, asked.drill, urgent] = now
            return planned
        later = max(known) + GATHER
        return replace(planned, knocks=tuple(replace(knock, at=max(knock.at, later)) for knock in planned.knocks))


async def load(tx: AsyncConnection, asked: Sequence[Question], now: int) -> Crowd:
    """Return the crowd around these questions; an empty one where none of them comes in crowds."""
    return Crowd(await _woken(tx, {one.agency for one in asked if one.crowd}, [one.id for one in asked], now))


async def _woken(tx: AsyncConnection, desks: Iterable[str], ids: list[str], now: int) -> Woken:
    agencies = sorted(desks)
    if not agencies:
        return {}
    values = {"agencies": agencies, "asked": ids, "now": now, "since": now - GATHER, "urgent": URGENT_US}
    return {(row.agency, row.drill, bool(row.urgent)): row.at for row in await tx.execute(_WOKEN, values)}
