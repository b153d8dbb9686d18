"""Let the line's clock stand still in a test's database. `postgres.clock.advance`, and nothing else, moves it on."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.postgres import clock

STILL = (
    "CREATE OR REPLACE FUNCTION runtime.clock() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE AS"
    " 'SELECT offset_us FROM runtime.clock'",
    "CREATE OR REPLACE FUNCTION keys.today() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = ''"
    " AS 'SELECT offset_us FROM runtime.clock'",
)
"""The functions by which everything tells the time, as those of shared.sql, but that only the offset counts."""


async def stand_still(tx: AsyncConnection, at: int | None = None) -> int:
    """Show one time, µs UTC, from now on, and return it. tx: the administrator's connection to a database for drills, the test's own.

    at: the time; by default the present one.
    """
    shown = await clock.now(tx) if at is None else at
    for function in STILL:
        await tx.exec_driver_sql(function)
    await tx.execute(text("UPDATE runtime.clock SET offset_us = :at"), {"at": shown})
    return shown
