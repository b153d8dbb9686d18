"""Look at the line: one row of counters from the database, and the end of each partition from the broker. Neither can hold a look up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text

from referral.runtime.kafka import clients
from referral.runtime.observe import log, where
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from services.watchman.alarms import Counters

ANSWER_S = 5.0
"""Seconds (ours) for one answer of the database or the broker; longer ones count as none: both take milliseconds, and a connection
over a bad line a second."""
ROLE = "watchman"
READS = ("referral-routing", "referral-intake")
"""The topics that the notifier reads."""
_WATCH = text("SELECT alive, paused, unknocked, late, away, positions, holes, counted, canary FROM notifier.watch")
T = TypeVar("T")


class Sources:
    """The database and the broker of the line."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = database.engine(settings, ROLE, size=1)
        self._reader: AIOKafkaConsumer | None = None
        counts = {name: card.partitions for name, card in clients.wanted(settings).items()}
        self._places = [(topic, partition) for topic in READS for partition in range(counts[topic])]

    async def look(self) -> tuple[Counters | None, Mapping[str, int] | None]:
        """Return the counters and the end offsets; None for whatever does not answer.

        The ends come first: a record that arrives in between is then no lag.
        """
        ends = await _limited("broker", self._ends())
        if ends is None and self._reader is not None:
            reader, self._reader = self._reader, None
            await clients.halt(reader)
        counters = await _limited("database", self._counters())
        if counters is None:
            await self._engine.dispose(close=False)  # its connections may hang; they end with their sockets
        return counters, ends

    async def close(self) -> None:
        """Close both connections."""
        if self._reader is not None:
            await clients.halt(self._reader)
        await database.close(self._engine)

    async def _counters(self) -> Counters:
        async with self._engine.connect() as tx:
            row = (await tx.execute(_WATCH)).one()
        return Counters(row.alive, row.paused, row.unknocked, row.late, tuple(row.away), row.positions, row.holes, row.counted, row.canary)

    async def _ends(self) -> Mapping[str, int]:
        if self._reader is None:
            reader = clients.consumer(self._settings)
            try:
                await reader.start()
            except BaseException:
                await clients.halt(reader)
                raise
            self._reader = reader
        asked = {TopicPartition(self._settings.topic(topic), partition): f"{topic}/{partition}" for topic, partition in self._places}
        return {asked[tp]: end for tp, end in (await self._reader.end_offsets(list(asked))).items()}


async def _limited(what: str, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what the work returns; None: it failed or took longer than ANSWER_S. Work that ignores its cancellation is left alone."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        done, _ = await asyncio.wait({task}, timeout=ANSWER_S)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        log().warning("no answer", service="watchman", reason=what, seconds=ANSWER_S)
        return None
    error = None if task.cancelled() else task.exception()
    if task.cancelled() or error is not None:
        log().warning("not readable", service="watchman", reason=what, kind=type(error).__name__, where=where(error))
        return None
    return task.result()
