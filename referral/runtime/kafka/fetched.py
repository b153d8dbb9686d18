"""Turn fetched bytes into records, so that no batch, whatever it contains, blocks its reader (docs/decisions/0019).

aiokafka raises for a batch that it cannot decode, for every partition of the consumer, again and again. Here such a batch becomes one
record, `Undecodable`, with the beginning of its bytes. Readers quarantine it and continue behind it. A compressed batch is never unpacked:
300 KB can unpack to 300 MB, and no program of ours compresses.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatch

KEPT = 64 * 1024
"""Bytes of an undecodable batch that are stored (ours): enough to identify its writer; the whole batch remains on its topic."""
MARK = "referral-undecodable"
"""Header with the reason why a batch was not decoded, for audit's log. Anybody can add such a header, nobody can forge an `Undecodable`."""
COMPRESSED, CHECKSUM, TORN = "compressed", "checksum", "torn"
REASONS = frozenset({COMPRESSED, CHECKSUM, TORN})
"""Words of the list quarantine-reason."""
_HEAD = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, CRC, attributes, last offset delta, first and last timestamp, producer (3), count."""
_FRAME = 12  # bytes before those that the length counts
_MAGIC, _CODEC, _APPENDED = 2, 0x07, 0x08  # the only format that a broker of 4.x stores; attribute bits
NAMELESS = ("referral-undecodable-name", "referral-undecodable-value")
"""Headers that replace a header whose name is not UTF-8: one has the bytes of its name, the other its value."""
Headers = list[tuple[str, bytes | None]]


@dataclass
class Undecodable(ConsumerRecord[bytes, bytes]):  # type: ignore[misc]
    """A batch that is not decoded. offset: of its last record. value: its first KEPT bytes. length, sha256: of the whole batch."""

    reason: str = TORN
    length: int = 0
    sha256: bytes = b""


class Piece(NamedTuple):
    """A batch, cut out by its own length field.

    whole: the frame is that of a batch; otherwise no other field but view is known.
    base, last: first and last offset.
    many: number of records.
    """

    view: memoryview
    whole: bool
    base: int = 0
    last: int = 0
    attributes: int = 0
    first_at: int = 0
    last_at: int = 0
    many: int = 0


class Record(NamedTuple):
    """A record of the lenient parser, with aiokafka's attribute names."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    checksum: None = None


def cut(data: bytes) -> list[Piece]:
    """Return the batches of fetched bytes. A last one that the broker cut short is fetched again; a first one that is cut is torn."""
    pieces: list[Piece] = []
    at, view = 0, memoryview(data)
    while at < len(data):
        if len(data) - at < _HEAD.size:
            break
        base, length, _, magic, _, attributes, delta, first_at, last_at, _, _, _, many = _HEAD.unpack_from(data, at)
        end = at + _FRAME + length
        if magic != _MAGIC or length < _HEAD.size - _FRAME or end > len(data):
            break
        pieces.append(Piece(view[at:end], True, base, base + delta, attributes, first_at, last_at, many))
        at = end
    return pieces or ([Piece(view, False)] if data else [])


def records(piece: Piece) -> list[Any] | None:
    """Return the records of an uncompressed batch, in order; None: it is torn. NAMELESS replaces a header whose name is not UTF-8."""
    parsed: list[Any]
    try:
        parsed = list(DefaultRecordBatch(piece.view))
    except Exception:  # the lenient parser decides whether the batch is torn, whatever the fast one raised
        try:
            parsed = _read(piece)
        except (ValueError, IndexError):
            return None
    before = piece.base - 1
    for record in parsed:
        if not before < record.offset <= piece.last:
            return None
        before = record.offset
    return parsed


