"""One entry of the audit log: a Kafka record as audit read it, or a statement by audit itself. The tree hashes its leaf."""

from __future__ import annotations

import hashlib
from functools import lru_cache

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
"""The one service that writes each case topic."""

Kind = EntryKind
"""The kind of an entry.

FIGURE: a figure of oversight, or the end of its release. UNREADABLE: not a record of this system. FOREIGN: the record names a case, but
has another key, or is in a partition or topic that does not belong to it.
FORK: its sequence number exists already, with other bytes. Audit itself writes GAP (a sequence is missing here), SCHEMA (a schema that
bodies are decoded with), KEYS (the log's own key, its witnesses and their quorum from here on, as a C2SP policy file), HEARTBEAT
(audit is alive, with the end offsets of the topics; referral/proof/heartbeat.py), READING (somebody is about to open cases of this log;
referral/proof/reading.py), ADMINISTRATION (an operator's command changed something; referral/proof/act.py) and COVER (nothing, so that the
log's size tells nothing; referral/proof/cover.py).
"""

SEQUENCED = frozenset({Kind.EVENT, Kind.DECISION, Kind.DISCLOSURE, Kind.ERASURE})
OWN = frozenset({Kind.GAP, Kind.SCHEMA, Kind.KEYS, Kind.HEARTBEAT, Kind.READING, Kind.ADMINISTRATION, Kind.COVER})
"""Kinds that audit itself writes. A GAP has the position of the record that reveals it."""
MOST_KEY = 1000
"""Bytes of the key of a record without a case (ours have below 200). A longer key is not ours, and no database index accepts it."""
NOWHERE = -1
"""Partition and offset of an entry that was read from no topic."""


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry with its payload.

    idx: index of its leaf, dense from 0. logged_at: µs UTC. kafka_time: LogAppendTime, ms. sha256: of value.
    value: the exact bytes, empty where Kafka's were null. The other fields repeat the record's meta and are empty where it has none.
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
    (PolicyActivated.TOPIC, PolicyActivated.TYPE): Kind.POLICY,
    (PolicyActivated.TOPIC, "policy-activated.v1"): Kind.POLICY,  # logs of before there were signatures
    (Quarantined.TOPIC, Quarantined.TYPE): Kind.QUARANTINE,
    (Quarantined.TOPIC, "quarantined.v1"): Kind.QUARANTINE,  # older logs contain this type
    (FigureReleased.TOPIC, FigureReleased.TYPE): Kind.FIGURE,
    (ReleaseMade.TOPIC, ReleaseMade.TYPE): Kind.FIGURE,
}
"""Topic and type of an unsealed record → its kind. On another topic somebody else may write, so a type alone says nothing."""
Headers = tuple[tuple[str, bytes], ...]


class Gap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of a GAP entry (JSON). expected: the next sequence. came: the sequence that arrived instead."""

    topic: str
    case_id: str
    expected: int
    came: int

    def encode(self) -> bytes:
        return json.encode(self, order="sorted")


def digest(value: bytes) -> bytes:
    """Return the SHA-256 that an entry stores of its value."""
    return hashlib.sha256(value).digest()


def rest(key: bytes | None, headers: Headers) -> bytes:
    """Return the SHA-256 over a record's key and headers.

    The hashed bytes: one byte that states whether a key exists, then each part after its length (8 bytes).
    """
    parts = [b"\x00" if key is None else b"\x01", len(key or b"").to_bytes(8, "big"), key or b""]
    for name, value in headers:
        parts += (_name(name), len(value).to_bytes(8, "big"), value)
    return hashlib.sha256(b"".join(parts)).digest()


@lru_cache(64)
def _name(name: str) -> bytes:
    """Return a header's name after its length. Cached: all records have the same few."""
    data = name.encode()
    return len(data).to_bytes(8, "big") + data


def leaf(entry: Entry) -> bytes:
    """Return the bytes of an entry's leaf."""
    content = Leaf(
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
    return wire.encode(content)


def entry(idx: int, leaf: bytes, key: bytes | None, value: bytes, headers: Headers) -> Entry:
    """Return the entry of an encoded leaf and its payload. `verify` checks that they match.

    Malformed, NewerVersion: the leaf cannot be read.
    """
    return beside(idx, wire.decode(leaf), key, value, headers)


def beside(idx: int, leaf: Leaf, key: bytes | None, value: bytes, headers: Headers) -> Entry:
    """Return the entry of a decoded leaf and its payload."""
    return Entry(
        idx=idx,
        kind=leaf.kind,
        logged_at=leaf.logged_at,
        topic=leaf.topic,
        partition=leaf.partition,
        offset=leaf.offset,
        kafka_time=leaf.kafka_time,
        key=key,
        value=value,
        headers=headers,
        sha256=leaf.sha256,
        event_id=leaf.event_id or "",
        type=leaf.type,
        fingerprint=leaf.fingerprint,
        case_id=leaf.case_id or "",
        case_seq=leaf.case_seq,
        cause_id=leaf.cause_id or "",
        recorded_at=leaf.recorded_at,
    )


def sort(topic: str, partition: int, key: bytes | None, value: bytes, headers: Headers) -> tuple[Kind, Meta | None]:
    """Classify a record by the parts that are readable without a key. Records of case topics have meta; others have only a type."""
    try:
        if topic not in CASE_TOPICS:
            if len(key or b"") > MOST_KEY:
                return Kind.UNREADABLE, None
            return OPEN.get((topic, type_of(headers)), Kind.UNREADABLE), None
        meta = seal.open(value).meta
    except Malformed:
        return Kind.UNREADABLE, None
    known = EVENTS.get(meta.type)
    elsewhere = known is not None and topic != known.TOPIC  # type: ignore[attr-defined]
    if elsewhere or key != meta.case_id.encode() or partition != topics.partition(meta.case_id) or meta.case_seq < 1:
        return Kind.FOREIGN, meta
    return SPECIAL.get(meta.type, Kind.DECISION if topic == ROUTING else Kind.EVENT), meta


def plain(entry: Entry) -> Struct:
    """Decode the unsealed body of a record outside the case topics. Malformed, NewerVersion."""
    type_ = type_of(entry.headers)
    return codec.decode(type_, codec.fingerprint(type_), entry.value)
