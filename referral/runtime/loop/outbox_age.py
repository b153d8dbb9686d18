"""Measure how long the oldest thing that a service took or committed has waited for its topic, also while its loop stands still."""

from __future__ import annotations

import asyncio
import contextlib
import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

EVERY = 3.0
"""Seconds between two looks (ours): the alarm is at thirty."""
_OLDEST = text("SELECT coalesce(runtime.clock() - min(oldest), 0) FROM waiting")


class Waiting:
    """Queue rows that are not sent and blobs that are not confirmed, of the whole service."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._age, self._asked = 0.0, time.monotonic()

    async def follow(self) -> None:
        """Look until cancelled. While the database is away, what waited goes on waiting."""
        while True:
            with contextlib.suppress(Exception):  # the loop says that the database is away; the age goes on growing
                async with self._engine.connect() as tx:
                    age = float((await tx.execute(_OLDEST)).scalar_one()) / 1_000_000
                self._age, self._asked = age, time.monotonic()
            await asyncio.sleep(EVERY)

    def seconds(self) -> float:
        """The age of the oldest one now; 0 when nothing waited at the last look."""
        return self._age + time.monotonic() - self._asked if self._age else 0.0
