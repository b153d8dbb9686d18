"""Measure the age of the oldest queue row or outbox blob that a service has not published yet, also while its loop is blocked, and drop
the published ones that the log has."""

from __future__ import annotations

import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime.background import every
from referral.runtime.loop import outbox
from referral.runtime.postgres import database

EVERY_S = 5.0
"""Seconds between two measurements (ours): the alert is at thirty."""
_OLDEST = text("SELECT coalesce(runtime.clock() - min(oldest), 0) FROM waiting")


class OutboxAge:
    """The age of unsent queue rows and unconfirmed blobs, over all instances of the service."""

    def __init__(self, engine: AsyncEngine, service: str, writes: str | None) -> None:
        """service: its name, for the log. writes: the service's own topic, if it has one."""
        self._engine, self._service, self._writes = database.single(engine), service, writes
        self._age, self._asked = 0.0, time.monotonic()

    async def follow(self) -> None:
        """Measure until cancelled. After a failure the last age goes on growing."""
        await every(EVERY_S, self._measure, "outbox not measured", service=self._service)

    async def _measure(self) -> None:
        async with self._engine.connect() as tx:
            age = float((await tx.execute(_OLDEST)).scalar_one()) / 1_000_000
            self._age, self._asked = age, time.monotonic()
            if self._writes:
                await outbox.forget(tx, self._writes)

    def seconds(self) -> float:
        """Return the age of the oldest one now, in seconds; 0 when nothing waited at the last measurement."""
        return self._age + time.monotonic() - self._asked if self._age else 0.0
