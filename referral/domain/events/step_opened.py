"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class StepKind(StrEnum):
    """Kind of the step."""

    UNKNOWN = "UNKNOWN"
    NOTIFY = "NOTIFY"
    REQUEST = "REQUEST"
    JOINT = "JOINT"
    DECIDE = "DECIDE"
    PLACE = "PLACE"
    FEED = "FEED"


class StepOpened(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step begins, with the seats that it needs."""

    TYPE: ClassVar[str] = "step-opened.v1"
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
    kind: StepKind
    """Kind of the step."""
    seats: tuple[str, ...]
    """Role of every seat, in order."""
    starts: int | None = None
    """When its seats are offered, where that is later (a review, a monitoring visit); else null."""
