"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.value import Value


class Passed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A candidate that was not asked, and why."""

    service: str
    """The candidate."""
    reason: str
    """Why not."""
