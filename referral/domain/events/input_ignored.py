"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class InputIgnored(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input changed nothing, and why."""

    TYPE: ClassVar[str] = "input-ignored.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id", "offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    reason: str
    """Why."""
    referral_id: str | None = None
    """Referral, where the input was one."""
    offer_id: str | None = None
    """Offer, where the input answered one."""
