"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class Meta(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The clear part of a record: ids, sequence, time and type, and nothing about a person."""

    IDS: ClassVar[tuple[str, ...]] = ("event_id", "case_id", "cause_id",)

    event_id: str
    """This event."""
    case_id: str
    """The case that it belongs to; the key of the record."""
    case_seq: int
    """1, 2, 3 … per case and topic, without a gap."""
    type: str
    """Type and version of the body, e.g. offer-opened.v1."""
    fingerprint: int
    """CRC-64-AVRO of the canonical form of the body's schema, as a signed number."""
    cause_id: str
    """The input that this event answers; event_id = uuid5(cause_id, index)."""
    recorded_at: int
    """Time of the decision by the batch clock."""
    source: str
    """The service that wrote it."""
    drill: bool
    """True for an exercise: never counted, never sent outside the drill."""
