"""One entry of the audit log: a Kafka record as it was read, or what audit itself says. Its leaf is what the tree hashes."""

from __future__ import annotations

import hashlib

from msgspec import Struct, json

from referral.domain.events import (
    EVENTS,
    EntryKind,
    FigureReleased,
    Leaf,
    Meta,
    PolicyActivated,
    Quarantined,
    ReleaseMade,
    SectionDisclosed,
)
from referral.errors import Malformed
from referral.wire import codec, seal, topics
from referral.wire import leaf as wire
from referral.wire.headers import type_of

INTAKE, ROUTING, NOTIFICATION = "referral-intake", "referral-routing", "referral-notification"
CASE_TOPICS = (INTAKE, ROUTING, NOTIFICATION)
OWNERS = {INTAKE: "intake", ROUTING: "routing", NOTIFICATION: "notifier"}
"""The one service that writes each topic of cases."""

Kind = EntryKind
"""What an entry is.

FIGURE: one of oversight, or the end of its release. UNREADABLE: no record of ours. FOREIGN: it claims a case, but stands under another
key, or in a partition or topic that is not its own.
FORK: a sequence that exists already, with other bytes. Audit itself says GAP (a sequence is missing here), SCHEMA (a schema by which
bodies are read), KEYS (the log's own key, its witnesses and their quorum from here on, as a C2SP policy file) and HEARTBEAT (it is alive,
and how far the topics reach; referral/proof/heartbeat.py).
"""

SEQUENCED = frozenset({Kind.EVENT, Kind.DECISION, Kind.DISCLOSURE, Kind.ERASURE})
OWN = frozenset({Kind.GAP, Kind.SCHEMA, Kind.KEYS, Kind.HEARTBEAT})
"""What audit itself says; a GAP stands at the place of the record that shows it."""
MOST_KEY = 1000
"""Bytes of the key of a record without a case (ours have below 200): a longer one is none of ours, and no index of a database takes it."""
NOWHERE = -1
"""Partition and offset of what was read from no topic."""


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """idx: index of its leaf, dense from 0. logged_at: µs UTC. kafka_time: LogAppendTime, ms. sha256: of value.

    value: the exact bytes, empty where Kafka's were null. The rest repeats the record's meta, empty where it has none.
    """

    idx: int
    kind: Kind
    logged_at: int = 0
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
    fingerprint: int = 0
    case_id: str = ""
    case_seq: int = 0
    cause_id: str = ""
    recorded_at: int = 0

    def __repr__(self) -> str:
        return f"Entry({self.idx} {self.kind} {self.topic}[{self.partition}]@{self.offset} {self.type} {self.case_id} {self.case_seq})"


SPECIAL = {**dict.fromkeys(seal.UNSEALED, Kind.ERASURE), SectionDisclosed.TYPE: Kind.DISCLOSURE}
OPEN = {
    PolicyActivated.TYPE: Kind.POLICY,
    Quarantined.TYPE: Kind.QUARANTINE,
    "quarantined.v1": Kind.QUARANTINE,  # logs of before have it
    FigureReleased.TYPE: Kind.FIGURE,
    ReleaseMade.TYPE: Kind.FIGURE,
}
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


def rest(key: bytes | None, headers: Headers) -> bytes:
    """SHA-256 over a record's key and headers: a byte that says whether there is a key, then each part behind its length (8 bytes)."""
    found = [b"\x00" if key is None else b"\x01", len(key or b"").to_bytes(8, "big"), key or b""]
    for name, value in headers:
        said = name.encode()
        found += (len(said).to_bytes(8, "big"), said, len(value).to_bytes(8, "big"), value)
    return hashlib.sha256(b"".join(found)).digest()


def leaf(entry: Entry) -> bytes:
    """The bytes of its leaf."""
    said = Leaf(
        kind=entry.kind,
        logged_at=entry.logged_at,
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        kafka_time=entry.kafka_time,
        sha256=entry.sha256,
        rest=rest(entry.key, entry.headers),
        event_id=entry.event_id or None,
        type=entry.type,
        fingerprint=entry.fingerprint,
        case_id=entry.case_id or None,
        case_seq=entry.case_seq,
        cause_id=entry.cause_id or None,
        recorded_at=entry.recorded_at,
    )
    return wire.encode(said)


def entry(idx: int, leaf: bytes, key: bytes | None, value: bytes, headers: Headers) -> Entry:
    """The entry of a leaf with what stands beside it. Whether they belong together is for `verify`. Malformed, NewerVersion: the leaf."""
    return beside(idx, wire.decode(leaf), key, value, headers)


def beside(idx: int, said: Leaf, key: bytes | None, value: bytes, headers: Headers) -> Entry:
    """The same from a leaf that is read."""
    return Entry(
        idx=idx,
        kind=said.kind,
        logged_at=said.logged_at,
        topic=said.topic,
        partition=said.partition,
        offset=said.offset,
        kafka_time=said.kafka_time,
        key=key,
        value=value,
        headers=headers,
        sha256=said.sha256,
        event_id=said.event_id or "",
        type=said.type,
        fingerprint=said.fingerprint,
        case_id=said.case_id or "",
        case_seq=said.case_seq,
        cause_id=said.cause_id or "",
        recorded_at=said.recorded_at,
    )


def sort(topic: str, partition: int, key: bytes | None, value: bytes, headers: Headers) -> tuple[Kind, Meta | None]:
    """What a record is, by what can be seen without a key: case topics have meta, the others only a type."""
    try:
        if topic not in CASE_TOPICS:
            if len(key or b"") > MOST_KEY:
                return Kind.UNREADABLE, None
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
