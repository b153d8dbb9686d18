"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class How(StrEnum):
    """How it ended."""

    UNKNOWN = "UNKNOWN"
    COMPLETED = "COMPLETED"
    DECLINED_BY_AGENCY = "DECLINED_BY_AGENCY"
    DECLINED_BY_PERSON = "DECLINED_BY_PERSON"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    RETURNED = "RETURNED"
    RELEASED = "RELEASED"
    OVERTAKEN = "OVERTAKEN"
    ENTERED_IN_ERROR = "ENTERED_IN_ERROR"


class OfferClosed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The offer ends: reading and knocks end with it."""

    TYPE: ClassVar[str] = "offer-closed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    how: How
    """How it ended."""
    reason: str
    """Coded reason; else empty."""
