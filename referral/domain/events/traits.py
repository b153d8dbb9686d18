"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.value import Value


class Traits(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the procedure may look at. Codes only: nothing here names a person."""

    concern: str
    """Why the case is here, e.g. trafficking."""
    age: str
    """child, adult or uncertain; uncertain is treated as a child (D)."""
    age_band: str
    """Band that a shelter is told, e.g. 12-14."""
    sex: str
    """female, male, other or unknown."""
    found_in: str
    """Where the person is now."""
    home: str
    """Home municipality; empty when unknown or abroad."""
    urgency: str
    """routine, urgent or emergency."""
    origin: str
    """domestic, foreign or unknown."""
    asylum: str
    """claimed, not-claimed or unknown."""
    languages: tuple[str, ...]
    """Languages the person speaks, best first."""
    flags: tuple[str, ...]
    """Circumstances that change the procedure, e.g. unaccompanied."""
