"""Three things that Faust does with a real broker, and why it does not carry the line (docs/decisions/0017). Red: look again."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import faust
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic

from referral.runtime import tls
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from tests.harness.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.servers, pytest.mark.long]


@pytest.fixture
def at(kafka: str, identities: Path) -> Settings:
    """The broker, as its keeper reaches it: these tests make groups and transactions that nobody else may make."""
    return Settings(kafka=kafka, database="", master_key_file=Path(), instance="faust", tls=identities / "keeper")


@pytest.fixture
async def topic(at: Settings) -> AsyncIterator[str]:
    """A fresh topic with three messages, m0 to m2, in one partition."""
    name = f"faust-{uuid.uuid4().hex[:10]}"
    admin = clients.admin(at)
    await admin.start()
    await admin.create_topics([NewTopic(each, 1, 1) for each in (name, f"{name}-out")])
    producer = clients.producer(at)
    await producer.start()
    for number in range(3):
        await producer.send_and_wait(name, b"m%d" % number, partition=0)
    await producer.stop()
    yield name
    await admin.delete_topics([name, f"{name}-out"])
    await admin.close()


def made(at: Settings, group: str, **more: object) -> faust.App:
    """An app as its documentation makes one: only where it stands is set."""
    return faust.App(
        group,
        broker=f"kafka://{at.kafka}",
        broker_credentials=faust.SSLCredentials(tls.client(at.identity())),
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=0.2,
        loghandlers=[],
        **more,
    )


@contextlib.asynccontextmanager
async def running(app: faust.App) -> AsyncIterator[None]:
    app.in_worker = True  # what faust.Worker says of it: without that it makes no transactions
    await app.start()
    try:
        yield
    finally:
        await app.stop()


async def committed(at: Settings, group: str, topic: str) -> int | None:
    """What the broker would give the group's next reader as the place to go on from."""
    admin = clients.admin(at)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    place = found.get(TopicPartition(topic, 0))
    return None if place is None or place.offset < 0 else place.offset


async def goes_on_at(at: Settings, group: str, topic: str, least: int) -> bool:
    """Return True when that place is this one or a later one."""
    return (await committed(at, group, topic) or 0) >= least


async def test_a_message_whose_handling_raised_is_acknowledged(at: Settings, topic: str) -> None:
    group, handled = f"{topic}-raises", list[bytes]()
    app = made(at, group)

    @app.agent(app.topic(topic, value_serializer="raw"))
    async def handle(stream: faust.Stream[bytes]) -> None:
        async for value in stream:
            if value == b"m1":
                raise RuntimeError("this message was not handled")
            handled.append(value)

    async with running(app):
        await until(lambda: goes_on_at(at, group, topic, 3))
    assert handled == [b"m0", b"m2"]  # m1 is lost to everybody who goes on from there


async def test_what_exactly_once_yields_to_a_sink_is_outside_its_transaction(at: Settings, topic: str) -> None:
    group, out = f"{topic}-once", f"{topic}-out"
    app = made(at, group, processing_guarantee="exactly_once")
    app.conf.broker_commit_interval = 3600.0  # its transaction stays open while we look
    reached = asyncio.Event()

    @app.agent(app.topic(topic, value_serializer="raw"), sink=[app.topic(out, value_serializer="raw")])
    async def handle(stream: faust.Stream[bytes]) -> AsyncIterator[bytes]:
        async for value in stream:
            yield value
            if value == b"m2":
                reached.set()

    reader = AIOKafkaConsumer(out, **clients.reached(at), isolation_level="read_committed", auto_offset_reset="earliest")
    async with running(app):
        await until(reached.is_set)
        assert app.consumer.in_transaction, "the promise was asked for"
        await reader.start()
        try:
            first = await asyncio.wait_for(reader.getone(), PATIENCE_S)
        finally:
            await reader.stop()
        assert await committed(at, group, topic) is None
    assert first.value == b"m0"  # seen by a reader of what is committed, though nothing is


async def test_with_two_at_once_a_message_that_is_not_handled_is_passed_over(at: Settings, topic: str) -> None:
    group, blocked, free = f"{topic}-two", list[bytes](), asyncio.Event()
    app = made(at, group)

    @app.agent(app.topic(topic, value_serializer="raw"), concurrency=2)
    async def handle(stream: faust.Stream[bytes]) -> None:
        async for value in stream:
            if value == b"m0":
                blocked.append(value)
                await free.wait()
                blocked.clear()

    async with running(app):
        await until(lambda: goes_on_at(at, group, topic, 1))
        assert blocked == [b"m0"], "it is still being handled, and whoever goes on from there never sees it"
        free.set()
