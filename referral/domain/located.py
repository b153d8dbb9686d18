"""The offer that an answer or an alarm is about, with its seat and the rules for it."""

from __future__ import annotations

from msgspec import Struct

from referral.domain.case import Offer, Place, Run, Seat, Track, find
from referral.domain.decision import Decision
from referral.domain.procedure import Pathway, SeatRule, Step


class At(Struct, frozen=True, gc=False):
    """Everything about the offer that is answered."""

    place: Place
    track: Track
    run: Run
    seat: Seat
    offer: Offer
    pathway: Pathway
    step: Step
    rule: SeatRule


def locate(d: Decision, offer_id: str) -> At | None:
    """The offer with its seat and rules; None when the case never made it or its procedure is not known."""
    found = find(d.case, offer_id)
    pathway = d.policy.pinned.get(found[1].digest) if found else None
    step = pathway.step(found[2].step) if found and pathway else None
    if found is None or pathway is None or step is None:
        return None
    return At(*found, pathway, step, step.seats[found[0][2]])
