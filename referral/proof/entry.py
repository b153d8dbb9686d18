"""One entry of the audit log: a Kafka record as it was read, with what its clear part says."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from msgspec import Struct, json

from referral.domain.events import EVENTS, CaseErased, Meta, PolicyActivated, Quarantined, SectionDisclosed
from referral.errors import Malformed
from referral.wire import codec, seal, topics
from referral.wire.headers import type_of

INTAKE, ROUTING, NOTIFICATION = "referral-intake", "referral-routing", "referral-notification"
CASE_TOPICS = (INTAKE, ROUTING, NOTIFICATION)


class Kind(StrEnum):
    """What an entry is.

    UNREADABLE: no record of ours. FOREIGN: it claims a case, but stands under another key, or in a partition or topic that is not its own.
    FORK: a sequence that exists already, with other bytes. GAP: written by audit itself, where a sequence is missing.
    """

    EVENT = "event"
    DECISION = "decision"
    DISCLOSURE = "disclosure"
    ERASURE = "erasure"
    POLICY = "policy"
    QUARANTINE = "quarantine"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    FORK = "fork"
    GAP = "gap"


SEQUENCED = frozenset({Kind.EVENT, Kind.DECISION, Kind.DISCLOSURE, Kind.ERASURE})


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """idx: dense from 1. kafka_time: LogAppendTime, ms. value: the exact bytes, empty where Kafka's were null. sha256: of them.

    The other fields repeat the record's meta, empty where it has none, so that they can be searched; `verify` compares them.
    """

    idx: int
    kind: Kind
    topic: str
    partition: int
    offset: int
    kafka_time: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    sha256: bytes
    event_id: str = ""
    type: str = ""
    case_id: str = ""
    case_seq: int = 0
    cause_id: str = ""
    recorded_at: int = 0

    def __repr__(self) -> str:
        return f"Entry({self.idx} {self.kind} {self.topic}[{self.partition}]@{self.offset} {self.type} {self.case_id} {self.case_seq})"


SPECIAL = {CaseErased.TYPE: Kind.ERASURE, SectionDisclosed.TYPE: Kind.DISCLOSURE}
OPEN = {PolicyActivated.TYPE: Kind.POLICY, Quarantined.TYPE: Kind.QUARANTINE}
Headers = tuple[tuple[str, bytes], ...]


class Gap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of a GAP entry (JSON): what was expected and what came instead."""

    topic: str
    case_id: str
    expected: int
    came: int

    def encode(self) -> bytes:
        return json.encode(self, order="sorted")


def digest(value: bytes) -> bytes:
    """SHA-256, what an entry keeps of its value."""
    return hashlib.sha256(value).digest()


def sort(topic: str, partition: int, key: bytes | None, value: bytes, headers: Headers) -> tuple[Kind, Meta | None]:
    """What a record is, by what can be seen without a key: case topics have meta, the others only a type."""
    try:
        if topic not in CASE_TOPICS:
            return OPEN.get(type_of(headers), Kind.UNREADABLE), None
        meta = seal.open(value).meta
    except Malformed:
        return Kind.UNREADABLE, None
    known = EVENTS.get(meta.type)
    elsewhere = known is not None and topic != known.TOPIC  # type: ignore[attr-defined]
    if elsewhere or key != meta.case_id.encode() or partition != topics.partition(meta.case_id) or meta.case_seq < 1:
        return Kind.FOREIGN, meta
    return SPECIAL.get(meta.type, Kind.DECISION if topic == ROUTING else Kind.EVENT), meta


def plain(entry: Entry) -> Struct:
    """The body of a record that travels unsealed outside the case topics. Malformed, NewerVersion."""
    type_ = type_of(entry.headers)
    return codec.decode(type_, codec.fingerprint(type_), entry.value)
