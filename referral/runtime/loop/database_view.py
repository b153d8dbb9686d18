"""Ask the database what only it knows about the machines: the time by its clock, and how far its standbys are behind."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime import observe

EVERY_S = 15.0
"""Seconds between two questions (ours): the alerts wait for minutes."""
SURE_S = 1.0
"""Longest answer (ours) from which a difference of clocks is taken: it is uncertain by half of that, and the alert is at five seconds."""
_SEEN = text(
    "SELECT extract(epoch FROM clock_timestamp())::float8 AS now, slot_name AS slot,"
    " pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS behind"
    " FROM (VALUES (true)) AS once LEFT JOIN pg_replication_slots ON slot_type = 'physical' AND restart_lsn IS NOT NULL"
)


async def follow(engine: AsyncEngine, service: str, clock: Callable[[], float] = time.time) -> None:  # noqa: TID251 - this measures it
    """Measure until cancelled. While the database is away the last values stay: the loop reports that.

    clock: seconds UTC by this machine's clock.
    """
    known: set[str] = set()
    while True:
        with contextlib.suppress(Exception):
            async with engine.connect() as tx:
                await tx.execute(text("SELECT 1"))  # a new connection takes its time now, and not in the measurement
                asked = clock()
                rows = (await tx.execute(_SEEN)).all()
                answered = clock()
            if abs(answered - asked) <= SURE_S:
                observe.CLOCK_AHEAD.labels(service).set((asked + answered) / 2 - rows[0].now)
            behind = {row.slot: row.behind for row in rows if row.slot is not None}
            for slot in known - behind.keys():
                observe.STANDBY_BEHIND.remove(service, slot)
            for slot, count in behind.items():
                observe.STANDBY_BEHIND.labels(service, slot).set(count)
            known = set(behind)
        await asyncio.sleep(EVERY_S)
