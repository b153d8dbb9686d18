"""Read snapshots (tapes) of the case topics, each case's own records in order and once, for the repair of a restored database.

All records of a case are in partitions of one number, so there is a tape for each number, and memory holds one or two of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

from aiokafka import ConsumerRecord
from msgspec import Struct, field

from referral.domain.events import Meta
from referral.errors import Malformed
from referral.runtime.kafka.scan import Reader
from referral.runtime.keys import erasure_tag
from referral.runtime.loop import writer_mark
from referral.runtime.loop.sequence import FAR
from referral.runtime.loop.units import Place, digest
from referral.wire import seal, topics
from referral.wire.signed.erasure_approval import Erasers

CASE_TOPICS = ("referral-intake", "referral-routing", "referral-notification")


class Taped(Struct, frozen=True, kw_only=True):
    """A record of a case topic whose clear part is valid.

    at: LogAppendTime, ms. marked: the mark proves that the topic's owner wrote it.
    """

    place: Place
    offset: int
    key: bytes
    value: bytes
    meta: Meta
    at: int = 0
    marked: bool = False


class Tape(Struct, kw_only=True):
    """A snapshot of the case topics' partitions of one number.

    ends: partition → (next offset, digest of the record before it).
    all: records that claim to belong to a case; after `believe`, only those of the topics' owners.
    erased: after `believe`, cases that intake erased.
    foreign: after `believe`, records that the topic's owner did not write.
    keys: after `settle`, case → its key, where there is one.
    records: after `settle`, topic → each case's own records, in order and once.
    last: after `settle`, the last record of each case in each topic.
    """

    ends: dict[Place, tuple[int, str]] = field(default_factory=dict)
    all: list[Taped] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    foreign: list[Taped] = field(default_factory=list)
    keys: Mapping[str, bytes] = field(default_factory=dict)
    records: dict[str, list[Taped]] = field(default_factory=lambda: {topic: [] for topic in CASE_TOPICS})
    last: dict[tuple[str, str], Taped] = field(default_factory=dict)

    def take(self, place: Place, record: ConsumerRecord, intake: Erasers, secrets: Mapping[str, bytes]) -> None:
        """Add one record; skip invalid ones, as every reader does.

        place, record: the record and its partition.
        intake: those whom an erasure is believed.
        secrets: topic → its owner's writer secret.
        """
        self.ends[place] = (record.offset + 1, digest(record.key, record.value))
        if (taped := _opened(place, record, intake, secrets)) is not None:
            self.all.append(taped)

    def believe(self, began: Mapping[str, int]) -> None:
        """Separate records that the topic's owner did not write, and list the erasures among the others. began: as `began` returns it."""
        self.foreign = [taped for taped in self.all if not _believed(taped, began)]
        self.all = [taped for taped in self.all if _believed(taped, began)]
        self.erased = {t.meta.case_id for t in self.all if t.meta.type in seal.UNSEALED}

    def settle(self, keys: Mapping[str, bytes]) -> None:
        """Fill `records` and `last`: skip repeats, forks, and records that do not open under their case's key. keys: the existing keys."""
        self.keys = keys
        for taped in self.all:
            before = self.last.get((taped.place[0], taped.meta.case_id))
            if taped.meta.case_seq > (before.meta.case_seq if before else 0) and _opens(taped, keys):
                self.records[taped.place[0]].append(taped)
                self.last[taped.place[0], taped.meta.case_id] = taped

    def numbered(self, topic: str) -> list[Taped]:
        """Return the record of each case after which the owner continues numbering: also a foreign one that readers accepted."""
        last = {case_id: taped for (of, case_id), taped in self.last.items() if of == topic}
        for taped in self.foreign:
            before = last[taped.meta.case_id].meta.case_seq if taped.meta.case_id in last else 0
            if taped.place[0] == topic and before < taped.meta.case_seq <= before + FAR and _opens(taped, self.keys):
                last[taped.meta.case_id] = taped
        return list(last.values())


async def began(reader: Reader, secrets: Mapping[str, bytes], start: Mapping[Place, int] | None = None) -> dict[str, int]:
    """Return topic → time of its first marked record, ms; before that, only the seal decides who wrote a record.

    secrets: topic → its owner's writer secret, which identifies the owner's records.
    start: place → offset to begin at; else the first that is retained.
    """
    first = list[tuple[str, int]]()
    for place in reader.places:
        async with aclosing(reader.records(place, (start or {}).get(place, 0))) as records:
            async for record in records:
                if writer_mark.carries(secrets[place[0]], record.value, record.headers):
                    first.append((place[0], record.timestamp))
                    break
    return writer_mark.since(first)


async def erased(reader: Reader, intake: Erasers, secrets: Mapping[str, bytes], began: Mapping[str, int]) -> set[str]:
    """Return the cases that intake erased. intake: its public keys."""
    found = set[str]()
    for place in reader.places:
        if place[0] == CASE_TOPICS[0]:
            async for record in reader.records(place):
                taped = _opened(place, record, intake, secrets)
                if taped is not None and taped.meta.type in seal.UNSEALED and _believed(taped, began):
                    found.add(taped.meta.case_id)
    return found


async def tapes(reader: Reader, intake: Erasers, secrets: Mapping[str, bytes], began: Mapping[str, int]) -> AsyncIterator[Tape]:
    """Yield a tape of each partition number, foreign records apart, up to the ends of when the reader was opened."""
    for number in sorted({number for _, number in reader.places}):
        tape = Tape()
        for place in ((topic, number) for topic in CASE_TOPICS):
            async for record in reader.records(place):
                tape.take(place, record, intake, secrets)
        tape.believe(began)
        yield tape


def _opened(place: Place, record: ConsumerRecord, intake: Erasers, secrets: Mapping[str, bytes]) -> Taped | None:
    """Return a record whose clear part is valid and which stands where its case's records stand; None for any other, as every reader."""
    try:
        meta = seal.open(record.value or b"").meta
    except Malformed:
        return None
    if meta.type in seal.UNSEALED and erasure_tag.signed_erasure(intake, place[0], record.value, record.timestamp) is None:
        return None
    if record.key != meta.case_id.encode() or topics.partition(meta.case_id) != place[1]:
        return None
    marked = writer_mark.carries(secrets[place[0]], record.value, record.headers)
    at = {"place": place, "offset": record.offset, "key": record.key, "at": record.timestamp}
    return Taped(**at, value=record.value, meta=meta, marked=marked)


def _believed(taped: Taped, began: Mapping[str, int]) -> bool:
    """Return whether the topic's owner wrote a record, or it is of the time before marks, when only the seal decides."""
    return taped.marked or taped.at < began.get(taped.place[0], taped.at + 1)


def _opens(taped: Taped, keys: Mapping[str, bytes]) -> bool:
    """Return whether the record opens under its case's key. Without the key return True, as readers accept records of an erased case."""
    if taped.meta.case_id not in keys:
        return True
    try:
        seal.unseal(keys[taped.meta.case_id], taped.place[0], seal.open(taped.value))
    except Malformed:
        return False
    return True
