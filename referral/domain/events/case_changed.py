"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.consent import Consent
from referral.domain.events.head import Head
from referral.domain.events.traits import Traits
from referral.domain.events.why import Why
from referral.domain.value import Value


class CaseChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traits, consent or exclusions of the case, as they hold from now on."""

    TYPE: ClassVar[str] = "case-changed.v2"
    TOPIC: ClassVar[str] = "referral-routing"

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    traits: Traits
    """Traits."""
    consent: Consent | None = None
    """Consent."""
    excluded: tuple[str, ...]
    """All excluded actors as kind:id, e.g. agency:csw-prizren, relation:parent."""
    consent_by: str
    """The agency that recorded the consent that holds: what it takes back for the person counts at once. Empty where none did."""
    lifted: tuple[str, ...] = ()
    """Actors that are kept away no longer since this event, as kind:id."""
