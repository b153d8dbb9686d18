"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum

from referral.domain.value import Value


class ConsentState(StrEnum):
    """State of the consent."""

    UNKNOWN = "UNKNOWN"
    GIVEN = "GIVEN"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    NOT_ASKED = "NOT_ASKED"


class Consent(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who agreed to what, on which basis, until when."""

    state: ConsentState
    """State of the consent."""
    basis: str
    """Legal basis."""
    giver: str
    """Who gave it: person, parent, guardian …"""
    scope: tuple[str, ...]
    """Sections covered; empty is all that a step names."""
    recipients: tuple[str, ...]
    """Agencies covered; empty is every agency of the procedure."""
    until: int | None = None
    """End, if it has one."""
