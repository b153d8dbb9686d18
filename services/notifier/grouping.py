"""Group knocks: one message carries every waiting knock of a person who was knocked often in the last ten minutes.

A message only says "look at your inbox", so one message covers everything that waits there. No knock is refused or lost: each has its
own event in the log, with the reference of the message that carried it. An SMS and a call say how many wait: an answer counts for these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier import roster
from services.notifier.deliveries import ASKED, DECLINED, LOOKED, Claimed, question
from services.notifier.pace import pace
from services.notifier.plan import wanted

_RIDERS = (
    "WITH told AS (SELECT count(DISTINCT reference) AS messages FROM delivery WHERE person = :person AND channel = :channel"  # noqa: S608
    " AND drill = :drill AND state = 'SENT' AND ended_at > CAST(:now AS bigint) - :window)"
    f" SELECT d.id AS delivery, d.reference AS own, d.again, d.rung AS at_rung, {ASKED} FROM delivery d JOIN asked a ON a.id = d.asked"
    " WHERE d.person = :person AND d.channel = :channel AND d.drill = :drill AND d.state = 'WAITING' AND d.lease_until IS NULL"
    " AND NOT d.thrown AND d.due_at <= :now AND a.state = 'OPEN' AND NOT a.stopped AND a.rung = d.rung"
    " AND (:apart OR (SELECT messages FROM told) >= :many)"
    f" AND NOT {LOOKED} AND NOT {DECLINED}"
    " AND NOT EXISTS (SELECT FROM pause WHERE ended_at IS NULL) AND (CAST(:only AS bigint[]) IS NULL OR d.id = ANY(:only)) ORDER BY d.id"
)
_AHEAD, _TAKE = text(_RIDERS), text(f"{_RIDERS} FOR UPDATE OF d SKIP LOCKED")
_RIDE = text("UPDATE delivery SET state = 'SENT', ended_at = :now, reason = NULL, reference = :reference WHERE id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class Carried:
    """A knock that the message of another knock carried. own: its own reference, from which its event id is derived."""

    claimed: Claimed
    own: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """The deliveries that a message would carry. unconfirmed: all of them are about what nobody has confirmed."""

    ids: tuple[int, ...]
    unconfirmed: bool


async def ahead(tx: AsyncConnection, leader: Claimed, now: int) -> Ahead:
    """Return the deliveries that a message would carry now, before it is sent."""
    rows = await _riders(tx, _AHEAD, leader, now, None)
    return Ahead(tuple(row.delivery for row in rows), all(question(row).unconfirmed for row in rows))


async def ride(tx: AsyncConnection, leader: Claimed, now: int, only: Sequence[int] | None = None) -> list[Carried]:
    """Mark as sent the deliveries that wait for the same person and channel, if that person was knocked often. leader: was sent just now.

    only: those of which the message has spoken, by `ahead`; None: all.
    A question for which the person is not on duty keeps waiting: its own attempt looks for the people who are.
    """
    rows = await _riders(tx, _TAKE, leader, now, only)
    if rows:
        await tx.execute(_RIDE, {"ids": [row.delivery for row in rows], "now": now, "reference": leader.reference})
    return [
        Carried(replace(leader, id=r.delivery, asked=r.id, case_id=r.case_id, task=r.task, rung=r.at_rung, again=r.again), r.own)
        for r in rows
    ]


async def _riders(tx: AsyncConnection, which: TextClause, leader: Claimed, now: int, only: Sequence[int] | None) -> list[Any]:
    limits = pace(leader.channel)
    values = {
        "person": leader.person,
        "channel": leader.channel,
        "drill": leader.drill,
        "now": now,
        "window": limits.window * 1_000_000,
        "many": limits.many,
        "apart": limits.gap > 0,
        "only": None if only is None else list(only),
    }
    rows = (await tx.execute(which, values)).all()
    staff = await roster.load(tx, {row.agency for row in rows}) if rows else None
    return [row for row in rows if staff is not None and wanted(question(row), row.at_rung, leader.person, staff, now)]
