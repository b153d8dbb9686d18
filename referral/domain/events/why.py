"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events.passed import Passed
from referral.domain.value import Value


class Why(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rule and the texts that a decision rests on."""

    rule: str
    """Name of the rule."""
    procedure: str
    """First 16 hex digits of the pinned procedure's digest (whole in TrackChanged); empty before a track exists."""
    directory: str
    """First 16 hex digits of the digest of the directory in force (whole in PolicyActivated's files)."""
    engine: int
    """Behaviour version of decide()."""
    passed: tuple[Passed, ...]
    """Candidates passed over (at most 32)."""
