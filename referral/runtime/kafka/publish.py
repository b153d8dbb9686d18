"""Publish records as prebuilt batches, and return their offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

LIMIT = 30.0  # seconds for one call of `send`; then the caller discards the producer


Sent = tuple[bytes, bytes | None, list[tuple[str, bytes]]]
"""Key, value and headers of a record, as published."""


Span = tuple[int, int]
"""A record batch on the topic: its first offset, and the one after its last."""


async def send(producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[Sent]) -> list[Span]:
    """Publish records and return the spans of their record batches, once the broker has acknowledged all of them.

    Prebuilt batches need one future per batch, not one per record. TimeoutError, KafkaError: it is unknown which records were stored.
    """
    futures, counts = [], []
    batch = producer.create_batch()
    async with asyncio.timeout(LIMIT):
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                counts.append(batch.record_count())
                batch.close()
                futures.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
        counts.append(batch.record_count())
        batch.close()
        futures.append(await producer.send_batch(batch, topic, partition=partition))
        done = await asyncio.gather(*futures)
    if any(metadata.offset < 0 for metadata in done):  # a duplicate that the broker stored before, offset unknown: publish again
        raise KafkaError("no offset")
    return [(metadata.offset, metadata.offset + count) for metadata, count in zip(done, counts, strict=True)]
