"""Read a snapshot (tape) of the case topics, each case's own records in order and once, for the repair of a restored database."""

from __future__ import annotations

from collections.abc import Mapping

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
from referral.wire.erasure_approval import Erasers

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
    """A snapshot of the case topics.

    ends: partition → (next offset, digest of the record before it).
    all: records that claim to belong to a case; after `believe`, only those of the topics' owners.
    erased: after `believe`, cases that intake erased.
    foreign: after `believe`, records that the topic's owner did not write.
    records: after `settle`, topic → each case's own records, in order and once.
    last: after `settle`, the last record of each case in each topic.
    """

    ends: dict[Place, tuple[int, str]] = field(default_factory=dict)
    all: list[Taped] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    foreign: list[Taped] = field(default_factory=list)
    records: dict[str, list[Taped]] = field(default_factory=lambda: {topic: [] for topic in CASE_TOPICS})
    last: dict[tuple[str, str], Taped] = field(default_factory=dict)

    def take(self, place: Place, record: ConsumerRecord, intake: Erasers, secrets: Mapping[str, bytes]) -> None:
        """Add one record; skip invalid ones, as every reader does.

        place, record: the record and its partition.
        intake: those whom an erasure is believed.
        secrets: topic → its owner's writer secret.
        """
        self.ends[place] = (record.offset + 1, digest(record.key, record.value))
        try:
            meta = seal.open(record.value or b"").meta
        except Malformed:
            return
        if meta.type in seal.UNSEALED and erasure_tag.signed_erasure(intake, place[0], record.value, record.timestamp) is None:
            return
        if record.key == meta.case_id.encode() and topics.partition(meta.case_id) == place[1]:
            marked = writer_mark.carries(secrets[place[0]], record.value, record.headers)
            at = {"place": place, "offset": record.offset, "key": record.key, "at": record.timestamp}
            self.all.append(Taped(**at, value=record.value, meta=meta, marked=marked))

    def believe(self) -> None:
        """Separate records that the topic's owner did not write, and list the erasures among the others.

        In a topic's records from before its first mark, only the seal decides.
        """
        began = writer_mark.since((t.place[0], t.at) for t in self.all if t.marked)
        true = {id(t): t for t in self.all if t.marked or t.at < began.get(t.place[0], t.at + 1)}
        self.foreign = [t for t in self.all if id(t) not in true]
        self.all = list(true.values())
        self.erased = {t.meta.case_id for t in self.all if t.meta.type in seal.UNSEALED}

    def settle(self, keys: Mapping[str, bytes]) -> None:
        """Fill `records` and `last`: skip repeats, forks, and records that do not open under their case's key. keys: the existing keys."""
        for taped in self.all:
            before = self.last.get((taped.place[0], taped.meta.case_id))
            if taped.meta.case_seq > (before.meta.case_seq if before else 0) and _opens(taped, keys):
                self.records[taped.place[0]].append(taped)
                self.last[taped.place[0], taped.meta.case_id] = taped

    def numbered(self, topic: str, keys: Mapping[str, bytes]) -> list[Taped]:
        """Return the record of each case after which the owner continues numbering: also a foreign one that readers accepted."""
        last = {case_id: taped for (of, case_id), taped in self.last.items() if of == topic}
        for taped in self.foreign:
            before = last[taped.meta.case_id].meta.case_seq if taped.meta.case_id in last else 0
            if taped.place[0] == topic and before < taped.meta.case_seq <= before + FAR and _opens(taped, keys):
                last[taped.meta.case_id] = taped
        return list(last.values())


def _opens(taped: Taped, keys: Mapping[str, bytes]) -> bool:
    """Return whether the record opens under its case's key. Without the key return True, as readers accept records of an erased case."""
    if taped.meta.case_id not in keys:
        return True
    try:
        seal.unseal(keys[taped.meta.case_id], taped.place[0], seal.open(taped.value))
    except Malformed:
        return False
    return True


async def read(settings: Settings, intake: Erasers, secrets: Mapping[str, bytes]) -> Tape:
    """Read the case topics to their ends and separate foreign records.

    intake: intake's public keys. secrets: topic → its owner's writer secret, which identifies the owner's records.
    """
    tape = Tape()
    async for place, record in scan.whole(settings, CASE_TOPICS):
        tape.take(place, record, intake, secrets)
    tape.believe()
    return tape
