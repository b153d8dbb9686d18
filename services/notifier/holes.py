"""Count the holes that have begun: urgent questions that wait at a rung where no loud channel reaches anybody who is on duty now.

Duty is computed here alone, so the count is kept in one row; the watchman, which reads no roster, finds it in `notifier.watch`.
"""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.runtime.background import attempt
from referral.runtime.postgres import clock, database
from services.notifier import roster
from services.notifier.hush import Hush
from services.notifier.plan import Question, unheard
from services.notifier.steps import URGENT_US

EVERY_SECONDS = 8.0
"""Seconds between two counts (ours), by whichever instance comes first: with the watchman's minute and a call, a hole is told in 90 s."""
_DUE = text("SELECT EXISTS (SELECT FROM hole WHERE counted_at <= clock_timestamp() - make_interval(secs => :every))")
_TURN = text(
    "SELECT count FROM hole WHERE counted_at <= clock_timestamp() - make_interval(secs => :every)"
    " FOR UPDATE SKIP LOCKED"  # an instance that was stopped in the middle of its count must not stop the others
)
_FIELDS = ", ".join(Question.__dataclass_fields__)
_URGENT = text(
    f"SELECT {_FIELDS} FROM asked WHERE state = 'OPEN' AND NOT taken AND NOT once AND due <= :until"  # noqa: S608 - field names
)
_BEGIN = text(
    "UPDATE hole SET counted_at = CASE WHEN :loud THEN greatest(counted_at, clock_timestamp() - interval '1 minute') ELSE '-infinity' END"
)
_COUNTED = text("UPDATE hole SET count = :count, counted_at = clock_timestamp()")


async def run(engine: AsyncEngine, loud: frozenset[str], hush: Hush | None = None) -> None:
    """Count until cancelled. loud: the channels that wake somebody and are set up; without any, nothing is a hole, and this ends.

    hush: an exercise that may wake nobody now has no hole; None in a stack for drills alone.

    It says first whether it will count, so that the watchman knows whether to expect it.
    """
    begun, reading = False, database.single(engine)

    async def turn() -> None:
        nonlocal begun
        async with reading.connect() as tx:
            due = not begun or (await tx.execute(_DUE, {"every": EVERY_SECONDS})).scalar_one()
        if due:
            async with engine.begin() as tx:
                await (look(tx, loud, hush=hush) if begun else tx.execute(_BEGIN, {"loud": bool(loud)}))
        begun = True

    while loud or not begun:
        await attempt(turn, "holes not counted", service="notifier")
        await asyncio.sleep(EVERY_SECONDS / 4)


async def look(tx: AsyncConnection, loud: frozenset[str], every: float = EVERY_SECONDS, hush: Hush | None = None) -> bool:
    """Count once. False: another instance has just done so."""
    if (await tx.execute(_TURN, {"every": every})).one_or_none() is None:
        return False
    now = await clock.now(tx)
    rows = (await tx.execute(_URGENT, {"until": now + URGENT_US})).mappings().all()
    asked = [msgspec.convert(dict(row), Question) for row in rows]
    staff = await roster.load(tx, {one.agency for one in asked})
    counted = [one for one in asked if hush is None or not hush.hushes(one, staff.nights, now)]
    await tx.execute(_COUNTED, {"count": sum(unheard(one, staff, now, loud) for one in counted)})
    return True
