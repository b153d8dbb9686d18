"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.claim import Claim
from referral.domain.events.signed import Signed
from referral.domain.value import Value


class ReferralWithdrawn(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sender takes a referral back; a desk decides what that means for a child."""

    TYPE: ClassVar[str] = "referral-withdrawn.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id",)

    referral_id: str
    """The referral."""
    agency: str
    """The sender."""
    reason: str
    """Coded reason."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""
