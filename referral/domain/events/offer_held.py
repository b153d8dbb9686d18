"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class OfferHeld(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency keeps the seat and waits; limits stand still until due."""

    TYPE: ClassVar[str] = "offer-held.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    by: str | None = None
    """Account."""
    reason: str
    """Why."""
    due: int | None = None
    """End of the hold; null: declined under a statutory duty, and kept until another accepts."""
