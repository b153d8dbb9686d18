"""Follow what a system writes, as a reader who reads only what is committed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.topic import Read
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.wire import seal, topics

LOOK_S = 0.1
"""Seconds between two looks at how long the topic is: a look costs what is measured."""
QUIET_S = 0.5
"""Seconds (ours) without growth after which the records are read and counted: reading would cost what is measured."""
LULL_S = 90.0
"""Seconds (ours) without growth after which nothing more is expected: the slowest system stands still for a minute after a kill."""
WHOLE_S = 600.0
"""Longest wait (ours) for a whole load: the slowest system needs three minutes."""
PATIENCE_S = 180.0
"""Longest wait (ours) for what is missing: three times the session that a killed member of a consumer group leaves behind, at most."""


class Found(NamedTuple):
    """The output of a system. missing: foreseen events that are not in it. grown: wall clock, ms, when the topic grew for the last time."""

    records: list[Read]
    missing: int
    grown: float


class Follower:
    """One topic, from where it ended at the beginning."""

    def __init__(self, consumer: AIOKafkaConsumer, parts: list[TopicPartition], since: int) -> None:
        self._consumer, self._parts, self._since, self._records, self._arrived = consumer, parts, since, list[Read](), 0

    async def grown(self) -> int:
        """Return the number of committed offsets since the beginning: records, and of transactions their marks."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._parts)
        return sum(ends.values()) - self._since

    async def until(self, count: int) -> None:
        """Wait until so many records are there. TimeoutError: they are not within WHOLE_S."""
        async with asyncio.timeout(WHOLE_S):
            while await self.grown() < count:
                await asyncio.sleep(LOOK_S)

    async def complete(self, events: set[str]) -> Found:
        """Wait until all these events are there, or for PATIENCE_S, and return what is there."""
        deadline, length, at, grown = time.monotonic() + PATIENCE_S, -1, time.monotonic(), time.time() * 1000
        missing = set(events)
        while time.monotonic() < deadline:
            now = await self.grown()
            if now != length:
                length, at, grown = now, time.monotonic(), time.time() * 1000
            elif time.monotonic() - at > QUIET_S and length >= len(events):
                missing -= await self._events()
                if not missing:
                    break
            elif time.monotonic() - at > LULL_S:
                break
            await asyncio.sleep(LOOK_S)
        missing -= await self._events()
        return Found(self._records, len(missing), grown)

    async def _events(self) -> set[str]:
        """Return the ids of the committed events that were not read yet."""
        return {seal.open(record.value).meta.event_id for record in await self.read()}

    async def read(self) -> list[Read]:
        """Return the committed records that were not read yet."""
        ends, new = await self._consumer.end_offsets(self._parts), list[Read]()
        while any([await self._consumer.position(part) < ends[part] for part in self._parts]):
            for part, some in (await self._consumer.getmany(timeout_ms=100, max_records=5000)).items():
                new += (Read(part.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in some)
        self._records += new
        return new

    async def arrivals(self, count: int) -> list[tuple[float, bytes]]:
        """Read as records come until so many have come in all; return those of this call: wall clock, ms, when it was read, and value.

        Nothing is parsed meanwhile: that would cost what is measured. TimeoutError: they do not come within PATIENCE_S.
        """
        came = list[tuple[float, bytes]]()
        async with asyncio.timeout(PATIENCE_S):
            while self._arrived + len(came) < count:
                fetched = await self._consumer.getmany(timeout_ms=1000)
                now = time.time() * 1000
                came += ((now, record.value) for some in fetched.values() for record in some)
        self._arrived += len(came)
        return came

    async def answered(self, causes: set[str]) -> None:
        """Read as records come until each of these causes has come. TimeoutError: they do not come within PATIENCE_S."""
        while causes:
            causes = causes - {seal.open(value).meta.cause_id for _, value in await self.arrivals(self._arrived + 1)}


@contextlib.asynccontextmanager
async def following(settings: Settings, topic: str) -> AsyncIterator[Follower]:
    """Follow a topic for the block."""
    parts = [TopicPartition(topic, number) for number in range(topics.PARTITIONS)]
    async with AIOKafkaConsumer(**clients.reached(settings), enable_auto_commit=False, isolation_level="read_committed") as consumer:
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        for part, end in ends.items():
            consumer.seek(part, end)
        yield Follower(consumer, parts, sum(ends.values()))
