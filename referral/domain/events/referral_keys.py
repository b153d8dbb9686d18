"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class CaseKey(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case's keys, wrapped for one reader, for a database that went back in time; the record's key is case/reader, and of an older release the case alone. Once the case is erased a null takes its place."""

    TYPE: ClassVar[str] = "case-key.v1"
    TOPIC: ClassVar[str] = "referral-keys"

    wrapped: bytes
    """Nonce and AES-256-GCM under a key that intake and the reader share, bound to the record's key. For intake 64 bytes, the keys of events and file; for others 32."""
