"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class ReferralAttached(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further referral for a case that exists."""

    TYPE: ClassVar[str] = "referral-attached.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    referral_id: str
    """The referral."""
    agency: str
    """Its sender."""
