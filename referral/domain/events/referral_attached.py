"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from referral.domain.events.head import Head
from referral.domain.events.why import Why


class ReferralAttached(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further referral for a case that exists."""

    TYPE: ClassVar[str] = "referral-attached.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    referral_id: str
    """The referral."""
    agency: str
    """Its sender."""
