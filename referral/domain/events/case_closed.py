"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class CaseClosed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every track has ended."""

    TYPE: ClassVar[str] = "case-closed.v1"
    TOPIC: ClassVar[str] = "referral-routing"

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    outcome: str
    """Outcome."""
    sealed: bool = False
    """What was written so far is never disclosed again, also after reopening (a juvenile's record)."""
