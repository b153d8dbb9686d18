"""The tape: the case topics as they are now, each case's own records in order and once. Read when the database cannot be believed."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import ConsumerRecord
from msgspec import Struct, field

from referral.domain.events import Meta
from referral.errors import Malformed
from referral.runtime import erasure, reading
from referral.runtime.keys import Keys
from referral.runtime.partition import Place, digest
from referral.runtime.settings import Settings
from referral.wire import seal, topics

CASE_TOPICS = ("referral-intake", "referral-routing", "referral-notification")


class Taped(Struct, frozen=True, kw_only=True):
    """A record of a case topic that is what it claims to be, by its clear part."""

    place: Place
    offset: int
    key: bytes
    value: bytes
    meta: Meta


class Tape(Struct, kw_only=True):
    """The case topics as they are now. ends: per partition, next offset and digest before it. all: whatever claims to be a case's.
    erased: cases whose key is gone for good, because intake said so.

    After `settle`: records: each case's own in order and once; last: the last of each case in each topic.
    """

    ends: dict[Place, tuple[int, str]] = field(default_factory=dict)
    all: list[Taped] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    records: dict[str, list[Taped]] = field(default_factory=lambda: {topic: [] for topic in CASE_TOPICS})
    last: dict[tuple[str, str], Taped] = field(default_factory=dict)

    def take(self, place: Place, record: ConsumerRecord, master: Keys) -> None:
        """One more record; what is none of ours is passed over, as every reader does."""
        self.ends[place] = (record.offset + 1, digest(record.key, record.value))
        try:
            meta = seal.open(record.value or b"").meta
        except Malformed:
            return
        if meta.type in seal.UNSEALED and erasure.said(master, place[0], record.value) is None:
            return
        if record.key == meta.case_id.encode() and topics.partition(meta.case_id) == place[1]:
            self.all.append(Taped(place=place, offset=record.offset, key=record.key, value=record.value, meta=meta))
            if meta.type in seal.UNSEALED:
                self.erased.add(meta.case_id)

    def settle(self, found: Mapping[str, bytes]) -> None:
        """Pass over repeats, forks, and what does not open under its case's key: its sequence is nobody's. found: the keys there are."""
        for taped in self.all:
            before = self.last.get((taped.place[0], taped.meta.case_id))
            if taped.meta.case_seq > (before.meta.case_seq if before else 0) and _opens(taped, found):
                self.records[taped.place[0]].append(taped)
                self.last[taped.place[0], taped.meta.case_id] = taped


def _opens(taped: Taped, found: Mapping[str, bytes]) -> bool:
    """Without the key nobody can tell; then it is believed, as the readers of an erased case believe it."""
    if taped.meta.case_id not in found:
        return True
    try:
        seal.unseal(found[taped.meta.case_id], taped.place[0], seal.open(taped.value))
    except Malformed:
        return False
    return True


async def read(settings: Settings, master: Keys) -> Tape:
    """Read the case topics to their ends."""
    made = Tape()
    async for place, record in reading.whole(settings, CASE_TOPICS):
        made.take(place, record, master)
    return made
