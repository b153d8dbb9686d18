"""Give each record of a lost topic its old offset: what stands where the log knows none, what follows behind it, and positions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from referral.errors import Malformed
from referral.runtime.loop.outbox import Record
from referral.runtime.loop.units import Position, digest


@dataclass(frozen=True, slots=True)
class Old:
    """A record as the log has it. at: the broker's time when it took it, ms."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    at: int


@dataclass(slots=True)
class Filler:
    """Turn the log's records of one partition into one record for each offset. Pure. next: the offset that follows."""

    next: int = 0
    last: Old | None = None

    def take(self, offset: int, record: Old) -> list[Old]:
        """Return the records up to this one: where none is known, the one before, or, at the beginning, this one. Malformed: no order."""
        if offset < self.next:
            raise Malformed("position", f"offset {offset} is there twice")
        holes = [self.last or record] * (offset - self.next)
        self.next, self.last = offset + 1, record
        return [*holes, record]

    def until(self, end: int) -> list[Old]:
        """Return the records that stand for what readers have read beyond the last one; none where there is nothing to repeat."""
        holes = [self.last] * max(0, end - self.next) if self.last else []
        self.next += len(holes)
        return holes


@dataclass(frozen=True, slots=True)
class Kept:
    """A blob of `outgoing`. end: the offset behind it; None: it was not confirmed, so it is the last of its partition."""

    id: int
    end: int | None
    records: list[Record]

    @property
    def start(self) -> int | None:
        """Return the offset of its first record."""
        return None if self.end is None else self.end - len(self.records)


def tail(end: int, last: str, blobs: Iterable[Kept]) -> dict[int, list[Record]]:
    """Return what is to be published behind a filled partition, by blob, so that each record gets the offset that it had. Pure.

    end: of the filled partition. last: digest of its last record. What the partition has already is left out. Where something had been
    stored twice between two blobs, the record before is published again.
    """
    again: dict[int, list[Record]] = {}
    before: list[Record] = []
    for blob in blobs:
        start = blob.start
        if start is None:
            found = [number for number, record in enumerate(blob.records, 1) if digest(record.key, record.value) == last]
            start = end - found[-1] if found else end
        records = blob.records[max(0, end - start) :]
        again[blob.id] = [*(before[-1:] * max(0, start - end) if records else ()), *records]
        end, before = end + len(again[blob.id]), records or before
    return again


def settled(position: Position, end: int, digests: Mapping[int, str] | None) -> Position:
    """Return a position as it is on a filled topic: where what was read is published again, it goes back to the end.

    end: of the topic. digests: of the records before positions, and of the last one; None: the topic was not filled.
    """
    offset, before = position
    if digests is None:  # an agency's own topic: what it holds is what came since
        return position if offset <= end else (0, "")
    if offset > end:
        return (end, digests[end - 1] if end else "")
    return (offset, digests[offset - 1] if offset and before else "")
