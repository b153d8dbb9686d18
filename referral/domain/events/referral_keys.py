"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class CaseKey(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case's key, wrapped by the master key, for a database that went back in time; the record's key is the case. Once the case is erased a null takes its place."""

    TYPE: ClassVar[str] = "case-key.v1"
    TOPIC: ClassVar[str] = "referral-keys"

    wrapped: bytes
    """Nonce and AES-256-GCM under a key that the master key yields, bound to the case id."""
