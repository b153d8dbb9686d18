"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class OfferArrived(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person is where the step wants them, or staff is present."""

    TYPE: ClassVar[str] = "offer-arrived.v1"
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
    due: int | None = None
    """Next limit."""
    due_what: str
    """Which limit."""
