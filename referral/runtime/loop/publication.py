"""Publish the blobs of one batch while the next batch is handled, so that nobody waits for the broker with work in hand.

One batch at a time: the next one's blobs are published when these are confirmed, so that the records of a partition stay in order. What a
process that dies leaves unconfirmed stands in the outbox; the next owner publishes it again, in the same order and with the same bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import observe
from referral.runtime.kafka.publish import Span
from referral.runtime.loop import outbox
from referral.runtime.loop.outbox import Blob
from referral.runtime.loop.units import Unit
from referral.runtime.record_signing import Sign


@dataclass(slots=True)
class Publication:
    """The publication of one batch. Another one begins when it is settled.

    service: the service's name.
    writes, topic: the topic that it writes, as the line names it and as the broker does.
    """

    service: str
    writes: str
    topic: str
    tx: AsyncConnection
    producer: AIOKafkaProducer
    sign: Sign
    _task: asyncio.Task[dict[int, list[Span]]] | None = None
    _blobs: list[Blob] = field(default_factory=list)
    _units: dict[int, Unit] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Return True while blobs are not confirmed."""
        return self._task is not None

    def begin(self, blobs: list[Blob], units: Mapping[str, Unit]) -> None:
        """Begin to publish committed blobs. The one before is settled. units: the owned ones."""
        assert self._task is None
        self._blobs = blobs
        self._units = {blob.partition: units[f"p{blob.partition}"] for blob in blobs}
        self._task = asyncio.create_task(outbox.publish(self.producer, self.topic, blobs, self.sign))

    async def settle(self, units: Mapping[str, Unit]) -> None:
        """Wait until the broker has acknowledged the blobs, and confirm them. units: the owned ones; another owner confirms its own.

        TimeoutError, KafkaError: discard the producer. Fenced: another instance took over meanwhile.
        """
        if self._task is None:
            return
        task, self._task = self._task, None
        started = time.monotonic()
        spans = await task
        blobs = [blob for blob in self._blobs if units.get(f"p{blob.partition}") is self._units[blob.partition]]
        if blobs:
            await outbox.confirm(self.tx, self.writes, self._units, blobs, spans)
        observe.BATCH_SECONDS.labels(self.service, "publish").observe(time.monotonic() - started)
        observe.RECORDS_OUT.labels(self.service).inc(sum(len(blob.records) for blob in self._blobs))

    async def halt(self) -> None:
        """Leave off. It is unknown which records the broker has."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
