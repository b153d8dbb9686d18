"""The tape: the case topics as they are now, each case's own records in order and once. Read when the database cannot be believed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiokafka import ConsumerRecord
from msgspec import Struct, field

from referral.domain.events import Meta
from referral.errors import Malformed
from referral.runtime.kafka import scan
from referral.runtime.keys import erasure_tag
from referral.runtime.loop import writer_mark
from referral.runtime.loop.sequence import FAR
from referral.runtime.loop.units import Place, digest
from referral.runtime.settings import Settings
from referral.wire import seal, topics

CASE_TOPICS = ("referral-intake", "referral-routing", "referral-notification")


class Taped(Struct, frozen=True, kw_only=True):
    """A record of a case topic that is what it claims to be, by its clear part.

    at: LogAppendTime, ms. marked: the topic's owner wrote it.
    """

    place: Place
    offset: int
    key: bytes
    value: bytes
    meta: Meta
    at: int = 0
    marked: bool = False


class Tape(Struct, kw_only=True):
    """The case topics as they are now. ends: per partition, next offset and digest before it. all: whatever claims to be a case's.
    After `believe`: erased: cases whose key is gone for good, because intake said so. foreign: what the topic's owner did not write.
    After `settle`: records: each case's own in order and once; last: the last of each case in each topic.
    """

    ends: dict[Place, tuple[int, str]] = field(default_factory=dict)
    all: list[Taped] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    foreign: list[Taped] = field(default_factory=list)
    records: dict[str, list[Taped]] = field(default_factory=lambda: {topic: [] for topic in CASE_TOPICS})
    last: dict[tuple[str, str], Taped] = field(default_factory=dict)

    def take(self, place: Place, record: ConsumerRecord, intake: Collection[bytes], secrets: Mapping[str, bytes]) -> None:
        """One more record; what is none of ours is passed over, as every reader does.

        intake: keys by which an erasure is believed. secrets: topic → its owner's.
        """
        self.ends[place] = (record.offset + 1, digest(record.key, record.value))
        try:
            meta = seal.open(record.value or b"").meta
        except Malformed:
            return
        if meta.type in seal.UNSEALED and erasure_tag.said(intake, place[0], record.value) is None:
            return
        if record.key == meta.case_id.encode() and topics.partition(meta.case_id) == place[1]:
            marked = writer_mark.carries(secrets[place[0]], record.value, record.headers)
            at = {"place": place, "offset": record.offset, "key": record.key, "at": record.timestamp}
            self.all.append(Taped(**at, value=record.value, meta=meta, marked=marked))

    def believe(self) -> None:
        """Pass over what its topic's owner did not write; then the erasures that are left are true. Before marks the seal alone decides."""
        began = writer_mark.since((t.place[0], t.at) for t in self.all if t.marked)
        true = {id(t): t for t in self.all if t.marked or t.at < began.get(t.place[0], t.at + 1)}
        self.foreign = [t for t in self.all if id(t) not in true]
        self.all = list(true.values())
        self.erased = {t.meta.case_id for t in self.all if t.meta.type in seal.UNSEALED}

    def settle(self, found: Mapping[str, bytes]) -> None:
        """Pass over repeats, forks, and what does not open under its case's key: its sequence is nobody's. found: the keys there are."""
        for taped in self.all:
            before = self.last.get((taped.place[0], taped.meta.case_id))
            if taped.meta.case_seq > (before.meta.case_seq if before else 0) and _opens(taped, found):
                self.records[taped.place[0]].append(taped)
                self.last[taped.place[0], taped.meta.case_id] = taped

    def numbered(self, topic: str, found: Mapping[str, bytes]) -> list[Taped]:
        """The record of each case behind which its owner goes on numbering: also a foreign one, where readers believed it."""
        last = {case_id: taped for (of, case_id), taped in self.last.items() if of == topic}
        for taped in self.foreign:
            before = last[taped.meta.case_id].meta.case_seq if taped.meta.case_id in last else 0
            if taped.place[0] == topic and before < taped.meta.case_seq <= before + FAR and _opens(taped, found):
                last[taped.meta.case_id] = taped
        return list(last.values())


def _opens(taped: Taped, found: Mapping[str, bytes]) -> bool:
    """Without the key nobody can tell; then it is believed, as the readers of an erased case believe it."""
    if taped.meta.case_id not in found:
        return True
    try:
        seal.unseal(found[taped.meta.case_id], taped.place[0], seal.open(taped.value))
    except Malformed:
        return False
    return True


async def read(settings: Settings, intake: Collection[bytes], secrets: Mapping[str, bytes]) -> Tape:
    """Read the case topics to their ends. secrets: topic → its owner's, by which the owner's records are told from others'."""
    made = Tape()
    async for place, record in scan.whole(settings, CASE_TOPICS):
        made.take(place, record, intake, secrets)
    made.believe()
    return made
