"""Read a topic after a run: the broker's stamp of each record, and its cause."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.wire import codec, seal, topics

WARM = 0.1  # share of a run that is not counted: it creates connections, statements and caches


class Read(NamedTuple):
    """One record. at: LogAppendTime, ms."""

    partition: int
    offset: int
    at: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


async def ends(settings: Settings, topic: str) -> dict[int, int]:
    """Return the end offset of every partition."""
    async with AIOKafkaConsumer(**clients.reached(settings)) as consumer:
        offsets = await consumer.end_offsets([TopicPartition(topic, n) for n in range(topics.PARTITIONS)])
    return {tp.partition: end for tp, end in offsets.items()}


async def read(settings: Settings, topic: str, since: dict[int, int] | None = None) -> list[Read]:
    """Return everything from these offsets (the beginning) to the end."""
    since = since or dict.fromkeys(range(topics.PARTITIONS), 0)
    out: list[Read] = []
    async with AIOKafkaConsumer(**clients.reached(settings), enable_auto_commit=False) as consumer:
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
    """Return cause id → the records that it caused."""
    by_cause: dict[str, list[Read]] = {}
    for record in records:
        by_cause.setdefault(seal.open(record.value).meta.cause_id, []).append(record)
    return by_cause


def pace(records: list[Read], inputs: int, warm: float = WARM) -> float:
    """Return the events in and out per second, by the broker's stamps, without the warm-up.

    inputs: number of inputs that caused these records.
    warm: share of the run that is the warm-up.
    """
    stamps = sorted(record.at for record in records)
    start = stamps[0] + (stamps[-1] - stamps[0]) * warm
    counted = sum(1 for stamp in stamps if stamp > start)
    return counted * (1 + inputs / len(records)) / max(0.001, (stamps[-1] - start) / 1000)


def body(value: bytes, plain_topic: str, chest: dict[str, bytes]) -> Struct:
    """Return the body of a sealed record. plain_topic: without the stack's prefix. chest: case keys."""
    envelope = seal.open(value)
    data = seal.unseal(chest[envelope.meta.case_id], plain_topic, envelope)
    return codec.decode(envelope.meta.type, envelope.meta.fingerprint, data)
