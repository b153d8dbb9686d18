"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.claim import Claim
from referral.domain.events.consent import Consent
from referral.domain.events.signed import Signed
from referral.domain.value import Value


class ConsentChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Consent was given, refused or withdrawn."""

    TYPE: ClassVar[str] = "consent-changed.v1"
    TOPIC: ClassVar[str] = "referral-intake"

    agency: str
    """Who recorded it."""
    consent: Consent
    """What holds from now on."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""
