"""What a topic holds, read after a run: when the broker stamped each record, and what caused it."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from referral.wire import codec, seal, topics

WARM = 0.1  # share of a run that is not counted: connections, statements and caches are made in it


class Read(NamedTuple):
    """at: milliseconds, LogAppendTime. size: bytes of value."""

    partition: int
    offset: int
    at: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


async def ends(kafka: str, topic: str) -> dict[int, int]:
    """The end offset of every partition."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        found = await consumer.end_offsets([TopicPartition(topic, n) for n in range(topics.PARTITIONS)])
    return {tp.partition: end for tp, end in found.items()}


async def read(kafka: str, topic: str, since: dict[int, int] | None = None) -> list[Read]:
    """Everything from these offsets (the beginning) to the end."""
    since = since or dict.fromkeys(range(topics.PARTITIONS), 0)
    out: list[Read] = []
    async with AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False) as consumer:
        parts = [TopicPartition(topic, n) for n in range(topics.PARTITIONS)]
        consumer.assign(parts)
        until = await consumer.end_offsets(parts)
        for part in parts:
            consumer.seek(part, since[part.partition])
        missing = sum(until[part] - since[part.partition] for part in parts)
        while len(out) < missing:
            for part, records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).items():
                out += (Read(part.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records)
    return out


def causes(records: list[Read]) -> dict[str, list[Read]]:
    """Cause id → the records that it led to."""
    found: dict[str, list[Read]] = {}
    for record in records:
        found.setdefault(seal.open(record.value).meta.cause_id, []).append(record)
    return found


def pace(records: list[Read], inputs: int) -> float:
    """Events in and out per second, by the broker's stamps, without the warm-up. inputs: that led to all of these."""
    stamps = sorted(record.at for record in records)
    start = stamps[0] + (stamps[-1] - stamps[0]) * WARM
    counted = sum(1 for stamp in stamps if stamp > start)
    return counted * (1 + inputs / len(records)) / max(0.001, (stamps[-1] - start) / 1000)


def body(value: bytes, plain_topic: str, chest: dict[str, bytes]) -> Struct:
    """What a sealed record says. plain_topic: without the stack's prefix. chest: case keys."""
    envelope = seal.open(value)
    data = seal.unseal(chest[envelope.meta.case_id], plain_topic, envelope)
    return codec.decode(envelope.meta.type, envelope.meta.fingerprint, data)
