"""Wrapped case keys beside the database: what erasure leaves of them on a real broker."""

from __future__ import annotations

import random
import uuid

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import CaseKey
from referral.runtime.kafka import clients
from referral.runtime.keys import key_topic
from referral.runtime.keys.service_keys import readers
from referral.runtime.postgres import queue
from referral.runtime.service import Batch, Outcome
from referral.runtime.settings import Settings
from referral.wire import codec
from tests.harness import malformed
from tests.harness.erased import erased
from tests.harness.line.runtime_stack import Stack, came
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
KEYS = CaseKey.TOPIC
AT_ONCE = {"segment.ms": "200", "max.compaction.lag.ms": "200", "delete.retention.ms": "0"}


async def hasten(settings: Settings) -> None:
    """The settings of the topic's card, with fifths of seconds where it says hours."""
    admin = clients.admin(settings)
    await admin.start()
    try:
        config = {**clients.wanted(settings)[KEYS].config, **AT_ONCE}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic(KEYS), config)])
    finally:
        await admin.close()


async def keep(line: Stack, born: list[str], erased: list[str]) -> None:
    async with line.admin.begin() as tx:
        await key_topic.copy(line.producer, line.settings, await key_topic.forms(tx, born))
    await key_topic.publish_tombstones(line.producer, line.settings, erased)


@pytest.mark.kafka
@pytest.mark.long
async def test_the_key_of_an_erased_case_leaves_the_broker_though_no_other_case_begins(line: Stack) -> None:
    await hasten(line.settings)
    gone, stays = await line.case(), await line.case()
    await keep(line, [gone, stays], [])
    await keep(line, [], [gone])
    assert {r.key for r in await line.distinct(KEYS) if r.value} == {key_topic.name(c, r) for c in (gone, stays) for r in readers()}

    async def compacted() -> bool:
        await key_topic.roll(line.producer, line.settings)
        return not any((r.key or b"").startswith(gone.encode()) for r in await line.records(KEYS))

    await until(compacted, 120)
    assert set(await key_topic.read(line.settings)) == {stays}


async def test_a_key_is_on_the_topic_before_the_first_event_of_its_case_and_stays_until_its_erasure_is_logged(line: Stack) -> None:
    case = await line.case()
    async with line.admin.begin() as tx:
        key = (await line.keys.load(tx, [case]))[case]
        await tx.exec_driver_sql("SET LOCAL search_path = intake, runtime")
        await queue.put(tx, case, came(), str(uuid.uuid4()), key)

    async def saying(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = Outcome()
        for i in batch.inputs:
            if i.source.topic == "queue":
                outcome.emit(i, i.body)
        return outcome

    counter = line.counter(name="intake", reads=("referral-routing",), writes="referral-intake", handle=saying)
    counter.start()
    await until(lambda: line.has(1, "referral-intake"))
    assert set(await key_topic.read(line.settings)) == {case}
    async with line.admin.begin() as tx:
        await tx.exec_driver_sql("SET LOCAL search_path = intake, runtime")
        await queue.put(tx, case, erased(case), str(uuid.uuid4()), key)
    await until(lambda: line.has(2, "referral-intake"))
    assert set(await key_topic.read(line.settings)) == {case}


async def test_recover_puts_back_lost_keys_and_those_retired_without_an_erasure_and_retires_those_of_erased_cases(line: Stack) -> None:
    erased, lost, retired, there = [await line.case() for _ in range(4)]
    await keep(line, [erased, lost, retired, there], [])
    before = {tuple(row) for row in await line.sql("SELECT case_id, reader, wrapped FROM keys.case_key")}
    await line.sql("DELETE FROM keys.case_key WHERE case_id = :c", c=lost)
    async with line.admin.begin() as tx:
        await tx.execute(text("SELECT keys.retire(:ids)"), {"ids": [retired]})
    async with line.admin.begin() as tx:
        assert list((await key_topic.restore(tx, line.settings, {erased}, line.keys)).values()) == [1, 1]
    assert {row[0] for row in await line.sql("SELECT case_id FROM keys.case_key")} == {lost, retired, there}
    after = {tuple(row) for row in await line.sql("SELECT case_id, reader, wrapped FROM keys.case_key")}
    assert {row for row in after if row[0] in (retired, there)} == {row for row in before if row[0] in (retired, there)}
    assert {row[0] for row in await line.sql("SELECT case_id FROM keys.retirement")} == {erased}


@pytest.mark.kafka
async def test_what_is_no_key_is_passed_over_and_the_true_ones_are_put_back(line: Stack) -> None:
    """Whoever may write there cannot stop recover, nor put a key of his own in a true one's place."""
    stays, lost = await line.case(), await line.case()
    await keep(line, [stays, lost], [])
    topic = line.settings.topic("referral-keys")
    forged = codec.encode(CaseKey(wrapped=bytes(60)))
    for key, value in (
        (b"\xff\xfe", b"x"),
        (b"\xff", None),
        (lost.encode(), b"x"),
        *((key_topic.name(lost, r), forged) for r in readers()),
        (b"x", forged),
    ):
        await line.producer.send_and_wait(topic, value, key=key, partition=0)
    assert await malformed.produce(line.producer, topic, 0, malformed.deltas(random.Random(1))) == ""
    await line.sql("DELETE FROM keys.case_key WHERE case_id = :c", c=lost)
    async with line.admin.begin() as tx:
        assert list((await key_topic.restore(tx, line.settings, set(), line.keys)).values()) == [0, 1]
        assert (await line.keys.load(tx, [stays, lost])).keys() == {stays, lost}
