"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class SectionDisclosed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency read a section of the case file: recorded before the answer left."""

    TYPE: ClassVar[str] = "section-disclosed.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by",)

    offer_id: str | None = None
    """Offer that allowed it; null for the desk or break-glass."""
    agency: str
    """Who read."""
    by: str | None = None
    """Account of the person; null when a system read."""
    section: str
    """What was read."""
    basis: str
    """Why it was allowed: offer, own-referral, desk, break-glass."""
    at: int
    """When."""
