"""What we rely on of a broker and of aiokafka's clients: one class of tests that a real broker and the one in memory both pass.

Whoever inherits `BrokerContract` gives a fixture `settings`, by which `referral.runtime.kafka.clients` reach the broker; its topics' names
begin with the settings' prefix.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    IllegalOperation,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    ProducerClosed,
    ProducerFenced,
)

from referral.runtime.kafka import clients, publish, scan
from referral.runtime.settings import Settings

SOON_MS = 5000
"""Milliseconds (ours) for a record to arrive on a busy machine."""
APPENDED = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "20000"}


class Line:
    """A fresh topic of two partitions, and clients that are ended with the test."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.settings, self._stack, self.name = settings, stack, f"made-{uuid.uuid4().hex[:8]}"
        self.topic = settings.topic(self.name)
        self.first, self.second = TopicPartition(self.topic, 0), TopicPartition(self.topic, 1)

    async def admin(self) -> Any:
        """Return an admin client that has started."""
        made = clients.admin(self.settings)
        await made.start()
        self._stack.push_async_callback(made.close)
        return made

    async def consumer(self, **more: Any) -> Any:
        """Return a consumer that has started and knows the topic."""
        made = clients.consumer(self.settings, **more)
        self._stack.push_async_callback(clients.halt, made)
        await made.start()
        await clients.find([self.topic], made)
        return made

    async def reading(self, at: int = 0, **more: Any) -> Any:
        """Return a consumer of both partitions from an offset on."""
        made = await self.consumer(**more)
        made.assign([self.first, self.second])
        for tp in (self.first, self.second):
            made.seek(tp, at)
        return made

    async def producer(self, **more: Any) -> Any:
        """Return a producer that has started."""
        made = clients.producer(self.settings, **more)
        self._stack.push_async_callback(clients.throw_away, made)
        await made.start()
        return made

    async def write(self, *values: bytes, partition: int = 0) -> None:
        """Write records, each in its own batch."""
        producer = await self.producer()
        for value in values:
            await producer.send_and_wait(self.topic, value, key=b"key", partition=partition)


async def come(consumer: Any, count: int, *places: TopicPartition) -> list[ConsumerRecord]:
    """Return that many records of a consumer. TimeoutError: fewer come."""
    found: list[ConsumerRecord] = []
    async with asyncio.timeout(SOON_MS / 1000):
        while len(found) < count:
            for records in (await consumer.getmany(*places, timeout_ms=200)).values():
                found += records
    return found


async def nothing(consumer: Any) -> None:
    """Check that no record comes within a moment."""
    assert await consumer.getmany(timeout_ms=300) == {}


async def reaches(consumer: Any, tp: TopicPartition, offset: int) -> None:
    """Wait until a consumer has passed what is no record up to an offset."""
    async with asyncio.timeout(SOON_MS / 1000):
        while await consumer.position(tp) < offset:
            await consumer.getmany(timeout_ms=100)
    assert await consumer.position(tp) == offset


def values(records: list[ConsumerRecord]) -> list[bytes | None]:
    """Return the values of records."""
    return [record.value for record in records]


