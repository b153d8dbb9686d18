"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.claim import Claim
from referral.domain.events.consent import Consent
from referral.domain.events.signed import Signed
from referral.domain.events.traits import Traits
from referral.domain.value import Value


class Door(StrEnum):
    """How it came in."""

    UNKNOWN = "UNKNOWN"
    HTTP = "HTTP"
    KAFKA = "KAFKA"
    WEB = "WEB"
    SYSTEM = "SYSTEM"


class ReferralSubmitted(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency asks for help for one person."""

    TYPE: ClassVar[str] = "referral-submitted.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id",)

    referral_id: str
    """The request, as published."""
    agency: str
    """The sender."""
    door: Door
    """How it came in."""
    opens: bool
    """True when it opens a new case, false when the sender named one that it may see."""
    traits: Traits
    """What the procedure may look at."""
    consent: Consent | None = None
    """Consent, where it was asked."""
    sections: tuple[str, ...]
    """Sections of the case file that were filled."""
    excludes: tuple[str, ...] = ()
    """Who must be kept away from the first moment, as kind:id, e.g. agency:csw-prizren (a complaint's subject)."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""
