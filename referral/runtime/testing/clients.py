"""Reach a broker in memory: the consumer, the producer and the admin client with that part of aiokafka's behaviour on which we rely."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from types import SimpleNamespace
from typing import Any, Self
from unittest import mock

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.errors import (
    IllegalOperation,
    IllegalStateError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    ProducerClosed,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import OffsetAndTimestamp, RecordMetadata

from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.runtime.testing.broker import EVERYTHING, Broker, Partition, Writer

Headers = list[tuple[str, bytes | None]]


@contextmanager
def in_place_of_kafka(broker: Broker, address: str) -> Iterator[None]:
    """Let the clients of this process whose settings name this address reach the broker in memory, and all others Kafka."""
    made: dict[str, Any] = {"AIOKafkaConsumer": Consumer, "AIOKafkaProducer": Producer, "AIOKafkaAdminClient": Admin}
    real_reached = clients.reached

    def reached(settings: Settings) -> dict[str, Any]:
        if settings.kafka != address:
            return real_reached(settings)
        return {"bootstrap_servers": address, "client_id": f"referral-{settings.instance}"}

    def either(double: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda **config: double(broker, **config) if config["bootstrap_servers"] == address else real(**config)

    instead: dict[str, Any] = {name: either(double, getattr(clients, name)) for name, double in made.items()}
    with mock.patch.multiple(clients, **instead, reached=reached):
        yield


class _Client:
    """The part of every client that reaches the broker. `_client`, `client`: where aiokafka has its connections."""

    def __init__(self, broker: Broker, **config: Any) -> None:
        self._broker, self._closed = broker, False
        self._seconds = config.get("request_timeout_ms", 40_000) / 1000
        self._client = self.client = SimpleNamespace(_conns={}, set_topics=self._found, close=self.stop)

    async def start(self) -> None:
        """Connect. KafkaConnectionError: the broker is away."""
        self._broker.connect()

    async def stop(self) -> None:
        """End the client. What it held is dropped."""
        self._closed = True

    async def _found(self, topics: Iterable[str]) -> None:
        await self._broker.reach(self._seconds)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class Consumer(_Client):
    """A consumer of partitions that its caller assigns, without a group."""

    def __init__(self, broker: Broker, *, isolation_level: str = "read_uncommitted", **config: Any) -> None:
        super().__init__(broker, **config)
        self._isolation = READ_COMMITTED if isolation_level == "read_committed" else READ_UNCOMMITTED
        self._most = int(config.get("max_partition_fetch_bytes", 1 << 20))
        self._positions: dict[TopicPartition, int | None] = {}
        self._paused: set[TopicPartition] = set()
        self._highwater: dict[TopicPartition, int] = {}
        self._fetcher = SimpleNamespace(_prefetch_backoff=0.0)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read exactly these partitions, each once `seek` has said from where."""
        self._positions = dict.fromkeys(partitions)
        self._paused.clear()
        self._highwater.clear()

    def unsubscribe(self) -> None:
        """Read none."""
        self.assign(())

    def assignment(self) -> set[TopicPartition]:
        """Return the assigned partitions."""
        return set(self._positions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at an offset."""
        self._assigned(partition)
        self._positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        """Return the next offset to read, behind markers and aborted records that were passed."""
        self._assigned(partition)
        position = self._positions[partition]
        if position is None:
            raise IllegalStateError(f"no position of {partition}: there is no reset policy")
        return position

    def pause(self, *partitions: TopicPartition) -> None:
        """Return no record of these until `resume`."""
        self._assigned(*partitions)
        self._paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Read these again."""
        self._paused.difference_update(partitions)

    def highwater(self, partition: TopicPartition) -> int | None:
        """Return the end of a partition at its last fetch; None before one."""
        self._assigned(partition)
        return self._highwater.get(partition)

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Return records that are there; if there are none, those that come first within the time.

        OffsetOutOfRangeError: a position is outside what is retained.
        """
        await asyncio.sleep(0)  # others have their turn, even where records never end
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_ms / 1000
        while True:
            found = {} if self._broker.away else self._read(partitions or tuple(self._positions), max_records)
            left = until - loop.time()
            if found or left <= 0:
                return found
            await self._broker.change(left)

    def _read(self, partitions: Iterable[TopicPartition], most: int | None) -> dict[TopicPartition, list[ConsumerRecord]]:
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        for tp in [tp for tp in partitions if tp in self._positions and tp not in self._paused and tp.topic in self._broker.topics]:
            room = None if most is None else most - sum(map(len, found.values()))
            if room != 0 and (records := self._records(tp, room)):
                found[tp] = records
        for tp in found:  # another one comes first next time
            self._positions[tp] = self._positions.pop(tp)
        return found

    def _records(self, tp: TopicPartition, most: int | None) -> list[ConsumerRecord]:
        log, position = self._broker.log(tp), self._positions[tp]
        if position is None:
            return []
        if not log.begin <= position <= log.end:
            raise OffsetOutOfRangeError({tp: position})
        self._highwater[tp] = log.end
        while True:
            fetched = log.fetch(tp, position, self._isolation, self._most, EVERYTHING if most is None else most)
            records = list(islice(fetched, most))
            passed, position = position, fetched.next_fetch_offset
            self._positions[tp] = position
            if records or position == passed:
                return records

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset that is retained of each. KafkaTimeoutError: the broker is away, or has no such partition."""
        return {tp: log.begin for tp, log in (await self._logs(partitions)).items()}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset behind the last record that this consumer may read. KafkaTimeoutError: as `beginning_offsets`."""
        return {tp: log.limit(self._isolation) for tp, log in (await self._logs(partitions)).items()}

    async def offsets_for_times(self, timestamps: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """Return the first record of each partition at this time (ms) or later; None: there is none."""
        return {tp: self._since(tp, log, timestamps[tp]) for tp, log in (await self._logs(timestamps)).items()}

    def _since(self, tp: TopicPartition, log: Partition, at: int) -> OffsetAndTimestamp | None:
        fetched = log.fetch(tp, log.begin, self._isolation)
        return next((OffsetAndTimestamp(record.offset, record.timestamp) for record in fetched if record.timestamp >= at), None)

    async def topics(self) -> set[str]:
        """Return the names of all topics. KafkaConnectionError: the broker is away."""
        self._broker.connect()
        return set(self._broker.topics)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Return the partitions of a topic; None: there is none."""
        return set(range(len(self._broker.topics[topic].partitions))) if topic in self._broker.topics else None

    async def _logs(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Partition]:
        wanted = list(partitions)
        await self._broker.reach(self._seconds, wanted)
        return {tp: self._broker.log(tp) for tp in wanted}

    def _assigned(self, *partitions: TopicPartition) -> None:
        if missing := [tp for tp in partitions if tp not in self._positions]:
            raise IllegalStateError(f"{missing} are not assigned")


class Producer(_Client):
    """A producer for explicit partitions. Every batch is sent at once, in the order of the calls."""

    _sender = None

    def __init__(
        self,
        broker: Broker,
        *,
        transactional_id: str | None = None,
        max_batch_size: int = 16_384,
        max_request_size: int = 1 << 20,
        **config: Any,
    ) -> None:
        super().__init__(broker, **config)
        self._transactional_id, self._batch_bytes, self._most = transactional_id, max_batch_size, max_request_size
        self._writer: Writer | None = None
        self._begun = False
        self._under_way: set[asyncio.Task[RecordMetadata]] = set()
        self._last: dict[TopicPartition, asyncio.Task[RecordMetadata]] = {}

    async def start(self) -> None:
        """Connect and get a number, as a writer of transactions or an idempotent one does."""
        await super().start()
        self._writer = self._broker.writer(self._transactional_id)

    async def stop(self) -> None:
        """End the client. What waits for the broker is dropped."""
        await super().stop()
        for task in self._under_way:
            task.cancel()

    def create_batch(self) -> BatchBuilder:
        """Return an empty batch."""
        return self._builder(self._batch_bytes)

    def _builder(self, most: int) -> BatchBuilder:
        return BatchBuilder(most, 0, is_transactional=int(self._transactional_id is not None))

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, partition: int = 0, headers: Headers | None = None
    ) -> asyncio.Future[RecordMetadata]:
        """Send one record. MessageSizeTooLargeError: it is larger than a request may be."""
        batch = self._builder(self._most + 1024)
        sized = batch.append(key=key, value=value, timestamp=None, headers=headers or [])
        if sized is None or sized.size > self._most:
            raise MessageSizeTooLargeError(f"a record for {topic}")
        return await self.send_batch(batch, topic, partition=partition)

    async def send_and_wait(self, topic: str, value: bytes | None = None, **more: Any) -> RecordMetadata:
        """Send one record and wait until the broker has it."""
        return await (await self.send(topic, value, **more))

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        """Send a batch; what is returned ends when the broker has answered, however long it is away.

        KafkaTimeoutError: there is no such topic.
        """
        if self._closed:
            raise ProducerClosed
        if self._transactional_id is not None and not self._begun:
            raise IllegalOperation("no transaction has begun")
        tp = TopicPartition(topic, partition)
        if topic not in self._broker.topics:
            await self._broker.reach(self._seconds, [tp])
        task = self._last[tp] = asyncio.create_task(self._sent(tp, batch, self._last.get(tp)))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _sent(self, tp: TopicPartition, batch: BatchBuilder, before: asyncio.Task[RecordMetadata] | None) -> RecordMetadata:
        if before is not None and not before.done():
            await asyncio.wait([before])
        await self._broker.reach(math.inf, [tp])
        if self._writer is not None:
            batch._set_producer_state(self._writer.number, self._writer.epoch, 0)
        offset, at = self._broker.append(tp, bytes(batch._build()), self._writer, transaction=self._begun)
        appended = self._broker.topics[tp.topic].config.get("message.timestamp.type") == "LogAppendTime"
        return RecordMetadata(tp.topic, tp.partition, tp, offset, at, int(appended), self._broker.log(tp).begin)

    async def flush(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def begin_transaction(self) -> None:
        """Begin one. IllegalOperation: one has begun."""
        if self._begun or self._transactional_id is None:
            raise IllegalOperation("a transaction has begun, or this producer has none")
        self._begun = True

    async def commit_transaction(self) -> None:
        """Let readers see its records. ProducerFenced: another producer has its transactional id."""
        await self._end(commit=True)

    async def abort_transaction(self) -> None:
        """Let readers pass its records over."""
        await self._end(commit=False)

    async def _end(self, *, commit: bool) -> None:
        if not self._begun or self._writer is None:
            raise IllegalOperation("no transaction has begun")
        await self.flush()
        await self._broker.reach(self._seconds)
        self._begun = False
        self._broker.end_transaction(self._writer, commit=commit)


class Admin(_Client):
    """The part of an admin client by which topics are made, and an access list and limits that allow everything."""

    async def close(self) -> None:
        """End the client."""
        await self.stop()

    async def describe_cluster(self) -> dict[str, Any]:
        """Return the one broker."""
        await self._broker.reach(self._seconds)
        return {"brokers": [{"node_id": 1, "host": "memory", "port": 0, "rack": None}]}

    async def list_topics(self) -> list[str]:
        """Return the names of all topics."""
        await self._broker.reach(self._seconds)
        return list(self._broker.topics)

    async def create_topics(self, new_topics: Iterable[NewTopic]) -> Any:
        """Create topics; `topic_errors` has a code for each."""
        await self._broker.reach(self._seconds)
        errors = []
        for new in new_topics:
            made = self._broker.create(new.name, new.num_partitions, new.topic_configs)
            errors.append((new.name, 0 if made else TopicAlreadyExistsError.errno, None))
        return SimpleNamespace(topic_errors=errors)

    async def delete_topics(self, topics: Iterable[str]) -> Any:
        """Delete topics; `topic_error_codes` has a code for each."""
        await self._broker.reach(self._seconds)
        unknown = UnknownTopicOrPartitionError.errno
        return SimpleNamespace(topic_error_codes=[(name, 0 if self._broker.delete(name) else unknown) for name in topics])

    async def delete_records(self, records_to_delete: Mapping[TopicPartition, RecordsToDelete]) -> None:
        """Delete what stands before an offset of each partition, as retention does."""
        await self._broker.reach(self._seconds, records_to_delete)
        for tp, before in records_to_delete.items():
            self._broker.truncate(tp, before.before_offset)

    async def describe_topics(self, topics: Iterable[str]) -> list[dict[str, Any]]:
        """Return the partitions of topics."""
        await self._broker.reach(self._seconds)
        return [self._described(name) for name in topics]

    def _described(self, name: str) -> dict[str, Any]:
        topic = self._broker.topics.get(name)
        count = len(topic.partitions) if topic else 0
        copies = {"leader": 1, "replicas": [1], "isr": [1], "offline_replicas": [], "error_code": 0}
        partitions = [{"partition": number, **copies} for number in range(count)]
        return {"topic": name, "error_code": 0 if topic else UnknownTopicOrPartitionError.errno, "partitions": partitions}

    async def describe_configs(self, resources: Iterable[ConfigResource]) -> list[Any]:
        """Return the settings that topics were made with."""
        await self._broker.reach(self._seconds)
        found = [(0, None, 2, one.name, list(self._broker.topics[one.name].config.items())) for one in resources]
        return [SimpleNamespace(resources=found)]

    async def _send_request(self, request: object) -> Any:
        """Answer about the access list and limits: there are none."""
        return SimpleNamespace(error_code=0, resources=[], entries=[])

    async def _send_to_controller(self, request: object) -> Any:
        """Accept a change of the access list or of limits, and forget it."""
        return SimpleNamespace(creation_responses=[], filter_responses=[], entries=[])
