"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class Decided(StrEnum):
    """How it came about."""

    UNKNOWN = "UNKNOWN"
    PERSON = "PERSON"
    AGREED = "AGREED"
    DISAGREED = "DISAGREED"
    SILENCE = "SILENCE"
    DESK = "DESK"


class DecisionRecorded(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One seat's code, or the step's whole decision."""

    TYPE: ClassVar[str] = "decision-recorded.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("track_id", "by",)

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
    seat: int
    """Seat; -1 for the step as a whole."""
    code: str
    """The code."""
    how: Decided
    """How it came about."""
    by: str | None = None
    """Account."""
