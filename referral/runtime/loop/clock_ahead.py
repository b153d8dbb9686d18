"""Measure how far the clock of this process's machine is ahead of the database's, by which everything is decided."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime import observe
from referral.runtime.background import every

EVERY_S = 15.0
"""Seconds between two questions (ours): the alert waits for minutes."""
SURE_S = 1.0
"""Longest answer (ours) from which a difference of clocks is taken: it is uncertain by half of that, and the alert is at five seconds."""
_NOW = text("SELECT extract(epoch FROM clock_timestamp())::float8")


async def follow(engine: AsyncEngine, service: str, clock: Callable[[], float] = time.time) -> None:  # noqa: TID251 - this measures it
    """Measure until cancelled. After a failure the last value stays. clock: seconds UTC by this machine's clock."""
    await every(EVERY_S, partial(_measure, engine, service, clock), "clock not measured", service=service)


async def _measure(engine: AsyncEngine, service: str, clock: Callable[[], float]) -> None:
    async with engine.connect() as tx:
        await tx.execute(text("SELECT 1"))  # a new connection takes its time now, and not in the measurement
        asked = clock()
        there = (await tx.execute(_NOW)).scalar_one()
        answered = clock()
    if abs(answered - asked) <= SURE_S:
        observe.CLOCK_AHEAD.labels(service).set((asked + answered) / 2 - there)
