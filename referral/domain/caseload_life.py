"""What life brings to a made-up case besides answers: somebody withdraws, is excluded, or turns out to be other than thought."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, structs

from referral.domain import caseload_rates as rates
from referral.domain.caseload import Arrival, consent
from referral.domain.caseload_dice import Dice
from referral.domain.deadline import DAY
from referral.domain.events import ActorExcluded, ActorKind, ConsentChanged, ConsentState, TraitsChanged

FORTNIGHT = 14 * DAY


def life(dice: Dice, arrival: Arrival) -> Iterator[tuple[int, Struct]]:
    """When, µs UTC, and the input."""
    withdraws, excludes, changes, what = dice.throw(f"{arrival.name} life")
    when, later, _, _ = dice.throw(f"{arrival.name} when")
    at = arrival.at + int(when * FORTNIGHT)
    if withdraws < rates.WITHDRAWS:
        said = consent(ConsentState.WITHDRAWN)
        yield at, ConsentChanged(agency=arrival.agency, consent=said, received_at=at)
    at = arrival.at + int(later * FORTNIGHT)
    if excludes < rates.EXCLUDES:
        yield at, ActorExcluded(agency=arrival.agency, kind=ActorKind.RELATION, actor="parent", received_at=at)
    if changes < rates.CHANGES:
        traits = arrival.traits
        grown = traits.age == "uncertain" and what < 0.5
        new = {"age": "adult", "age_band": "18-120"} if grown else {"urgency": "emergency"}
        yield at, TraitsChanged(agency=arrival.agency, traits=structs.replace(traits, **new), received_at=at)
