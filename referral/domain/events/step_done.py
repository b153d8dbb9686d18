"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class StepDone(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step has its outcome."""

    TYPE: ClassVar[str] = "step-done.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("track_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    track_id: str
    """Track."""
    step: str
    """Step."""
    round: int
    """Count of reviews, visits or moves, from 0."""
    outcome: str
    """Outcome: done, a decision's code, not-needed, unfilled …"""
