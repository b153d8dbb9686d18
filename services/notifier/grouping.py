"""One message for many knocks: whoever has just been woken often is told of the rest by one message, never of less.

A message says nothing but "look at your inbox", so one stands for all that wait there. Nobody's knock is refused or forgotten: each has its
own line in the log, with the reference of the message that carried it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.deliveries import STILL, Claimed
from services.notifier.often import MANY, WINDOW_S

_RIDE = text(
    "WITH told AS (SELECT count(DISTINCT reference) AS messages FROM delivery WHERE person = :person AND channel = :channel"  # noqa: S608
    " AND drill = :drill AND state = 'SENT' AND ended_at > CAST(:now AS bigint) - :window),"
    " riders AS (SELECT d.id, d.reference AS own FROM delivery d JOIN asked a ON a.id = d.asked LEFT JOIN person p ON p.account = d.person"
    " WHERE d.person = :person AND d.channel = :channel AND d.drill = :drill AND d.state = 'WAITING' AND d.lease_until IS NULL"
    f" AND d.due_at <= :now AND {STILL} AND (SELECT messages FROM told) >= :many ORDER BY d.id FOR UPDATE OF d SKIP LOCKED)"
    " UPDATE delivery d SET state = 'SENT', ended_at = :now, reason = NULL, reference = :reference FROM riders WHERE d.id = riders.id"
    " RETURNING d.id, d.asked, d.case_id, d.task, d.rung, d.again, riders.own"
)


@dataclass(frozen=True, slots=True)
class Carried:
    """A knock that a message of another one carried. own: the reference that it had, by which its event is known."""

    claimed: Claimed
    own: str


async def ride(tx: AsyncConnection, leader: Claimed, now: int) -> list[Carried]:
    """Mark as sent what waits for the same person by the same channel, where that person was woken often. leader: has just left."""
    values = {
        "person": leader.person,
        "channel": leader.channel,
        "drill": leader.drill,
        "now": now,
        "window": WINDOW_S * 1_000_000,
        "many": MANY,
        "reference": leader.reference,
    }
    rows = (await tx.execute(_RIDE, values)).all()
    return [
        Carried(replace(leader, id=r.id, asked=r.asked, case_id=r.case_id, task=r.task, rung=r.rung, again=r.again), r.own) for r in rows
    ]
