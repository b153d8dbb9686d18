"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.value import Value


class EntryKind(StrEnum):
    """What the entry is (referral/proof/entry.py says each)."""

    UNKNOWN = "UNKNOWN"
    EVENT = "EVENT"
    DECISION = "DECISION"
    DISCLOSURE = "DISCLOSURE"
    ERASURE = "ERASURE"
    POLICY = "POLICY"
    QUARANTINE = "QUARANTINE"
    KEYS = "KEYS"
    SCHEMA = "SCHEMA"
    UNREADABLE = "UNREADABLE"
    FOREIGN = "FOREIGN"
    FORK = "FORK"
    GAP = "GAP"
    FIGURE = "FIGURE"
    HEARTBEAT = "HEARTBEAT"


class Leaf(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the audit log as the tree holds it: what is clear about a record, and the digests of everything else. The bytes are a single-object encoding."""

    IDS: ClassVar[tuple[str, ...]] = ("event_id", "case_id", "cause_id",)

    kind: EntryKind
    """What the entry is (referral/proof/entry.py says each)."""
    logged_at: int
    """When it was logged, by the batch clock of audit; never earlier than the entry before."""
    topic: str
    """Where the record was read, without a stack's prefix; empty for what audit itself says."""
    partition: int
    """Its partition, -1 for what audit itself says."""
    offset: int
    """Its offset, -1 for what audit itself says."""
    kafka_time: int
    """LogAppendTime in ms, as the broker says; 0 for what audit itself says."""
    sha256: bytes
    """SHA-256 of the exact bytes of the value, which stand beside the tree."""
    rest: bytes
    """SHA-256 over the record's key and headers: byte 0 where there is no key, else 1; the length of the key and the key; of each header in order the length and the bytes of its name (UTF-8), the length and the bytes of its value. Every length is an unsigned 64-bit big-endian integer."""
    event_id: str | None = None
    """From the record's clear part, as all that follows; null where it has none."""
    type: str
    """Type and version of the body; of a SCHEMA entry the type that the schema is of."""
    fingerprint: int
    """CRC-64-AVRO of the schema that the body was written with; 0 where none is known."""
    case_id: str | None = None
    """The case."""
    case_seq: int
    """Its sequence in the topic; 0 where there is none."""
    cause_id: str | None = None
    """What it answers."""
    recorded_at: int
    """When the writer said it; 0 where unknown."""
