"""Our Kafka clients at the broker's edges."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from referral.runtime.kafka import clients
from referral.runtime.loop.reader import AHEAD_S, Reader
from referral.runtime.loop.units import Unit
from referral.runtime.settings import Settings
from tests.harness.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.kafka]


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


async def test_no_fetch_waits_at_the_broker_for_the_other_partitions_during_a_turn(settings: Settings) -> None:
    """Such a fetch would hold up the partitions that the turn empties: a client has one fetch at a time under way at a broker."""
    topic = settings.topic("referral-intake")
    consumer = clients.consumer(settings)
    await consumer.start()
    try:
        reader = Reader(consumer, consumer, settings, "routing")
        places = tuple(("referral-intake", number) for number in range(2))
        await reader.assign([(Unit("p0", 0, positions=dict.fromkeys(places, (0, ""))), places)])
        async with clients.producer(settings) as producer:
            await producer.send_and_wait(topic, b"held", partition=0)
        held, fetcher = reader.tp(places[0]), consumer._fetcher
        await until(lambda: held in fetcher._records)
        for age, fetches in ((0.9 * AHEAD_S, 0), (1.1 * AHEAD_S, 1)):
            fetcher._records[held]._created = monotonic() - age
            await until(lambda: not fetcher._in_flight)
            asked, *_ = fetcher._get_actions_per_node(consumer._subscription.subscription.assignment)
            assert len(asked) == fetches, f"after {age} s"
    finally:
        await clients.halt(consumer)


async def test_a_new_topic_that_a_busy_broker_does_not_show_yet_is_waited_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    true, hidden = AIOKafkaAdminClient.describe_topics, [True] * 5

    async def describe(self: AIOKafkaAdminClient, names: list[str]) -> list[dict[str, Any]]:
        found = await true(self, names)
        return [{**topic, "partitions": []} for topic in found] if hidden and hidden.pop() else found

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_topics", describe)
    monkeypatch.setattr(clients, "SETTLE", 0.0)
    await clients.create_topics(settings)
    assert not hidden
