"""Scan whole topics, from their first record to their end at the start of the scan, without committing any position."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from referral.runtime.kafka import clients
from referral.runtime.settings import Settings

Place = tuple[str, int]
"""Topic as in topics.yaml, and partition."""
WAIT = 1000  # ms; longest wait of one fetch


async def ends(settings: Settings, topics: Iterable[str]) -> dict[Place, int]:
    """Return the current end offset of every partition, from the broker. A topic that does not exist has none."""
    reader = clients.consumer(settings)
    await reader.start()
    try:
        return {(settings.plain(tp.topic), tp.partition): end for tp, end in (await _ends(reader, settings, topics)).items()}
    finally:
        await clients.halt(reader)


async def whole(
    settings: Settings, topics: Iterable[str], start: Mapping[Place, int] | None = None
) -> AsyncIterator[tuple[Place, ConsumerRecord]]:
    """Yield every record, in offset order per partition. start: offsets to begin at; else the first that is retained."""
    reader = clients.consumer(settings, max_partition_fetch_bytes=clients.POLICY_FETCH)
    await reader.start()
    try:
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
    finally:
        await clients.halt(reader)


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
