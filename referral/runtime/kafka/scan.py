"""Scan whole topics, from their first record to their end at the start of the scan, without committing any position."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from referral.runtime.kafka import clients
from referral.runtime.settings import Settings

Place = tuple[str, int]
"""Topic as in topics.yaml, and partition."""
WAIT = 1000  # ms; longest wait of one fetch


async def ends(settings: Settings, topics: Iterable[str]) -> dict[Place, int]:
    """Return the current end offset of every partition, from the broker. A topic that does not exist has none."""
    async with clients.reading(settings) as reader:
        return {(settings.plain(tp.topic), tp.partition): end for tp, end in (await _ends(reader, settings, topics)).items()}


async def whole(
    settings: Settings, topics: Iterable[str], start: Mapping[Place, int] | None = None
) -> AsyncIterator[tuple[Place, ConsumerRecord]]:
    """Yield every record, in offset order per partition. start: offsets to begin at; else the first that is retained."""
    async with clients.reading(settings, max_partition_fetch_bytes=clients.POLICY_FETCH) as reader:
        stop = {tp: end for tp, end in (await _ends(reader, settings, topics)).items() if end}
        first = await reader.beginning_offsets(list(stop)) if stop else {}
        begin = {tp: max(first[tp], (start or {}).get((settings.plain(tp.topic), tp.partition), 0)) for tp in stop}
        left = {tp for tp in stop if begin[tp] < stop[tp]}
        if left:
            reader.assign(list(left))
            for tp in left:
                reader.seek(tp, begin[tp])
        while left:
            for tp, records in (await reader.getmany(timeout_ms=WAIT)).items():
                for record in records:
                    if record.offset < stop[tp]:
                        yield (settings.plain(tp.topic), tp.partition), record
            left = {tp for tp in left if await reader.position(tp) < stop[tp]}


async def _ends(reader: AIOKafkaConsumer, settings: Settings, topics: Iterable[str]) -> dict[TopicPartition, int]:
    admin = clients.admin(settings)  # a consumer knows only the topics that it reads
    await admin.start()
    try:
        there = set(await admin.list_topics())
        names = [name for topic in topics if (name := settings.topic(topic)) in there]
        cards = await admin.describe_topics(names) if names else []
    finally:
        await admin.close()
    places = [TopicPartition(card["topic"], part["partition"]) for card in cards for part in card["partitions"]]
    return dict(await reader.end_offsets(places)) if places else {}


class Reader:
    """Reads single partitions, each to its end when the reader was opened. `opened` makes one."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: Settings, ends: Mapping[TopicPartition, int]) -> None:
        self._consumer, self._settings = consumer, settings
        self._ends = {(settings.plain(tp.topic), tp.partition): end for tp, end in ends.items()}

    @property
    def places(self) -> tuple[Place, ...]:
        """Return every partition of the topics that exist."""
        return tuple(sorted(self._ends))

    async def since(self, at: int) -> dict[Place, int]:
        """Return the offset of each partition's first record that the broker took at this time, ms UTC, or later; without one its end."""
        found = await self._consumer.offsets_for_times({self._tp(place): max(at, 0) for place in self._ends}) if self._ends else {}
        return {place: self._ends[place] if (first := found[self._tp(place)]) is None else first.offset for place in self._ends}

    async def lengths(self, start: Mapping[Place, int]) -> tuple[int, int]:
        """Return how many records there are before these offsets, and from them on."""
        begins = await self._consumer.beginning_offsets([self._tp(place) for place in self._ends]) if self._ends else {}
        older = sum(max(start[place] - begins[self._tp(place)], 0) for place in self._ends)
        return older, sum(end - start[place] for place, end in self._ends.items())

    async def records(self, place: Place, start: int = 0) -> AsyncGenerator[ConsumerRecord]:
        """Yield the records of a partition, in order. start: offset to begin at; else the first that is retained."""
        tp, end = self._tp(place), self._ends.get(place, 0)
        if start >= end:
            return
        self._consumer.assign([tp])
        try:
            self._consumer.seek(tp, max(start, (await self._consumer.beginning_offsets([tp]))[tp]))
            while await self._consumer.position(tp) < end:
                for record in (await self._consumer.getmany(tp, timeout_ms=WAIT)).get(tp, []):
                    if record.offset < end:
                        yield record
        finally:
            self._consumer.unsubscribe()

    def _tp(self, place: Place) -> TopicPartition:
        return TopicPartition(self._settings.topic(place[0]), place[1])


@asynccontextmanager
async def opened(settings: Settings, topics: Iterable[str]) -> AsyncIterator[Reader]:
    """Yield a reader of these topics."""
    async with clients.reading(settings) as consumer:
        yield Reader(consumer, settings, await _ends(consumer, settings, topics))
