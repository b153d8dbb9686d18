"""Timers: fire the alarm of a case, its earliest due time, only after the inputs that arrived before it were read.

So an answer that arrived in time beats its deadline. Two conditions, in this order: the services with doors have nothing unpublished that
is older than the due time (the views of `Service.waits_for`; at most CAP seconds, because a dead door must not stop escalation); and the
inputs were read up to end offsets that were queried after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.loop.units import Place

NOTHING = "SELECT 0 AS partition, NULL::bigint AS oldest WHERE false"
DUE = (
    "WITH t AS MATERIALIZED (SELECT runtime.clock() AS now)"
    " SELECT t.now, n.at, a.case_id, a.partition, a.at, w.oldest FROM t LEFT JOIN LATERAL"
    " (SELECT min(f.at) AS at FROM unnest(CAST(:parts AS int[])) AS p(n) CROSS JOIN LATERAL"
    "  (SELECT at FROM alarm WHERE partition = p.n AND at > t.now ORDER BY at LIMIT 1) AS f) AS n ON true LEFT JOIN LATERAL"
    " (SELECT alarm.* FROM unnest(CAST(:parts AS int[])) AS p(n) CROSS JOIN LATERAL"
    "  (SELECT * FROM alarm WHERE partition = p.n AND at <= t.now ORDER BY at LIMIT :each) AS alarm) AS a ON true"
    " LEFT JOIN (WAITING) AS w ON w.partition = a.partition ORDER BY a.at"
)
CAP = 30.0  # monotonic seconds for which an alarm is held back at most
REST = 2.0
"""Longest time (ours, seconds) between two polls of queue and alarms while nothing happens. What comes is notified, and the next alarm is
known; a notification is lost when its sender dies between commit and NOTIFY, and its row waits for this poll."""


class Due(NamedTuple):
    """A due alarm. at: its due time, µs UTC. oldest: when the oldest unpublished input of its partition arrived at the door; None: none."""

    case_id: str
    partition: int
    at: int
    oldest: int | None


@dataclass(slots=True)
class Barrier:
    """End offsets that were queried at the batch clock `asked`: alarms due by then may fire once the inputs were read up to them."""

    asked: int
    ends: Mapping[Place, int]


@dataclass(slots=True)
class Gate:
    """The gate that holds back alarms, by partition. Pure: times and offsets are arguments. late: held back for CAP."""

    held_since: dict[int, float] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    barriers: dict[int, Barrier] = field(default_factory=dict)

    def unheld(self, due: list[Due], mono: float) -> list[Due]:
        """Return the alarms for which nothing older waits at the door, or has waited longer than CAP. mono: monotonic seconds."""
        held = {d.partition for d in due if d.oldest is not None and d.oldest <= d.at}
        self.held_since = {p: self.held_since.get(p, mono) for p in held}
        self.late = {p for p, since in self.held_since.items() if mono - since >= CAP}
        return [d for d in due if d.oldest is None or d.oldest > d.at or d.partition in self.late]

    def vouches(self, partition: int, due: list[Due], now: int) -> int:
        """Return up to which due time end offsets that are asked for now vouch, µs. now: batch clock.

        An alarm that is held back now waits for an input that is not in those ends yet: it needs others.
        """
        waits = [d.oldest for d in due if d.partition == partition and d.oldest is not None and d.oldest <= d.at]
        capped = partition in self.late
        return now if capped else min([now, *(oldest - 1 for oldest in waits)])

    def unasked(self, due: list[Due]) -> set[int]:
        """Return the partitions whose end offsets must be queried now."""
        return {d.partition for d in due} - self.barriers.keys()

    def ready(self, due: list[Due], read: Mapping[Place, int]) -> list[Due]:
        """Return the alarms that may fire now, and drop the barriers that were reached. read: next offset of each place."""
        reached = {p for p, b in self.barriers.items() if all(read.get(place, 0) >= end for place, end in b.ends.items())}
        fire = [d for d in due if d.partition in reached and d.at <= self.barriers[d.partition].asked]
        for partition in reached:
            del self.barriers[partition]
        return fire


def rest(now: int, after: int | None) -> float:
    """Return the seconds until the next poll. now, after: the batch clock, and the time of the first alarm after it, µs; None: no alarm."""
    return REST if after is None else min(REST, (after - now) / 1_000_000)


async def due(tx: AsyncConnection, partitions: list[int], views: tuple[str, ...], limit: int) -> tuple[int, int | None, list[Due]]:
    """Return (batch clock, time of the first alarm after it, due alarms by due time): at most limit, the same number for each partition.

    views: those of unpublished inputs that alarms wait for; empty: no such wait.
    """
    values = {"parts": partitions, "each": max(1, limit // max(1, len(partitions)))}
    doors = " UNION ALL ".join(f"SELECT partition, oldest FROM {view}" for view in views)  # noqa: S608 (constants of the code)
    waiting = f"SELECT partition, min(oldest) AS oldest FROM ({doors}) AS door GROUP BY partition" if views else NOTHING  # noqa: S608
    rows = (await tx.execute(text(DUE.replace("WAITING", waiting)), values)).all()
    return rows[0][0], rows[0][1], [Due(*row[2:]) for row in rows if row[2] is not None]
