"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class NeedsPerson(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No rule can place this: a desk must look."""

    TYPE: ClassVar[str] = "needs-person.v2"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("task_id", "track_id", "offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    task_id: str
    """This task."""
    desk: str
    """The desk."""
    about: str
    """What it is about."""
    track_id: str | None = None
    """Track."""
    step: str
    """Step; else empty."""
    seat: int
    """Seat; -1 where none."""
    rung: int
    """How far above the desk it has climbed: 0 desk, 1 supervising body, 2 oversight."""
    due: int | None = None
    """When it is repeated."""
    offer_id: str | None = None
    """The offer that the desk telephones about, or whose agency our messages did not reach; null for every other task."""
