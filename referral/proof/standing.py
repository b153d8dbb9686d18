"""How a case stood at some moment: the fold of its decisions up to there."""

from __future__ import annotations

from collections.abc import Sequence

from referral.domain.case import Case
from referral.domain.fold import evolve
from referral.proof.entry import Entry
from referral.proof.history import decisions, unseal


def standing(entries: Sequence[Entry], key: bytes, case_id: str) -> Case | None:
    """None: nothing was decided yet. entries: those that had happened. Malformed, NewerVersion: one that cannot be read."""
    case = None
    for entry in decisions(entries):
        case = evolve(case, unseal(entry, key).body, case_id)
    return case
