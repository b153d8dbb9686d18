"""The one clock: PostgreSQL's, plus the offset by which a drill is ahead. Nothing else asks for the time."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Rejected, Unavailable
from referral.runtime.settings import Settings

_NOW = text("SELECT runtime.clock(), runtime.moved()")
_MOVED = text("SELECT runtime.moved()")


class FalseClock(Unavailable):
    """Somebody moved the clock of a database that holds real cases. Nothing is decided, received or logged by it.

    Find out who wrote to runtime.clock, then set it right: UPDATE runtime.clock SET offset_us = 0. Services go on by themselves.
    """

    def __init__(self) -> None:
        super().__init__("the true time of this database (somebody moved runtime.clock)")


async def now(tx: AsyncConnection) -> int:
    """Now, µs UTC. FalseClock: the database's clock was moved, and it is no drill."""
    at, moved = await shown(tx)
    if moved:
        raise FalseClock
    return at


async def shown(tx: AsyncConnection) -> tuple[int, bool]:
    """For a diagnosis: (the time as the database has it, µs UTC; whether somebody moved it, though it is no drill)."""
    at, moved = (await tx.execute(_NOW)).one()
    return int(at), bool(moved)


async def true(tx: AsyncConnection) -> None:
    """FalseClock: the database's clock was moved, and it is no drill."""
    if (await tx.execute(_MOVED)).scalar_one():
        raise FalseClock


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
    """At start. Rejected: the database's clock was moved by a drill, and this process is none. FalseClock: somebody else moved it."""
    await true(tx)
    if not settings.drill_clock and await offset(tx):
        raise Rejected("drill-clock", "runtime.clock", "this database belongs to a drill: start with REFERRAL_DRILL_CLOCK=1 or use another")
