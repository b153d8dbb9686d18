"""The reference for routing: a bare aiokafka loop that consumes as many and as large records as routing and produces what it would."""

from __future__ import annotations

import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

Record = tuple[int, bytes, bytes]
"""Partition, key, value."""


async def fill(kafka: str, topic: str, records: Sequence[Record]) -> None:
    """Produce records to a topic, in order within each partition."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, linger_ms=5, max_batch_size=1 << 20) as producer:
        futures = [await producer.send(topic, value, key=key, partition=partition) for partition, key, value in records]
        for future in futures:
            await future


async def bare_loop(kafka: str, source: str, sink: str, expected: int, outs: Sequence[Sequence[Record]]) -> float:
    """Seconds for consuming `expected` records and producing, for the n-th of them, the records outs[n % len(outs)]; one future a record, awaited by batch."""
    parts = [TopicPartition(source, n) for n in range(12)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all")
    async with consumer, producer:
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        start, done = time.perf_counter(), 0
        while done < expected:
            batches = await consumer.getmany(timeout_ms=500, max_records=1000)
            futures = []
            for records in batches.values():
                for _ in records:
                    futures += [
                        await producer.send(sink, value, key=key, partition=partition) for partition, key, value in outs[done % len(outs)]
                    ]
                    done += 1
            for future in futures:
                await future
        return time.perf_counter() - start
