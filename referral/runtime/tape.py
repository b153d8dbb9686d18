"""The tape: the case topics as they are now, each case's own records in order and once. Read when the database cannot be believed."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import ConsumerRecord
from msgspec import Struct, field

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed
from referral.runtime import reading
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

    After `settle`: records: each case's own in order and once; last: the last of each case in each topic.
    """

    ends: dict[Place, tuple[int, str]] = field(default_factory=dict)
    all: list[Taped] = field(default_factory=list)
    records: dict[str, list[Taped]] = field(default_factory=lambda: {topic: [] for topic in CASE_TOPICS})
    last: dict[tuple[str, str], Taped] = field(default_factory=dict)

    def take(self, place: Place, record: ConsumerRecord) -> None:
        """One more record; what is none of ours is passed over, as every reader does."""
        self.ends[place] = (record.offset + 1, digest(record.key, record.value))
        try:
            meta = seal.open(record.value or b"").meta
        except Malformed:
            return
        if record.key == meta.case_id.encode() and topics.partition(meta.case_id) == place[1]:
            self.all.append(Taped(place=place, offset=record.offset, key=record.key, value=record.value, meta=meta))

    def settle(self, found: Mapping[str, bytes]) -> None:
        """Pass over repeats, forks, and what does not open under its case's key: its sequence is nobody's. found: the keys there are."""
        for taped in self.all:
            before = self.last.get((taped.place[0], taped.meta.case_id))
            if taped.meta.case_seq > (before.meta.case_seq if before else 0) and _opens(taped, found):
                self.records[taped.place[0]].append(taped)
                self.last[taped.place[0], taped.meta.case_id] = taped

    def erased(self) -> set[str]:
        """Cases whose key is gone for good."""
        return {taped.meta.case_id for taped in self.all if taped.place[0] == "referral-intake" and taped.meta.type == CaseErased.TYPE}


def _opens(taped: Taped, found: Mapping[str, bytes]) -> bool:
    """Without the key nobody can tell; then it is believed, as the readers of an erased case believe it."""
    if taped.meta.case_id not in found:
        return True
    try:
        seal.unseal(found[taped.meta.case_id], taped.place[0], seal.open(taped.value))
    except Malformed:
        return False
    return True


async def read(settings: Settings) -> Tape:
    """Read the case topics to their ends."""
    made = Tape()
    async for place, record in reading.whole(settings, CASE_TOPICS):
        made.take(place, record)
    return made
