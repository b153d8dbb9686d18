"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class OfferEscalated(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rung of the agency is knocked: the next one after silence, or the same one anew."""

    TYPE: ClassVar[str] = "offer-escalated.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    rung: int
    """Rung now, from 0."""
    reason: str | None = None
    """Why it climbs: acknowledge (the limit passed), or the reason of a RungFailed; acknowledger-excluded: the same rung anew."""
    due: int | None = None
    """Next limit."""
    due_what: str
    """Which limit."""
