"""Read the one clock of the system: PostgreSQL's, plus the offset of a drill. No other code reads the time."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Rejected, Unavailable
from referral.runtime.settings import Settings

MOVED = "runtime_clock"
"""Channel on which the processes of a drill hear that its clock was moved: alarms are due that they expected later."""
_NOW = text("SELECT runtime.clock(), runtime.moved()")
_MOVED = text("SELECT runtime.moved()")
_DRILLS = text("SELECT EXISTS (SELECT FROM runtime.settings WHERE name = 'drill' AND value = '1')")


class FalseClock(Unavailable):
    """Somebody moved the clock of a database with real cases. No service decides, receives or logs anything by it.

    Find out who wrote to runtime.clock, then correct it: UPDATE runtime.clock SET offset_us = 0. Services resume on their own.
    """

    def __init__(self) -> None:
        super().__init__("the true time of this database (somebody moved runtime.clock)")


async def now(tx: AsyncConnection) -> int:
    """Return the time, µs UTC. FalseClock: the database's clock was moved outside a drill."""
    at, moved = await shown(tx)
    if moved:
        raise FalseClock
    return at


async def shown(tx: AsyncConnection) -> tuple[int, bool]:
    """Return (the database's time, µs UTC; whether it was moved outside a drill), for a diagnosis."""
    at, moved = (await tx.execute(_NOW)).one()
    return int(at), bool(moved)


async def true(tx: AsyncConnection) -> None:
    """Check the clock. FalseClock: it was moved outside a drill."""
    if (await tx.execute(_MOVED)).scalar_one():
        raise FalseClock


async def drills(tx: AsyncConnection) -> bool:
    """Return whether the database is for drills alone, whose clock may be moved. The real line has exercises too, by the true clock."""
    return bool((await tx.execute(_DRILLS)).scalar_one())


async def offset(tx: AsyncConnection) -> int:
    """Return the offset of the drill, in µs; 0 outside a drill."""
    return int((await tx.execute(text("SELECT offset_us FROM runtime.clock"))).scalar_one())


async def advance(tx: AsyncConnection, settings: Settings, by: int) -> int:
    """Move the drill clock of the whole stack forward and return the new time, µs UTC.

    tx: the administrator's connection.
    by: µs, never negative.

    Rejected: outside a drill, or backwards.
    """
    if not settings.drill_clock:
        raise Rejected("no-drill", "REFERRAL_DRILL_CLOCK", "only a stack that was started with REFERRAL_DRILL_CLOCK=1 may pass time")
    if by < 0:
        raise Rejected("backwards", "by", "time only goes forward")
    await tx.execute(text("UPDATE runtime.clock SET offset_us = offset_us + :by"), {"by": by})
    await tx.execute(text(f"NOTIFY {MOVED}"))
    return await now(tx)


async def check(tx: AsyncConnection, settings: Settings) -> None:
    """Check at start that database and process agree about the drill clock.

    Rejected: a drill moved the database's clock, and this process is not part of a drill. FalseClock: somebody moved it outside a drill.
    """
    await true(tx)
    if not settings.drill_clock and await offset(tx):
        raise Rejected("drill-clock", "runtime.clock", "this database belongs to a drill: start with REFERRAL_DRILL_CLOCK=1 or use another")
