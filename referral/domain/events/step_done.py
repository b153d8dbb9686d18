"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from referral.domain.events.head import Head
from referral.domain.events.why import Why


class StepDone(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step has its outcome."""

    TYPE: ClassVar[str] = "step-done.v1"
    TOPIC: ClassVar[str] = "referral-routing"
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
