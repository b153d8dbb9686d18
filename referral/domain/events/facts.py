"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.value import Value


class Facts(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a decision needs that is neither case nor policy."""

    now: int
    """max(batch clock, time of the case)."""
    engine: int
    """Behaviour version of decide()."""
    free: Mapping[str, int]
    """Service id -> places not held, for the candidates of a PLACE step; else empty."""
    bundle: int | None = None
    """Number of the policy bundle in force (referral-policy); null only in stories without one."""
