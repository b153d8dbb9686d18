"""The heart: one input, and what is known, become events. Total, deterministic, never empty; no I/O, no clock, no randomness.

Read it like this: the handler of the input says what the input itself does to the case (`referrals`, `answers`, `changes`, `silence`,
`instructions`), then `progress` says what follows from how the case now stands (steps open, seats are offered, tracks end).
A look at one track is `advancing` and `finishing`; whom a seat is offered to is `eligible`, why not to others `unfit`, with what limit
and words `offering`. What a procedure is stands in `procedure` and `marks`, what a case is in `case`, what an event does to it in `fold`.
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
from referral.domain.rules.context import Decision
from referral.domain.rules.instructions import instructed
from referral.domain.rules.progress import progress
from referral.domain.rules.referrals import lost, raised, withdrawn
from referral.domain.rules.timeouts import due, rung_failed, rung_reached
from referral.domain.rules.updates import actor_excluded, consent_changed, referred, traits_changed

__all__ = ["DECIDES", "decide", "decided", "places_wanted"]


def decide(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> tuple[Struct, ...]:
    """What follows from one input, as events of `referral-routing` in order; `head` is set on the first, ids are derived(cause.id, index).

    case: None when it has no event yet. facts: now is not before case.at; free holds the services of `places_wanted`.
    An input without effect is InputIgnored, so the log holds the order of all inputs.
    """
    return decided(case, cause, facts, policy)[0]


def decided(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> tuple[tuple[Struct, ...], Case]:
    """The same, and the case as it stands after these events: for who would fold them at once."""
    d = Decision(case, cause, facts, policy)
    HANDLERS.get(type(cause.body), _unknown)(d, cause.body)
    progress(d)
    if not d.events:
        d.ignore("STALE_ALARM" if isinstance(cause.body, Due) else "NOTHING_CHANGED")
    return tuple(d.events), d.case


def _unknown(d: Decision, body: Struct) -> None:
    """Code that does not know an input does not guess: a person looks."""
    d.needs_person("unknown-input")


HANDLERS: dict[type, Callable[[Decision, Any], None]] = {
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
"""Bodies that are decided upon. Other records of the topics that routing reads (a disclosure, a knock sent) change no case."""
