"""Decide one input: given the case, the facts and the policy, return the events that follow. Total, deterministic, never empty; no I/O, no
clock, no randomness.

Read it in this order. The handler of the input emits the direct effect on the case (`rules/referrals`, `rules/answers`, `rules/updates`,
`rules/timeouts`, `rules/instructions`). Then `rules/progress` emits everything that follows from the new state: steps open, vacant seats
are offered, tracks end. `rules/candidates` selects the service for a seat and gives the reason why others are passed over, `rules/offers`
adds limit and answer words. A procedure is defined in `policy/procedure`, its marks in `rules/conditions`, a case in `case`, the effect of
an event on a case in `evolve`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from referral.domain.case import Case
from referral.domain.events import (
    ActorExcluded,
    AnswerWithdrawn,
    CaseRaised,
    ConsentChanged,
    Facts,
    InstructionGiven,
    KnockAnswered,
    KnockDisowned,
    RecordDisowned,
    ReferralSubmitted,
    ReferralWithdrawn,
    ResponseSubmitted,
    RungFailed,
    RungReached,
    TraitsChanged,
)
from referral.domain.inputs import Due, Input, RecordLost
from referral.domain.policy import ENGINE, Policy
from referral.domain.rules.answers import answered, knock_answered
from referral.domain.rules.capacity import places_wanted
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.instructions import instructed
from referral.domain.rules.progress import progress
from referral.domain.rules.referrals import disowned, lost, raised, withdrawn
from referral.domain.rules.take_back import allow, taken_back
from referral.domain.rules.timeouts import due, rung_failed, rung_reached
from referral.domain.rules.updates import actor_excluded, consent_changed, referred, traits_changed

__all__ = ["DECIDES", "Decision", "decide", "decided", "facts_at", "facts_for", "places_wanted"]


class Decision(Struct, frozen=True, gc=False):
    """The result of one input. events: in order, never empty, the first with `head` set. case: the state after them."""

    events: tuple[Struct, ...]
    case: Case


def decide(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> tuple[Struct, ...]:
    """Return the events of `referral-routing` that follow from one input, in order. The first has `head` set; ids are derived(cause.id,
    index).

    case: None when it has no event yet. facts: now is not before case.at; free holds the services of `places_wanted`. An input without
    effect yields InputIgnored, so that the log holds the order of all inputs.
    """
    return decided(case, cause, facts, policy).events


def decided(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> Decision:
    """Return the events of `decide`, and the case after them, for callers that would apply them at once."""
    d = DecisionContext(case, cause, facts, policy)
    HANDLERS.get(type(cause.body), _unknown)(d, cause.body)
    progress(d)
    if not d.events:
        d.ignore("STALE_ALARM" if isinstance(cause.body, Due) else "NOTHING_CHANGED")
    allow(d, cause.body)
    return Decision(tuple(d.events), d.case)


def facts_for(
    case: Case | None,
    cause: Input,
    policy: Policy,
    now: int,
    free: Callable[[tuple[str, ...]], Mapping[str, int]],
    bundle: int | None = None,
) -> Facts:
    """Return the facts to decide one input upon, with the free places that the decision may need and no others.

    now: µs UTC. free: service ids → free places of each. bundle: number of the policy bundle.
    """
    wanted = places_wanted(case, cause, policy)
    return facts_at(case, now, free(wanted) if wanted else {}, bundle)


def facts_at(case: Case | None, now: int, free: Mapping[str, int], bundle: int | None = None) -> Facts:
    """Return the facts of a decision by this engine. A clock that was set back does not set the case back: its time never decreases."""
    return Facts(now=max(now, case.at) if case else now, engine=ENGINE, free=free, bundle=bundle)


def _unknown(d: DecisionContext, body: Struct) -> None:
    """Open a desk task: code that has no handler for an input does not guess."""
    d.needs_person("unknown-input")


HANDLERS: dict[type, Callable[[DecisionContext, Any], None]] = {
    ReferralSubmitted: referred,
    CaseRaised: raised,
    ResponseSubmitted: answered,
    AnswerWithdrawn: taken_back,
    TraitsChanged: traits_changed,
    ConsentChanged: consent_changed,
    ActorExcluded: actor_excluded,
    InstructionGiven: instructed,
    ReferralWithdrawn: withdrawn,
    KnockAnswered: knock_answered,
    RungFailed: rung_failed,
    RungReached: rung_reached,
    RecordDisowned: disowned,
    KnockDisowned: disowned,
    Due: due,
    RecordLost: lost,
}

DECIDES: frozenset[type] = frozenset(HANDLERS)
"""Input bodies that have a handler. Other records of the topics that routing reads (a disclosure, a knock sent) change no case."""