class Fetched(PartitionRecords):  # type: ignore[misc]
    """One partition of a fetch response, in place of aiokafka's class: it never raises, and every response moves the position."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[ConsumerRecord[bytes, bytes]]:
        begin, pieces = self.next_fetch_offset, cut(self._records.data)
        for piece, following in zip_longest(pieces, pieces[1:]):
            yield from self._piece(piece, following)
        if self.next_fetch_offset <= begin and pieces:
            yield self._undecodable(pieces[0], begin, TORN)

    def _piece(self, piece: Piece, following: Piece | None) -> Iterator[ConsumerRecord[bytes, bytes]]:
        """Yield the records of one batch. following: the batch behind it, which limits the offsets of this one."""
        at: int = self.next_fetch_offset
        if not piece.whole:
            yield self._undecodable(piece, at, TORN)
            return
        batch = DefaultRecordBatch(piece.view)
        if self._check_crcs and not batch.validate_crc():  # then no field of the batch is trusted
            sure = following is not None and DefaultRecordBatch(following.view).validate_crc()
            yield self._undecodable(piece, max(at, following.base - 1) if sure and following else at, CHECKSUM)
            return
        last = piece.last if following is None else min(piece.last, following.base - 1)
        if self._passed_over(batch):
            self.next_fetch_offset = max(at, last + 1)
        elif piece.attributes & _CODEC:
            yield self._undecodable(piece, max(at, last), COMPRESSED)
        elif (parsed := records(piece)) is None:
            yield self._undecodable(piece, max(at, last), TORN)
        else:
            for record in parsed:
                if record.offset >= at:
                    self.next_fetch_offset = record.offset + 1
                    yield self._consumer_record(self._tp, record)
            self.next_fetch_offset = max(self.next_fetch_offset, last + 1)

    def _passed_over(self, batch: Any) -> bool:
        """Return whether a batch is a transaction marker or was aborted; both by aiokafka's rules."""
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._aborts(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)

    def _aborts(self, batch: Any) -> bool:
        try:
            return bool(self._contains_abort_marker(batch))
        except Exception:  # a marker that cannot be read marks nothing
            return False

    def _undecodable(self, piece: Piece, offset: int, reason: str) -> Undecodable:
        self.next_fetch_offset = offset + 1
        length, sha256 = len(piece.view), hashlib.sha256(piece.view).digest()
        return Undecodable(
            topic=self._tp.topic,
            partition=self._tp.partition,
            offset=offset,
            timestamp=piece.last_at if piece.whole and reason != CHECKSUM else 0,
            timestamp_type=1,
            key=None,
            value=bytes(piece.view[:KEPT]),
            checksum=None,
            serialized_key_size=-1,
            serialized_value_size=length,
            headers=((MARK, reason.encode()), ("referral-length", str(length).encode()), ("referral-sha256", sha256.hex().encode())),
            reason=reason,
            length=length,
            sha256=sha256,
        )


class Bytes:
    """The bytes of a partition with the methods that the fetcher calls, in place of aiokafka's class."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data or b""

    def has_next(self) -> bool:
        return bool(self.data)

    def size_in_bytes(self) -> int:
        return len(self.data)


def protect() -> None:
    """Make every consumer of this process, Faust's too, parse with `Fetched`. Call this before creating a consumer."""
    fetcher.PartitionRecords, fetcher.MemoryRecords = Fetched, Bytes


def _read(piece: Piece) -> list[Record]:
    """Parse a batch leniently: slower, and header names need not be UTF-8. ValueError, IndexError: the batch is torn."""
    data, at, parsed = piece.view, _HEAD.size, list[Record]()
    appended = bool(piece.attributes & _APPENDED)
    while at < len(data):
        length, at = _varint(data, at)
        end = at + length
        if length < 1 or end > len(data):
            raise ValueError("a record's length")
        after, at = _varint(data, at + 1)  # after the attributes byte, which is unused
        delta, at = _varint(data, at)
        key, at = _part(data, at, end)
        value, at = _part(data, at, end)
        headers, at = _headers(data, at, end)
        if at != end:
            raise ValueError("a record's length")
        parsed.append(Record(piece.base + delta, piece.last_at if appended else piece.first_at + after, int(appended), key, value, headers))
    if len(parsed) != piece.many:
        raise ValueError("count")
    return parsed


def _headers(data: memoryview, at: int, end: int) -> tuple[Headers, int]:
    count, at = _varint(data, at)
    if not 0 <= count <= end - at:
        raise ValueError("count of headers")
    headers: Headers = []
    for _ in range(count):
        name, at = _part(data, at, end)
        value, at = _part(data, at, end)
        if name is None:
            raise ValueError("a header without a name")
        headers += _named(name, value)
    return headers, at


def _named(name: bytes, value: bytes | None) -> Headers:
    try:
        return [(name.decode(), value)]
    except UnicodeDecodeError:
        return list(zip(NAMELESS, (name, value), strict=True))


def _part(data: memoryview, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise ValueError("a part's length")
    return bytes(data[at : at + length]), at + length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return a zigzag-encoded number of at most ten bytes, and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
        if shift > 63:
            raise ValueError("a number without end")
