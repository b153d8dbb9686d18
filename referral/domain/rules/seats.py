"""Take, hand over and give up a seat, and recall decisions from a service that lost the seat they depend on.

`locate` finds the offer that an answer or an alarm is about, with its seat and rules.
"""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.case import DECIDE, PLACE, RANK, FoundOffer, find, offers_of
from referral.domain.events import How, OfferAccepted, OfferHeld, ResponseSubmitted
from referral.domain.policy.procedure import Pathway, SeatRule, Step
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.offers import limit_on

HANDING_OVER = ("transfer-failed", "arrive-missed", "present-missed", "complete-missed", "hold-missed")
"""Desk tasks about a seat that is being handed over."""
HANDED_OVER = (*HANDING_OVER, "place-forbidden")
"""Desk tasks that are over once its holder has left."""


def accept(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted, *, late: bool) -> None:
    """Take the seat; release the agencies that kept it by duty."""
    due, what = limit_on(d, at.track, at.step, at.offer, "ACCEPTED")
    d.emit(
        OfferAccepted(
            why=d.why("late-accept" if late else "answer", at.track), offer_id=body.offer_id, by=body.by, late=late, due=due, due_what=what
        )
    )
    for kept in at.seat.kept:
        if kept.offer_id != body.offer_id:
            d.close(kept, How.DECLINED_BY_AGENCY, kept.reason, "other-accepted", at.track)
    if at.offer is at.seat.next and at.step.kind is not PLACE:
        hand_over(d, at)


def hand_over(d: DecisionContext, at: LocatedOffer) -> None:
    """Release the old holder, now that the next one has taken the seat (for a place: the person has arrived there)."""
    old = at.seat.offer
    assert old is not None
    d.close(old, How.RELEASED, "TRANSFERRED", "transferred", at.track)
    recall_decisions(d, at.track.track_id, at.run.step, at.ref[2], old.service)
    transfer_settled(d, at.track.track_id, at.run.step, "transferred", HANDED_OVER)


def transfer_failed(d: DecisionContext, at: LocatedOffer, how: How, reason: str, rule: str) -> None:
    """End a transfer that the next holder refuses or lets pass: the old holder stays, and a desk gets a task. The task names no seat,
    because none is vacant."""
    d.close(at.offer, how, reason, rule, at.track)
    d.needs_person("transfer-failed", at.track, at.run.step)


def transfer_settled(d: DecisionContext, track_id: str, step: str, how: str, about: Collection[str] = HANDING_OVER) -> None:
    """Settle the desk tasks about an earlier attempt to transfer, or about the holder who has left (HANDED_OVER)."""
    for task in d.case.tasks:
        if task.track_id == track_id and task.step == step and task.seat < 0 and task.about in about:
            d.settle(task, how)


def give_up(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted, how: How) -> None:
    """Handle an agency that declines or returns a seat: the person refused, a statutory duty is kept, or the next agency is asked."""
    if body.reason not in at.rule.may_decline:
        return d.ignore("REASON_NOT_ALLOWED", body.offer_id)
    if at.offer is at.seat.next:
        return transfer_failed(d, at, How.DECLINED_BY_PERSON if body.reason == "PERSON_DECLINED" else how, body.reason, "answer")
    if at.rule.statutory and at.step.kind is not DECIDE:
        d.emit(OfferHeld(why=d.why("statutory-duty", at.track), offer_id=body.offer_id, by=body.by, reason=body.reason, due=None))
    else:
        if body.reason == "PERSON_DECLINED":
            how = How.DECLINED_BY_PERSON
        d.close(at.offer, how, body.reason, "answer", at.track)
    recall_decisions(d, at.track.track_id, at.run.step, at.ref[2], at.offer.service)
    return None


def recall_decisions(d: DecisionContext, track_id: str, step_id: str, seat: int, service: str) -> None:
    """Cancel the undecided offers of a service that no longer holds the seat by which it decides: they go to the next holder."""
    track = next(t for t in d.case.tracks if t.track_id == track_id)
    pathway = d.policy.pinned.get(track.digest)
    for run in track.runs:
        step = pathway.step(run.step) if pathway else None
        for number, asked in enumerate(run.seats if step else ()):
            assert step is not None
            if step.seats[number].holder == (step_id, seat) and not asked.code:
                for offer in offers_of(asked):
                    if offer.service == service and RANK[offer.state] < RANK["ACCEPTED"]:
                        d.close(offer, How.CANCELLED, "NO_LONGER_HOLDER", "holder-changed", track)


class LocatedOffer(FoundOffer, frozen=True, gc=False):
    """An offer located in its case, with its step and rules."""

    pathway: Pathway
    step: Step
    rule: SeatRule


def locate(d: DecisionContext, offer_id: str) -> LocatedOffer | None:
    """Return the offer with its seat and rules; None when the case has no such offer or its procedure is not known."""
    found = find(d.case, offer_id)
    pathway = d.policy.pinned.get(found.track.digest) if found else None
    step = pathway.step(found.run.step) if found and pathway else None
    if found is None or pathway is None or step is None:
        return None
    place = (found.ref, found.track, found.run, found.seat, found.offer)
    return LocatedOffer(*place, pathway, step, step.seats[found.ref[2]])
