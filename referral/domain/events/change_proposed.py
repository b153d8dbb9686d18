"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.consent import Consent
from referral.domain.events.head import Head
from referral.domain.events.traits import Traits
from referral.domain.events.why import Why
from referral.domain.value import Value


class ChangeKind(StrEnum):
    """What would change."""

    UNKNOWN = "UNKNOWN"
    TRAITS = "TRAITS"
    CONSENT = "CONSENT"
    EXCLUSION = "EXCLUSION"
    LIFT = "LIFT"


class ChangeProposed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One party has said what would end a duty to the person, or undo a protection: it holds once a second party says so too."""

    TYPE: ClassVar[str] = "change-proposed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("task_id", "by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    task_id: str
    """The desk's task that asks for the second party's word; settling it ends the proposal."""
    kind: ChangeKind
    """What would change."""
    agency: str
    """Who says so: it cannot be the second party too."""
    by: str | None = None
    """Account of the person; null when a system did it."""
    traits: Traits | None = None
    """TRAITS: all traits, as they would hold."""
    consent: Consent | None = None
    """CONSENT: what would hold."""
    actor: str
    """EXCLUSION, LIFT: the actor as kind:id; else empty. It is kept away already while an exclusion waits."""
