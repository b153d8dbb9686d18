"""Our Kafka clients at the broker's edges."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition

from referral.runtime import kafka
from referral.runtime.settings import Settings

pytestmark = pytest.mark.servers


async def test_a_fetch_that_waits_when_its_reader_stops_does_not_cancel_who_stops_it(settings: Settings) -> None:
    """A broker that goes away in the middle of a fetch leaves aiokafka's task asleep; `stop` cancels it and lets that out."""
    reader = kafka.consumer(settings)
    await reader.start()
    reader.assign([TopicPartition(settings.topic("referral-intake"), 0)])
    asleep = asyncio.create_task(asyncio.sleep(60))
    reader._fetcher._pending_tasks.add(asleep)
    await kafka.halt(reader)
    assert asleep.cancelled()
    assert not reader._client._conns
    await reader._client.close()
