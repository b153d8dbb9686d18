"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.traits import Traits
from referral.domain.events.why import Why
from referral.domain.value import Value


class CaseRaised(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deadline against a child was broken: a new, linked case begins."""

    TYPE: ClassVar[str] = "case-raised.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("new_case_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    new_case_id: str
    """The new case."""
    pathway: str
    """Its pathway."""
    traits: Traits
    """Its traits."""
    excluded: tuple[str, ...] = ()
    """Who is kept away from the new case: the agency that it is about."""
    about: str
    """What it is about."""