class BrokerContract:
    """The tests. `line` is a fresh topic on the broker of whoever inherits."""

    @pytest.fixture
    async def line(self, settings: Settings) -> AsyncIterator[Line]:
        async with AsyncExitStack() as stack:
            made = Line(settings, stack)
            admin = await made.admin()
            answer = await admin.create_topics([NewTopic(made.topic, 2, 1, topic_configs=APPENDED)])
            assert [code for _, code, *_ in answer.topic_errors] == [0]
            async with asyncio.timeout(clients.APPEAR):
                while len((await admin.describe_topics([made.topic]))[0]["partitions"]) < 2:
                    await asyncio.sleep(0.05)
            yield made
            await admin.delete_topics([made.topic])

    async def test_a_record_comes_back_as_it_was_written_with_the_broker_s_time(self, line: Line) -> None:
        producer, headers = await line.producer(), [("b", b"1"), ("a", b""), ("b", b"2")]
        before = time.time_ns() // 1_000_000
        done = await producer.send_and_wait(line.topic, b"value", key=b"key", partition=1, headers=headers)
        null = await producer.send_and_wait(line.topic, None, key=b"gone", partition=1)
        after = time.time_ns() // 1_000_000
        assert (done.topic, done.partition, done.offset, done.timestamp_type) == (line.topic, 1, 0, 1) and null.offset == 1
        first, second = await come(await line.reading(), 2)
        assert (first.topic, first.partition, first.offset, first.key, first.value) == (line.topic, 1, 0, b"key", b"value")
        assert list(first.headers) == headers and first.timestamp_type == 1
        assert (second.offset, second.key, second.value, list(second.headers)) == (1, b"gone", None, [])
        assert before - 1000 <= first.timestamp <= second.timestamp <= after + 1000 and done.timestamp == first.timestamp

    async def test_offsets_are_dense_and_of_each_partition(self, line: Line) -> None:
        producer = await line.producer()
        done = [await producer.send_and_wait(line.topic, b"x", partition=n) for n in (0, 1, 0, 0, 1)]
        assert [(one.partition, one.offset) for one in done] == [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1)]
        consumer = await line.consumer()
        assert await consumer.end_offsets([line.first, line.second]) == {line.first: 3, line.second: 2}
        assert await consumer.beginning_offsets([line.first, line.second]) == {line.first: 0, line.second: 0}

    async def test_what_is_sent_at_once_is_stored_in_the_order_of_the_calls(self, line: Line) -> None:
        producer = await line.producer()
        under_way = [await producer.send(line.topic, b"%d" % n, partition=0) for n in range(50)]
        assert [one.offset for one in await asyncio.gather(*under_way)] == list(range(50))
        assert values(await come(await line.reading(), 50)) == [b"%d" % n for n in range(50)]

    async def test_a_prebuilt_batch_is_full_at_its_size_and_one_span_of_offsets(self, line: Line) -> None:
        producer = await line.producer(max_batch_size=300)
        batch, count = producer.create_batch(), 0
        while batch.append(key=b"k", value=b"v" * 50, timestamp=None, headers=[]) is not None:
            count += 1
        assert 2 <= count == batch.record_count() <= 6
        sent: list[publish.Sent] = [(b"k", b"%d" % n * 50, [("n", b"")]) for n in range(9)]
        spans = await publish.send(producer, line.topic, 0, sent)
        assert len(spans) > 1 and spans[0][0] == 0 and spans[-1][1] == 9
        assert all(one[1] == two[0] for one, two in itertools.pairwise(spans))
        assert [(r.key, r.value, list(r.headers)) for r in await come(await line.reading(), 9)] == sent

    async def test_what_is_too_large_is_refused_and_the_next_one_is_stored(self, line: Line) -> None:
        producer = await line.producer()
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send(line.topic, b"x" * (clients.PRODUCER["max_request_size"] + 1), partition=0)
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(line.topic, b"x" * 30_000, partition=0)
        with pytest.raises(MessageSizeTooLargeError):
            await publish.send(producer, line.topic, 0, [(b"k", b"x" * 30_000, [])])
        assert (await producer.send_and_wait(line.topic, b"fits", partition=0)).offset == 0

    async def test_a_producer_that_has_stopped_sends_nothing(self, line: Line) -> None:
        producer = await line.producer()
        await producer.send_and_wait(line.topic, b"x", partition=0)
        await producer.stop()
        with pytest.raises(ProducerClosed):
            await producer.send(line.topic, b"x", partition=0)

    async def test_a_reader_waits_for_a_record_and_gets_it_at_once(self, line: Line) -> None:
        consumer = await line.reading()
        await nothing(consumer)
        waiting = asyncio.create_task(consumer.getmany(timeout_ms=SOON_MS))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await line.write(b"now")
        begun = time.monotonic()
        assert values((await waiting)[line.first]) == [b"now"] and time.monotonic() - begun < SOON_MS / 2000

    async def test_a_reading_that_is_given_up_loses_no_record(self, line: Line) -> None:
        consumer = await line.reading()
        for n in range(3):
            waiting = asyncio.create_task(consumer.getmany(timeout_ms=SOON_MS))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await line.write(b"%d" % n)
            assert values(await come(consumer, 1)) == [b"%d" % n]

    async def test_no_more_records_than_asked_for_and_the_rest_later(self, line: Line) -> None:
        await line.write(*[b"%d" % n for n in range(5)])
        consumer, found = await line.reading(), list[ConsumerRecord]()
        while len(found) < 5:
            some = [r for records in (await consumer.getmany(timeout_ms=SOON_MS, max_records=2)).values() for r in records]
            assert 0 < len(some) <= 2
            found += some
            assert await consumer.position(line.first) == len(found)
        assert values(found) == [b"%d" % n for n in range(5)]

    async def test_many_partitions_share_the_number_that_is_asked_for(self, line: Line) -> None:
        await line.write(b"a", b"b")
        await line.write(b"c", b"d", partition=1)
        consumer, found = await line.reading(), list[ConsumerRecord]()
        async with asyncio.timeout(SOON_MS / 1000):
            while len(found) < 4:
                some = await consumer.getmany(timeout_ms=100, max_records=3)
                assert sum(map(len, some.values())) <= 3
                found += [r for records in some.values() for r in records]
        assert sorted((r.partition, r.offset) for r in found) == [(0, 0), (0, 1), (1, 0), (1, 1)]

    async def test_only_the_partitions_that_are_asked_for(self, line: Line) -> None:
        await line.write(b"a")
        await line.write(b"b", partition=1)
        consumer = await line.reading()
        assert values(await come(consumer, 1, line.second)) == [b"b"]
        assert await consumer.position(line.first) == 0
        assert values(await come(consumer, 1)) == [b"a"]
        assert await consumer.getmany(TopicPartition(line.topic, 7)) == {}

    async def test_a_paused_partition_waits(self, line: Line) -> None:
        consumer = await line.reading()
        consumer.pause(line.first)
        await line.write(b"a")
        await line.write(b"b", partition=1)
        assert values(await come(consumer, 1)) == [b"b"]
        await nothing(consumer)
        consumer.resume(line.first)
        assert values(await come(consumer, 1)) == [b"a"]

    async def test_a_reader_goes_back_and_forth(self, line: Line) -> None:
        await line.write(b"a", b"b", b"c")
        consumer = await line.reading(at=0)
        assert values(await come(consumer, 3)) == [b"a", b"b", b"c"]
        consumer.seek(line.first, 1)
        assert await consumer.position(line.first) == 1
        assert values(await come(consumer, 2)) == [b"b", b"c"]
        consumer.assign([line.second])
        assert consumer.assignment() == {line.second}
        with pytest.raises(IllegalStateError):
            await consumer.position(line.first)
        consumer.unsubscribe()
        assert consumer.assignment() == set()

    async def test_a_fetch_has_at_least_one_batch_however_small_it_must_be(self, line: Line) -> None:
        await line.write(b"a" * 300, b"b" * 300)
        consumer = await line.reading(max_partition_fetch_bytes=100)
        assert len((await consumer.getmany(timeout_ms=SOON_MS))[line.first]) == 1
        assert len(await come(consumer, 1)) == 1

    async def test_the_end_is_known_with_the_records(self, line: Line) -> None:
        consumer = await line.reading()
        assert consumer.highwater(line.first) in (None, 0)
        await line.write(b"a", b"b", b"c")
        await come(consumer, 3)
        assert consumer.highwater(line.first) == 3

    async def test_a_position_outside_the_topic_is_no_silence(self, line: Line) -> None:
        await line.write(b"a", b"b", b"c")
        consumer = await line.reading(at=0)
        consumer.seek(line.first, 9)
        with pytest.raises(OffsetOutOfRangeError) as raised:
            await come(consumer, 1)
        assert raised.value.args[0] == {line.first: 9}

    async def test_what_retention_deleted_is_gone_and_offsets_go_on(self, line: Line) -> None:
        await line.write(b"a", b"b", b"c")
        await (await line.admin()).delete_records({line.first: RecordsToDelete(before_offset=2)})
        consumer = await line.reading()
        assert await consumer.beginning_offsets([line.first]) == {line.first: 2}
        with pytest.raises(OffsetOutOfRangeError):
            await come(consumer, 1)
        consumer.seek(line.first, 2)
        assert values(await come(consumer, 1)) == [b"c"]
        await line.write(b"d")
        assert [(r.offset, r.value) for r in await come(consumer, 1)] == [(3, b"d")]

    async def test_the_first_record_at_a_time_or_later(self, line: Line) -> None:
        await line.write(b"a")
        await asyncio.sleep(0.05)
        await line.write(b"b")
        consumer = await line.reading()
        first, second = await come(consumer, 2)
        found = await consumer.offsets_for_times({line.first: second.timestamp, line.second: 0})
        assert found[line.first] == (1, second.timestamp) and found[line.second] is None
        assert (await consumer.offsets_for_times({line.first: first.timestamp}))[line.first].offset == 0
        assert (await consumer.offsets_for_times({line.first: second.timestamp + 60_000}))[line.first] is None

    @pytest.mark.parametrize("commit", [True, False])
    async def test_a_transaction_is_seen_by_its_end_and_holds_back_what_stands_behind_it(self, line: Line, commit: bool) -> None:
        careful, book = await line.reading(), await line.reading(isolation_level="read_uncommitted")
        await line.write(b"before")
        writer = await line.producer(transactional_id=f"{line.topic}-writer")
        await writer.begin_transaction()
        await writer.send_and_wait(line.topic, b"inside", partition=0)
        await line.write(b"behind")
        assert values(await come(book, 3)) == [b"before", b"inside", b"behind"]
        assert values(await come(careful, 1)) == [b"before"]
        await nothing(careful)
        assert await careful.end_offsets([line.first]) == {line.first: 1}
        assert await book.end_offsets([line.first]) == {line.first: 3}
        await (writer.commit_transaction() if commit else writer.abort_transaction())
        assert values(await come(careful, 1 + commit)) == [b"inside", b"behind"][not commit :]
        await reaches(careful, line.first, 4)  # the marker has an offset, and is no record
        await reaches(book, line.first, 4)
        assert await careful.end_offsets([line.first]) == await book.end_offsets([line.first]) == {line.first: 4}

    async def test_markers_at_the_end_are_passed_without_a_record(self, line: Line) -> None:
        writer = await line.producer(transactional_id=f"{line.topic}-writer")
        for _ in range(2):
            await writer.begin_transaction()
            await writer.send_and_wait(line.topic, b"x", partition=0)
            await writer.abort_transaction()
        consumer = await line.reading()
        await reaches(consumer, line.first, 4)
        await nothing(consumer)
        await line.write(b"after")
        assert [(r.offset, r.value) for r in await come(consumer, 1)] == [(4, b"after")]

    async def test_who_takes_a_transactional_id_fences_its_holder_and_aborts_what_it_left(self, line: Line) -> None:
        name = f"{line.topic}-writer"
        old = await line.producer(transactional_id=name)
        await old.begin_transaction()
        await old.send_and_wait(line.topic, b"old", partition=0)
        new = await line.producer(transactional_id=name)
        with pytest.raises(ProducerFenced):
            await old.commit_transaction()
        await new.begin_transaction()
        await new.send_and_wait(line.topic, b"new", partition=0)
        await new.commit_transaction()
        assert values(await come(await line.reading(), 1)) == [b"new"]

    async def test_a_producer_with_transactions_sends_nothing_outside_of_one(self, line: Line) -> None:
        writer = await line.producer(transactional_id=f"{line.topic}-writer")
        with pytest.raises(IllegalOperation):
            await writer.send_and_wait(line.topic, b"x", partition=0)

    async def test_a_topic_that_is_not_there_is_no_empty_one(self, line: Line) -> None:
        missing = TopicPartition(f"{line.topic}-missing", 0)
        consumer = await line.consumer(request_timeout_ms=1000)
        assert line.topic in await consumer.topics() and missing.topic not in await consumer.topics()
        assert consumer.partitions_for_topic(line.topic) == {0, 1} and not consumer.partitions_for_topic(missing.topic)
        with pytest.raises(KafkaTimeoutError):
            await consumer.end_offsets([missing])
        with pytest.raises(KafkaTimeoutError):
            await consumer.beginning_offsets([missing])

    async def test_a_topic_is_made_once_and_keeps_its_settings(self, line: Line) -> None:
        admin = await line.admin()
        assert line.topic in await admin.list_topics()
        answer = await admin.create_topics([NewTopic(line.topic, 2, 1)])
        assert [code for _, code, *_ in answer.topic_errors] == [36]
        [described] = await admin.describe_topics([line.topic])
        assert described["topic"] == line.topic and sorted(one["partition"] for one in described["partitions"]) == [0, 1]
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, line.topic)])
        [(_, _, _, name, found)] = answer.resources
        held = {entry[0]: entry[1] for entry in found}
        assert name == line.topic and {key: held[key] for key in APPENDED} == APPENDED
        assert len((await admin.describe_cluster())["brokers"]) == 1

    async def test_a_topic_made_anew_begins_at_its_first_record(self, line: Line) -> None:
        admin = await line.admin()
        await line.write(b"old")
        await admin.delete_topics([line.topic])
        async with asyncio.timeout(SOON_MS / 1000):
            while line.topic in await admin.list_topics():
                await asyncio.sleep(0.05)
        answer = await admin.create_topics([NewTopic(line.topic, 2, 1, topic_configs=APPENDED)])
        assert [code for _, code, *_ in answer.topic_errors] == [0]
        async with asyncio.timeout(clients.APPEAR):
            while len((await admin.describe_topics([line.topic]))[0]["partitions"]) < 2:
                await asyncio.sleep(0.05)
        await line.write(b"new")
        assert [(r.offset, r.value) for r in await come(await line.reading(), 1)] == [(0, b"new")]

    async def test_whole_topics_are_scanned_to_their_end_at_the_start(self, line: Line) -> None:
        await line.write(b"a", b"b")
        await line.write(b"c", partition=1)
        found = []
        async for place, record in scan.whole(line.settings, [line.name, f"{line.name}-missing"]):
            found.append((place, record.value))
            await line.write(b"later")
        assert sorted(found) == [((line.name, 0), b"a"), ((line.name, 0), b"b"), ((line.name, 1), b"c")]
        assert await scan.ends(line.settings, [line.name]) == {(line.name, 0): 5, (line.name, 1): 1}
        assert await scan.ends(line.settings, [f"{line.name}-missing"]) == {}

    async def test_the_line_s_own_topics_are_made_from_their_cards(self, line: Line) -> None:
        await clients.create_topics(line.settings)
        await clients.create_topics(line.settings)
        await clients.create_ingress(line.settings, "school-drita")
        admin = await line.admin()
        assert await clients.differences(admin, line.settings, clients.wanted(line.settings)) == []
        assert clients.ingress_of(line.settings, set(await admin.list_topics())) == ["school-drita"]


class AwayContract:
    """What happens to clients whose broker goes away: `line` as above, and `silence`, a context in which the broker answers nobody."""

    async def test_nobody_gets_an_answer_and_nothing_is_lost(self, line: Line, silence: Any) -> None:
        await line.write(b"before")
        reader = await line.reading(request_timeout_ms=1000)
        producer = await line.producer(request_timeout_ms=1000)
        await producer.send_and_wait(line.topic, b"warm", partition=0)
        assert len(await come(reader, 2)) == 2
        async with silence:
            with pytest.raises(KafkaError):
                await reader.end_offsets([line.first])
            with pytest.raises(TimeoutError):  # whoever sends waits until the broker is back, or gives up
                async with asyncio.timeout(2):
                    await producer.send_and_wait(line.topic, b"lost or not", partition=0)
            assert await reader.getmany(timeout_ms=500) == {}
            with pytest.raises((KafkaError, TimeoutError)):
                async with asyncio.timeout(3):
                    await (await line.consumer()).topics()
        await line.write(b"after")
        found = values(await come(reader, 1))
        while b"after" not in found:
            found += values(await come(reader, 1))
        assert found in ([b"after"], [b"lost or not", b"after"])
