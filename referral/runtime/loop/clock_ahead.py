"""Measure how far the clock of this process's machine is ahead of the database's, by which everything is decided."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime import observe

EVERY_S = 15.0
"""Seconds between two questions (ours): the alert waits for minutes."""
SURE_S = 1.0
"""Longest answer (ours) from which a difference of clocks is taken: it is uncertain by half of that, and the alert is at five seconds."""
_NOW = text("SELECT extract(epoch FROM clock_timestamp())::float8")


async def follow(engine: AsyncEngine, service: str, clock: Callable[[], float] = time.time) -> None:  # noqa: TID251 - this measures it
    """Measure until cancelled. What fails is logged, and the last value stays.

    clock: seconds UTC by this machine's clock.
    """
    while True:
        try:
            async with engine.connect() as tx:
                await tx.execute(text("SELECT 1"))  # a new connection takes its time now, and not in the measurement
                asked = clock()
                there = (await tx.execute(_NOW)).scalar_one()
                answered = clock()
            if abs(answered - asked) <= SURE_S:
                observe.CLOCK_AHEAD.labels(service).set((asked + answered) / 2 - there)
        except Exception as error:
            observe.log().warning("clock not measured", service=service, kind=type(error).__name__, where=observe.where(error))
        await asyncio.sleep(EVERY_S)
