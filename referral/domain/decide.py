"""Decide one input: given the case, the facts and the policy, return the events that follow. Total, deterministic, never empty; no I/O, no
clock, no randomness.

Read it in this order. The handler of the input emits the direct effect on the case (`rules/referrals`, `rules/answers`, `rules/updates`,
`rules/timeouts`, `rules/instructions`). Then `rules/progress` emits everything that follows from the new state: steps open, vacant seats
are offered, tracks end. `rules/candidates` selects the service for a seat and gives the reason why others are passed over, `rules/offers`
adds limit and answer words. A procedure is defined in `policy/procedure`, its marks in `rules/conditions`, a case in `case`, the effect of
an event on a case in `evolve`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from referral.domain.case import Case
from referral.domain.events import (
    ActorExcluded,
    CaseRaised,
    ConsentChanged,
    Facts,
    InstructionGiven,
    ReferralSubmitted,
    ReferralWithdrawn,
    ResponseSubmitted,
    RungFailed,
    RungReached,
    TraitsChanged,
)
from referral.domain.inputs import Due, Input, RecordLost
from referral.domain.policy import Policy
from referral.domain.rules.answers import answered
from referral.domain.rules.capacity import places_wanted
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.instructions import instructed
from referral.domain.rules.progress import progress
from referral.domain.rules.referrals import lost, raised, withdrawn
from referral.domain.rules.timeouts import due, rung_failed, rung_reached
from referral.domain.rules.updates import actor_excluded, consent_changed, referred, traits_changed

__all__ = ["DECIDES", "decide", "decided", "places_wanted"]


def decide(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> tuple[Struct, ...]:
    """Return the events of `referral-routing` that follow from one input, in order. The first has `head` set; ids are derived(cause.id,
    index).

    case: None when it has no event yet. facts: now is not before case.at; free holds the services of `places_wanted`. An input without
    effect yields InputIgnored, so that the log holds the order of all inputs.
    """
    return decided(case, cause, facts, policy)[0]


def decided(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> tuple[tuple[Struct, ...], Case]:
    """Return the events of `decide`, and the case after them, for callers that would apply them at once."""
    d = DecisionContext(case, cause, facts, policy)
    HANDLERS.get(type(cause.body), _unknown)(d, cause.body)
    progress(d)
    if not d.events:
        d.ignore("STALE_ALARM" if isinstance(cause.body, Due) else "NOTHING_CHANGED")
    return tuple(d.events), d.case


def _unknown(d: DecisionContext, body: Struct) -> None:
    """Open a desk task: code that has no handler for an input does not guess."""
    d.needs_person("unknown-input")


HANDLERS: dict[type, Callable[[DecisionContext, Any], None]] = {
    ReferralSubmitted: referred,
    CaseRaised: raised,
    ResponseSubmitted: answered,
    TraitsChanged: traits_changed,
    ConsentChanged: consent_changed,
    ActorExcluded: actor_excluded,
    InstructionGiven: instructed,
    ReferralWithdrawn: withdrawn,
    RungFailed: rung_failed,
    RungReached: rung_reached,
    Due: due,
    RecordLost: lost,
}

DECIDES: frozenset[type] = frozenset(HANDLERS)
"""Input bodies that have a handler. Other records of the topics that routing reads (a disclosure, a knock sent) change no case."""
