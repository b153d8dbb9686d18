"""The heart: one input and what is known become events. Total, deterministic, never empty; no I/O, no clock, no randomness."""

from __future__ import annotations

from msgspec import Struct

from referral.domain.case import Case
from referral.domain.events import Facts
from referral.domain.policy import Policy
from referral.domain.record import Input


def decide(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> tuple[Struct, ...]:
    """What follows from one input, as events of `referral-routing` in order; `head` is set on the first.

    case: None when this case has no event yet. facts: now not before case.at, and free for `places_wanted`. An input without effect is InputIgnored.
    """
    raise NotImplementedError


def places_wanted(case: Case | None, cause: Input, policy: Policy) -> tuple[str, ...]:
    """Ids of the services whose free places this decision may ask for, sorted: routing locks their rows and puts the numbers into Facts.free."""
    return ()


DECIDES: frozenset[type] = frozenset()
"""Bodies that are decided upon."""
