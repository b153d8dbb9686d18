"""Measure the reference for routing: a bare aiokafka loop that consumes the same records and produces as many, as large."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from bench import topic
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.wire import topics

Out = tuple[int, bytes, bytes, list[tuple[str, bytes]]]
"""Partition, key, value, headers."""
Said = Mapping[tuple[int, int], Sequence[Out]]
"""(partition, offset) of an input → the records to produce for it."""


async def bare(settings: Settings, source: str, sink: str, said: Said) -> float:
    """Return the events in and out per second for all inputs of `said`."""
    admin = clients.admin(settings)
    await admin.start()
    config = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(sink, topics.PARTITIONS, 1, topic_configs=config)])
    await asyncio.to_thread(_run, settings, source, sink, said)
    pace = topic.pace(await topic.read(settings, sink), len(said))
    await admin.delete_topics([sink])
    await admin.close()
    return pace


def _run(settings: Settings, source: str, sink: str, said: Said) -> None:
    asyncio.run(loop(settings, source, sink, said))


async def loop(settings: Settings, source: str, sink: str, said: Said) -> None:
    """Consume, produce, await: one future per record, all of a fetch awaited before the next."""
    parts = [TopicPartition(source, n) for n in range(topics.PARTITIONS)]
    consumer = AIOKafkaConsumer(**clients.reached(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(**clients.reached(settings), enable_idempotence=True, acks="all")
    async with consumer, producer:
        consumer.assign(parts)
        for part in parts:
            consumer.seek(part, min((o for p, o in said if p == part.partition), default=0))
        done = 0
        while done < len(said):
            futures = []
            for records in (await consumer.getmany(timeout_ms=500, max_records=1000)).values():
                for record in records:
                    for partition, key, value, headers in said.get((record.partition, record.offset), ()):
                        futures.append(await producer.send(sink, value, key=key, partition=partition, headers=headers))
                    done += 1
            for future in futures:
                await future
