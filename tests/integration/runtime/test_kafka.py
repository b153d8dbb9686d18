"""Our Kafka clients at the broker's edges."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from referral.runtime.kafka import clients
from referral.runtime.settings import Settings

pytestmark = pytest.mark.servers


async def test_a_fetch_that_waits_when_its_reader_stops_does_not_cancel_who_stops_it(settings: Settings) -> None:
    """A broker that goes away in the middle of a fetch leaves aiokafka's task asleep; `stop` cancels it and lets that out."""
    reader = clients.consumer(settings)
    await reader.start()
    reader.assign([TopicPartition(settings.topic("referral-intake"), 0)])
    asleep = asyncio.create_task(asyncio.sleep(60))
    reader._fetcher._pending_tasks.add(asleep)
    await clients.halt(reader)
    assert asleep.cancelled()
    assert not reader._client._conns
    await reader._client.close()


async def test_a_connection_that_a_first_attempt_gave_up_does_not_cancel_who_stops_the_reader(settings: Settings) -> None:
    """On a busy machine `stop` may take longer than we wait for it; what it was waiting for is cancelled, and its second end meets that."""
    reader = clients.consumer(settings)
    await reader.start()
    await reader.topics()
    for connection in list(reader._client._conns.values()):
        connection._closed_fut.cancel()
    await clients.halt(reader)


async def test_a_new_topic_that_a_busy_broker_does_not_show_yet_is_waited_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    true, hidden = AIOKafkaAdminClient.describe_topics, [True] * 5

    async def describe(self: AIOKafkaAdminClient, names: list[str]) -> list[dict[str, Any]]:
        found = await true(self, names)
        return [{**topic, "partitions": []} for topic in found] if hidden and hidden.pop() else found

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_topics", describe)
    monkeypatch.setattr(clients, "SETTLE", 0.0)
    await clients.create_topics(settings)
    assert not hidden
