"""Measure the reference for routing: a bare aiokafka loop that consumes the same records and produces as many, as large."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench import topic
from referral.wire import topics

Out = tuple[int, bytes, bytes, list[tuple[str, bytes]]]
"""Partition, key, value, headers."""
Said = Mapping[tuple[int, int], Sequence[Out]]
"""(partition, offset) of an input → the records to produce for it."""


async def bare(kafka: str, source: str, sink: str, said: Said) -> float:
    """Return the events in and out per second for all inputs of `said`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    config = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(sink, topics.PARTITIONS, 1, topic_configs=config)])
    await asyncio.to_thread(_run, kafka, source, sink, said)
    pace = topic.pace(await topic.read(kafka, sink), len(said))
    await admin.delete_topics([sink])
    await admin.close()
    return pace


def _run(kafka: str, source: str, sink: str, said: Said) -> None:
    asyncio.run(loop(kafka, source, sink, said))


async def loop(kafka: str, source: str, sink: str, said: Said) -> None:
    """Consume, produce, await: one future per record, all of a fetch awaited before the next."""
    parts = [TopicPartition(source, n) for n in range(topics.PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all")
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
