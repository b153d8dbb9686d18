"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class KnockFailed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One channel could not reach one person."""

    TYPE: ClassVar[str] = "knock-failed.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "task_id", "person",)

    offer_id: str | None = None
    """The offer; null for a desk's task."""
    task_id: str | None = None
    """The desk's task; null for an offer."""
    rung: int
    """Rung."""
    person: str | None = None
    """Pseudonymous id of the person knocked."""
    channel: str
    """email, phone …"""
    again: int
    """0 for the first knock at this rung, then the count of repeats; (offer or task, rung, person, channel, again) is sent once."""
    at: int
    """When."""
    reason: str
    """Why."""
    attempts: int
    """How often it was tried."""
