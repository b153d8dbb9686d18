"""Group knocks: one message carries every waiting knock of a person who was knocked often in the last ten minutes.

A message only says "look at your inbox", so one message covers everything that waits there. No knock is refused or lost: each has its
own event in the log, with the reference of the message that carried it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier import roster
from services.notifier.deliveries import ASKED, DECLINED, LOOKED, Claimed, question
from services.notifier.pace import pace
from services.notifier.plan import wanted

_RIDERS = text(
    "WITH told AS (SELECT count(DISTINCT reference) AS messages FROM delivery WHERE person = :person AND channel = :channel"  # noqa: S608
    " AND drill = :drill AND state = 'SENT' AND ended_at > CAST(:now AS bigint) - :window)"
    f" SELECT d.id AS delivery, d.reference AS own, d.again, d.rung AS at_rung, {ASKED} FROM delivery d JOIN asked a ON a.id = d.asked"
    " WHERE d.person = :person AND d.channel = :channel AND d.drill = :drill AND d.state = 'WAITING' AND d.lease_until IS NULL"
    " AND NOT d.thrown AND d.due_at <= :now AND a.state = 'OPEN' AND NOT a.stopped AND a.rung = d.rung"
    " AND (:apart OR (SELECT messages FROM told) >= :many)"
    f" AND NOT {LOOKED} AND NOT {DECLINED}"
    " AND NOT EXISTS (SELECT FROM pause WHERE ended_at IS NULL) ORDER BY d.id FOR UPDATE OF d SKIP LOCKED"
)
_RIDE = text("UPDATE delivery SET state = 'SENT', ended_at = :now, reason = NULL, reference = :reference WHERE id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class Carried:
    """A knock that the message of another knock carried. own: its own reference, from which its event id is derived."""

    claimed: Claimed
    own: str


async def ride(tx: AsyncConnection, leader: Claimed, now: int) -> list[Carried]:
    """Mark as sent the deliveries that wait for the same person and channel, if that person was knocked often. leader: was sent just now.

    A question for which the person is not on duty keeps waiting: its own attempt looks for the people who are.
    """
    limits = pace(leader.channel)
    values = {
        "person": leader.person,
        "channel": leader.channel,
        "drill": leader.drill,
        "now": now,
        "window": limits.window * 1_000_000,
        "many": limits.many,
        "apart": limits.gap > 0,
    }
    rows = (await tx.execute(_RIDERS, values)).all()
    if not rows:
        return []
    staff = await roster.load(tx, {row.agency for row in rows})
    rows = [row for row in rows if wanted(question(row), row.at_rung, leader.person, staff, now)]
    await tx.execute(_RIDE, {"ids": [row.delivery for row in rows], "now": now, "reference": leader.reference})
    return [
        Carried(replace(leader, id=r.delivery, asked=r.id, case_id=r.case_id, task=r.task, rung=r.at_rung, again=r.again), r.own)
        for r in rows
    ]
