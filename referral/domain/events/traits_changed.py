"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.claim import Claim
from referral.domain.events.signed import Signed
from referral.domain.events.traits import Traits
from referral.domain.value import Value


class TraitsChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Age settled, child moved, exploitation found."""

    TYPE: ClassVar[str] = "traits-changed.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("by",)

    agency: str
    """Who recorded it."""
    by: str | None = None
    """Account of the person."""
    traits: Traits
    """All traits, as they hold from now on."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""
