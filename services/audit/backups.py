"""Show operators how old the last backup is, and how far the archive and the standbys are behind."""

from __future__ import annotations

import math

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime.background import every
from referral.runtime.postgres import backups

LOOK_S = 15.0
"""Seconds between two looks (ours): as often as Prometheus reads."""
AGE = Gauge("referral_backup_age_seconds", "Age of the last good backup; +Inf: none was ever taken. An exercise without backups shows 0.")
"""Worry above 26 hours: a lost database is lost back to there, or as far as the archive goes."""
WAITING = Gauge("referral_wal_waiting_bytes", "Bytes of the write-ahead log that the reader of a slot has not got.", ["slot"])
"""Worry above 64 MiB for five minutes: the archive or that standby is away or too slow, and the server's disk fills up."""


class BackupWatch:
    """The watch of one process; every instance of audit shows the same. drill: the database is for exercises, which need no backup."""

    def __init__(self, engine: AsyncEngine, *, drill: bool) -> None:
        self._engine, self._drill = engine, drill

    async def run(self) -> None:
        """Look until cancelled. The loop's own readiness says that the database is away."""
        await every(LOOK_S, self._look, "no look at backups", service="audit")

    async def _look(self) -> None:
        async with self._engine.connect() as tx:
            found = await backups.read(tx)
        AGE.set(found.age_s if found.age_s is not None else 0.0 if self._drill else math.inf)
        WAITING.clear()
        for slot, waiting in found.waiting.items():
            WAITING.labels(slot).set(waiting)
