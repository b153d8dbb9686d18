"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class KnockSent(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message without content left for one person."""

    TYPE: ClassVar[str] = "knock-sent.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "task_id", "person", "reference",)

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
    reference: str
    """Random reference that the message shows; the same in several knocks that one message carried."""
