"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class DeadlinePassed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit was missed."""

    TYPE: ClassVar[str] = "deadline-passed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str | None = None
    """The offer, where there is one."""
    what: str
    """Which limit."""
    was_due: int
    """When it was due."""
