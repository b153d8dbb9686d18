"""The one clock: PostgreSQL's, plus the offset by which a drill is ahead. Nothing else asks for the time."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Rejected
from referral.runtime.settings import Settings


async def now(tx: AsyncConnection) -> int:
    """Now, µs UTC."""
    return int((await tx.execute(text("SELECT runtime.clock()"))).scalar_one())


async def offset(tx: AsyncConnection) -> int:
    """By how many µs the drill is ahead; 0 outside a drill."""
    return int((await tx.execute(text("SELECT offset_us FROM runtime.clock"))).scalar_one())


async def advance(tx: AsyncConnection, settings: Settings, by: int) -> int:
    """Pass time: by µs, forward only, for the whole stack. Takes the admin's connection. Rejected outside a drill."""
    if not settings.drill_clock:
        raise Rejected("no-drill", "REFERRAL_DRILL_CLOCK", "only a stack that was started with REFERRAL_DRILL_CLOCK=1 may pass time")
    if by < 0:
        raise Rejected("backwards", "by", "time only goes forward")
    await tx.execute(text("UPDATE runtime.clock SET offset_us = offset_us + :by"), {"by": by})
    return await now(tx)


async def check(tx: AsyncConnection, settings: Settings) -> None:
    """At start. Rejected: the database's clock was moved by a drill, and this process is none."""
    if not settings.drill_clock and await offset(tx):
        raise Rejected("drill-clock", "runtime.clock", "this database belongs to a drill: start with REFERRAL_DRILL_CLOCK=1 or use another")
