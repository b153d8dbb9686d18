"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class Quarantined(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record that could not be understood, with the reason; or a batch of records that could not be decoded."""

    TYPE: ClassVar[str] = "quarantined.v2"
    TOPIC: ClassVar[str] = "referral-quarantine"
    IDS: ClassVar[tuple[str, ...]] = ("case_id",)

    topic: str
    """Where it was read."""
    partition: int
    """Its partition."""
    offset: int
    """Its offset."""
    reader: str
    """Who could not understand it."""
    reason: str
    """Why."""
    case_id: str | None = None
    """The case that it named, where that could be read."""
    case_seq: int
    """Its sequence, 0 where unknown."""
    at: int
    """When."""
    nonce: bytes
    """Nonce."""
    sealed: bytes
    """The record's value, sealed under the quarantine's key: at most its first 256 KiB, of a batch that could not be decoded the first 64 KiB."""
    length: int
    """Bytes of the whole value. 0 in version 1, which kept all of it."""
    sha256: bytes | None = None
    """SHA-256 of the whole value; null where all of it is kept."""
