"""Publish records as prebuilt batches, and return where they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

LIMIT = 30.0  # seconds for a blob; then the producer is thrown away


Sent = tuple[bytes, bytes | None, list[tuple[str, bytes]]]
"""Key, value and headers of a record as the broker gets them."""


Span = tuple[int, int]
"""A record batch on the topic: its first offset, and the one after its last."""


async def send(producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[Sent]) -> list[Span]:
    """Where the record batches stand, once the broker has all. As prebuilt batches: one future for each, not one for each record.

    TimeoutError, KafkaError: nothing is known to be there.
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
    if any(one.offset < 0 for one in done):  # the broker had it already and does not say where: publish again and know
        raise KafkaError("no offset")
    return [(one.offset, one.offset + count) for one, count in zip(done, counts, strict=True)]
