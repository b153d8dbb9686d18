"""A service waits for the tables of its release, and says so; tables of a later release, and a topic that it cannot see, are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from referral.runtime.kafka import access, clients
from referral.runtime.postgres import schema
from referral.wire import topics
from tests.harness import trust
from tests.harness.line.runtime_stack import IN, OUT, Stack
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("table", ["version", "runtime_version"])
async def test_a_service_waits_for_the_tables_of_its_release(line: Stack, table: str) -> None:
    needed = schema.needed(schema.folders("routing")[table])
    await line.sql(f"UPDATE routing.{table} SET version_num = '0000'")
    counter = line.counter()
    counter.start()
    await until(lambda: "referral prepare" in counter.not_ready.get("schema", ""), what="it says what it waits for")
    assert f"routing.{table} is 0000, {needed} is needed" in counter.not_ready["schema"]
    assert not counter.units and not counter.loop.health.stands()
    await line.sql(f"UPDATE routing.{table} SET version_num = '{needed}'")
    await until(lambda: len(counter.units) == 12 and not counter.not_ready, what="it goes on by itself")


async def test_tables_of_a_later_release_are_no_fault(line: Stack) -> None:
    await line.sql("UPDATE routing.version SET version_num = '9999'")
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.units) == 12 and not counter.not_ready)


@pytest.mark.kafka
async def test_a_topic_that_a_service_may_not_read_is_an_answer(line: Stack, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral.runtime.loop.assignment.AGAIN", 0.5)
    topic = line.settings.topic(IN)
    rules = access.wanted(topics.load(line.settings.schemas / "topics.yaml"), [], line.settings.topic_prefix)
    taken = frozenset(rule for rule in rules if rule.name == topic and rule.principal == "User:service.routing")
    assert taken
    admin = clients.admin(line.settings)
    await admin.start()
    try:
        await access.bring(admin, access.Difference(frozenset(), taken))
        line.settings = replace(line.settings, tls=trust.identity(authority, "service/routing"))
        counter = line.counter()
        counter.start()
        await until(lambda: "no-topic: p0 p1" in counter.not_ready.get("stopped", ""), what="it says that it sees no topic")
        await access.bring(admin, access.Difference(taken, frozenset()))
        await until(lambda: len(counter.units) == 12 and not counter.not_ready, what="it goes on by itself")
    finally:
        await admin.close()


async def test_a_topic_that_is_not_there_is_an_answer(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral.runtime.loop.assignment.AGAIN", 0.5)
    admin = clients.admin(line.settings)
    await admin.start()
    try:
        await admin.delete_topics([line.settings.topic(IN)])
        counter = line.counter()
        counter.start()
        await until(lambda: "no-topic: p0 p1" in counter.not_ready.get("stopped", ""), what="it says that it sees no topic")
        await clients.create_topics(line.settings)
        await until(lambda: len(counter.units) == 12 and not counter.not_ready, what="it goes on by itself")
    finally:
        await admin.close()


@pytest.mark.parametrize("topic", [IN, OUT])
async def test_a_topic_that_is_deleted_under_a_running_service_is_an_answer(
    line: Stack, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    """Kafka's client waits for records of a topic that is not there, and logs a warning: nobody would know."""
    monkeypatch.setattr("referral.runtime.loop.assignment.AGAIN", 0.5)
    monkeypatch.setattr("referral.runtime.loop.assignment.DISCOVER", 0.2)
    counter, admin = line.counter(), clients.admin(line.settings)
    counter.start()
    await until(lambda: len(counter.units) == 12 and not counter.not_ready)
    await admin.start()
    try:
        await admin.delete_topics([line.settings.topic(topic)])
        await until(lambda: "no-topic: p0 p1" in counter.not_ready.get("stopped", ""), what="it says that it sees no topic")
        await clients.create_topics(line.settings)
        await until(lambda: len(counter.units) == 12 and not counter.not_ready, what="it goes on by itself")
    finally:
        await admin.close()
