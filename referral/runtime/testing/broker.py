"""Hold topics in memory as a broker does: record batches in their real bytes, offsets, transactions, its own time.

It is for tests of what stands above the broker. It allows everything to everybody, keeps one copy and forgets nothing by itself: access,
replication, compaction and the end of a process are tested on a real broker. tests/harness/broker_contract.py holds both to one behaviour.
"""

from __future__ import annotations

import asyncio
import struct
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import (
    CorruptRecordException,
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFenced,
    UnknownTopicOrPartitionError,
)
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from referral.runtime.kafka.fetched import Bytes, Fetched

MAX_MESSAGE_BYTES = 1_048_588
"""A broker's limit of one batch where its topic sets no other (default of Kafka)."""
EVERYTHING = 1 << 62
"""A size, or a number of records, that nothing reaches."""
_BASE, _CRC, _CHECKED, _LAST_AT = struct.Struct(">q"), struct.Struct(">I"), 21, 35
"""First offset of a batch and its checksum; where the bytes begin that the checksum covers, and where the latest time stands."""
_APPENDED, _CONTROL = 0x08, 0x20
_ABORT, _COMMIT = struct.pack(">hh", 0, 0), struct.pack(">hh", 0, 1)


@dataclass(slots=True)
class Writer:
    """A writer as the broker knows it. epoch: grows when another one takes its transactional id. open: places of its transaction."""

    number: int
    epoch: int = 0
    open: dict[TopicPartition, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """A stored batch. base, last: first and last offset."""

    base: int
    last: int
    data: bytes


@dataclass(slots=True)
class Partition:
    """The log of one partition. begin: first offset that is retained. open: writer → first offset of its open transaction.

    aborted: writer, first and last offset of each aborted transaction.
    """

    batches: list[Batch] = field(default_factory=list)
    begin: int = 0
    end: int = 0
    open: dict[int, int] = field(default_factory=dict)
    aborted: list[tuple[int, int, int]] = field(default_factory=list)

    def limit(self, isolation: int) -> int:
        """Return the offset before which a reader of this isolation reads: that of the first open transaction, or the end."""
        return min(self.open.values(), default=self.end) if isolation == READ_COMMITTED else self.end

    def fetch(self, tp: TopicPartition, offset: int, isolation: int, most_bytes: int = EVERYTHING, most: int = EVERYTHING) -> Fetched:
        """Return the records from an offset on, as a consumer gets them: whole batches, at least one, up to a size or number of records."""
        taken, size, count, limit = list[bytes](), 0, 0, self.limit(isolation)
        for batch in self.batches[bisect_right(self.batches, offset, key=lambda one: one.last + 1) :]:
            if batch.base >= limit or count >= most or (taken and size + len(batch.data) > most_bytes):
                break
            taken.append(batch.data)
            size, count = size + len(batch.data), count + batch.last - max(batch.base, offset) + 1
        aborted = [(number, begin) for number, begin, last in self.aborted if last >= offset]
        return Fetched(tp, Bytes(b"".join(taken)), aborted, offset, None, None, True, isolation)


@dataclass(slots=True)
class Topic:
    """A topic. config: its own settings, as the broker names them."""

    partitions: list[Partition]
    config: dict[str, str]


class Broker:
    """A broker of one process, for clients that `clients.in_place_of_kafka` makes.

    now_ms: the broker's clock, ms UTC.
    away: it answers nobody, and keeps what it has.
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.now_ms, self.away = now_ms, False
        self.topics: dict[str, Topic] = {}
        self._writers: dict[str, Writer] = {}
        self._numbers = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def create(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """Create a topic. Return False when it exists."""
        if name in self.topics:
            return False
        self.topics[name] = Topic([Partition() for _ in range(partitions)], dict(config))
        self._wake()
        return True

    def delete(self, name: str) -> bool:
        """Delete a topic with its records. Return False when there is none."""
        return self.topics.pop(name, None) is not None

    def truncate(self, tp: TopicPartition, before: int) -> None:
        """Delete the batches that end before an offset, as retention does."""
        log = self.log(tp)
        log.batches = [batch for batch in log.batches if batch.last >= before]
        log.begin = max(log.begin, min(before, log.end))

    def log(self, tp: TopicPartition) -> Partition:
        """Return a partition. UnknownTopicOrPartitionError: there is none."""
        if not self._has(tp):
            raise UnknownTopicOrPartitionError(f"{tp.topic}/{tp.partition}")
        number: int = tp.partition
        return self.topics[tp.topic].partitions[number]

    @contextmanager
    def absent(self) -> Iterator[None]:
        """Be away for the length of a block."""
        self.away = True
        try:
            yield
        finally:
            self.away = False
            self._wake()

    def connect(self) -> None:
        """Take a new connection. KafkaConnectionError: the broker is away."""
        if self.away:
            raise KafkaConnectionError("the broker in memory is away")

    async def reach(self, seconds: float, places: Iterable[TopicPartition] = ()) -> None:
        """Wait until the broker answers and has these partitions. KafkaTimeoutError: not within so many seconds."""
        loop = asyncio.get_running_loop()
        until, wanted = loop.time() + seconds, list(places)
        while self.away or not all(self._has(tp) for tp in wanted):
            left = until - loop.time()
            if left <= 0:
                raise KafkaTimeoutError(f"the broker in memory gave no answer in {seconds} s")
            await self.change(left)

    def _has(self, tp: TopicPartition) -> bool:
        topic = self.topics.get(tp.topic)
        return topic is not None and tp.partition < len(topic.partitions)

    async def change(self, seconds: float) -> None:
        """Wait until something is stored, at most so many seconds."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await asyncio.wait([waiting], timeout=seconds)
        finally:
            self._waiting.discard(waiting)

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def writer(self, transactional_id: str | None) -> Writer:
        """Return the number of a writer. The one that had its transactional id before is fenced, and its transaction aborted."""
        self._numbers += 1
        if transactional_id is None:
            return Writer(self._numbers)
        before = self._writers.get(transactional_id)
        if before is not None:
            self._close(before, _ABORT)
            before.epoch += 1
        known = Writer(self._numbers if before is None else before.number, 0 if before is None else before.epoch)
        self._writers[transactional_id] = known
        return known

    def append(self, tp: TopicPartition, data: bytes, writer: Writer | None = None, *, transaction: bool = False) -> tuple[int, int]:
        """Store a batch and return (its first offset, the broker's time in ms). writer: None where nobody asked for a number.

        UnknownTopicOrPartitionError, MessageSizeTooLargeError, CorruptRecordException, ProducerFenced: nothing was stored.
        """
        log, config = self.log(tp), self.topics[tp.topic].config
        if len(data) > int(config.get("max.message.bytes", MAX_MESSAGE_BYTES)):
            raise MessageSizeTooLargeError(f"a batch of {len(data)} bytes for {tp.topic}")
        batch = DefaultRecordBatch(data)
        if not batch.validate_crc():
            raise CorruptRecordException(f"a batch for {tp.topic}")
        if writer is not None and transaction:
            self._check(writer)
            log.open.setdefault(writer.number, log.end)
            writer.open.setdefault(tp, log.end)
        at = self._store(log, bytearray(data), batch.last_offset_delta + 1, config)
        return log.batches[-1].base, at

    def _store(self, log: Partition, data: bytearray, count: int, config: Mapping[str, str]) -> int:
        """Store a batch behind the last one, numbered and dated by the broker. Return its time, ms."""
        at = self.now_ms()
        _BASE.pack_into(data, 0, log.end)
        if config.get("message.timestamp.type") == "LogAppendTime":
            data[_CHECKED + 1] |= _APPENDED
            _BASE.pack_into(data, _LAST_AT, at)
        _CRC.pack_into(data, _CHECKED - _CRC.size, calc_crc32c(bytes(data[_CHECKED:])))
        log.batches.append(Batch(log.end, log.end + count - 1, bytes(data)))
        log.end += count
        self._wake()
        return at

    def end_transaction(self, writer: Writer, *, commit: bool) -> None:
        """Write the markers of a transaction. ProducerFenced: another one has its transactional id."""
        self._check(writer)
        self._close(writer, _COMMIT if commit else _ABORT)

    def _close(self, writer: Writer, marker: bytes) -> None:
        for tp, first in writer.open.items():
            log = self.log(tp)
            del log.open[writer.number]
            if marker == _ABORT:
                log.aborted.append((writer.number, first, log.end))
            builder = DefaultRecordBatchBuilder(2, 0, 1, writer.number, writer.epoch, -1, 1024)
            builder.append(0, self.now_ms(), marker, struct.pack(">hi", 0, 0), [])
            data = builder.build()
            data[_CHECKED + 1] |= _CONTROL
            self._store(log, bytearray(data), 1, self.topics[tp.topic].config)
        writer.open.clear()

    def _check(self, writer: Writer) -> None:
        if all(known is not writer for known in self._writers.values()):
            raise ProducerFenced
