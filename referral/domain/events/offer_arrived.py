"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from referral.domain.events.head import Head
from referral.domain.events.why import Why


class OfferArrived(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person is where the step wants them, or staff is present."""

    TYPE: ClassVar[str] = "offer-arrived.v1"
    TOPIC: ClassVar[str] = "referral-routing"
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
