"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class PersonNotNeeded(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The desk's task is settled."""

    TYPE: ClassVar[str] = "person-not-needed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("task_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    task_id: str
    """The task."""
    how: str
    """What settled it."""
