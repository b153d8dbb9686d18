"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class OfferUnheard(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our channels are away and nobody of the agency has been told, or somebody has been told at last. Silence in between is not the agency's."""

    TYPE: ClassVar[str] = "offer-unheard.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    rung: int
    """Rung."""
    away: bool
    """True: nobody has been told. False: somebody has been told now."""
