"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.value import Value


class Claim(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Under which key something was sent: a repeat is known by it also after the door's database went back to an older copy."""

    agency: str
    """Whose key it is."""
    key: bytes
    """Keyed digest (HMAC-SHA256) of the Idempotency-Key or ce_id."""
    body: bytes
    """Keyed digest of what was sent under it."""
