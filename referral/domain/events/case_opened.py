"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.consent import Consent
from referral.domain.events.head import Head
from referral.domain.events.traits import Traits
from referral.domain.events.why import Why
from referral.domain.value import Value


class CaseOpened(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case begins with one referral."""

    TYPE: ClassVar[str] = "case-opened.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    referral_id: str
    """The referral."""
    agency: str
    """Its sender."""
    traits: Traits
    """Traits."""
    consent: Consent | None = None
    """Consent."""
    excluded: tuple[str, ...] = ()
    """Who is kept away from the beginning, as kind:id."""
    drill: bool
    """An exercise."""
