"""What an agency's answer to an offer does. One function per word; an answer that cannot count is told why, never dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from referral.domain.case import Offer, Place, Run, Seat, Track, find, offers_of
from referral.domain.decision import Decision
from referral.domain.eligible import banned, unsuitable
from referral.domain.events import (
    Decided,
    DecisionRecorded,
    How,
    OfferAccepted,
    OfferAcknowledged,
    OfferArrived,
    OfferHeld,
    ResponseSubmitted,
    StepKind,
    Word,
)
from referral.domain.offering import limit_after
from referral.domain.procedure import Pathway, SeatRule, Step
from referral.domain.standing import RANK, latest, marks


class At(NamedTuple):
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


def answered(d: Decision, body: ResponseSubmitted) -> None:
    """An answer to an offer, open or ended."""
    at = locate(d, body.offer_id)
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    offer = at.offer
    if body.agency != offer.agency:
        return d.ignore("NOT_YOURS", body.offer_id)
    if f"agency:{body.agency}" in d.case.excluded:
        return d.ignore("EXCLUDED", body.offer_id)
    if offer.how:
        return _late(d, at, body)
    if offer in at.seat.kept:
        return _regained(d, at, body) if body.word is Word.ACCEPT else d.ignore("REPEATED", body.offer_id)
    return WORDS.get(body.word, _not_now)(d, at, body)


def _not_now(d: Decision, at: At, body: ResponseSubmitted) -> None:
    d.ignore("NOT_NOW", body.offer_id)


def _late(d: Decision, at: At, body: ResponseSubmitted) -> None:
    """An accept may undo an expiry while nobody else has accepted the seat; whoever was asked meanwhile is told that it is taken."""
    seat, run = at.seat, at.run
    if d.case.closed:
        return d.ignore("CASE_CLOSED", body.offer_id)
    current = seat.offer
    if current is not None and RANK[current.state] >= RANK["ACCEPTED"]:
        reason = "OTHER_ACCEPTED_FIRST" if at.offer is not current else "OFFER_CLOSED"
        return d.ignore(reason, body.offer_id)
    undone = body.word is Word.ACCEPT and at.offer.how == How.EXPIRED.value and at.step.kind is not StepKind.DECIDE
    if not undone or run.outcome or at.track.outcome or run is not latest(at.track, run.step):
        return d.ignore("OFFER_CLOSED", body.offer_id)
    service = d.policy.services.get(at.offer.service)
    if service is None or unsuitable(d.case.traits, at.rule, service):
        return d.ignore("NOT_ELIGIBLE", body.offer_id)
    if banned(d, at.pathway, at.step, service, marks(d.case, at.track, at.pathway, d.policy)):
        return d.ignore("NOT_ELIGIBLE", body.offer_id)
    if at.step.kind is StepKind.PLACE and d.free(service.id) < 1:
        return d.ignore("NO_CAPACITY", body.offer_id)
    if current is not None:
        d.close(current, How.CANCELLED, "OTHER_ACCEPTED_FIRST", "late-accept", at.track)
    _accept(d, at, body, late=True)
    return None


def _regained(d: Decision, at: At, body: ResponseSubmitted) -> None:
    """An agency that declined, and kept its offer by duty, takes it after all while nobody else has."""
    current = at.seat.offer
    if current is not None and RANK[current.state] >= RANK["ACCEPTED"]:
        return d.ignore("OTHER_ACCEPTED_FIRST", body.offer_id)
    if current is not None:
        d.close(current, How.CANCELLED, "OTHER_ACCEPTED_FIRST", "kept-accepts", at.track)
    _accept(d, at, body, late=False)
    return None


def _accept(d: Decision, at: At, body: ResponseSubmitted, *, late: bool) -> None:
    due, what = limit_after(d, at.step, "ACCEPTED")
    d.say(
        OfferAccepted, "late-accept" if late else "answer", at.track, offer_id=body.offer_id, by=body.by, late=late, due=due, due_what=what
    )
    for kept in at.seat.kept:
        if kept.offer_id != body.offer_id:
            d.close(kept, How.DECLINED_BY_AGENCY, kept.reason, "other-accepted", at.track)


def _acknowledge(d: Decision, at: At, body: ResponseSubmitted) -> None:
    if at.offer.state != "OFFERED":
        return d.ignore("REPEATED", body.offer_id)
    due, what = limit_after(d, at.step, "ACKNOWLEDGED")
    d.say(OfferAcknowledged, "answer", at.track, offer_id=body.offer_id, by=body.by, due=due, due_what=what)
    if at.step.kind is StepKind.NOTIFY:
        d.close(at.offer, How.COMPLETED, "", "answer", at.track)
    return None


def _accepts(d: Decision, at: At, body: ResponseSubmitted) -> None:
    if at.step.kind in (StepKind.DECIDE, StepKind.NOTIFY):
        return d.ignore("NOT_NOW", body.offer_id)
    if RANK[at.offer.state] >= RANK["ACCEPTED"]:
        return d.ignore("REPEATED", body.offer_id)
    return _accept(d, at, body, late=False)


def _arrive(d: Decision, at: At, body: ResponseSubmitted) -> None:
    """Arriving without a word before is an acceptance too."""
    if not {"arrive", "present"} & set(at.step.limits):
        return d.ignore("NOT_NOW", body.offer_id)
    if at.offer.state == "ARRIVED":
        return d.ignore("REPEATED", body.offer_id)
    if RANK[at.offer.state] < RANK["ACCEPTED"]:
        _accept(d, at, body, late=False)
    due, what = limit_after(d, at.step, "ARRIVED")
    d.say(OfferArrived, "answer", at.track, offer_id=body.offer_id, by=body.by, due=due, due_what=what)
    return None


def _complete(d: Decision, at: At, body: ResponseSubmitted) -> None:
    if at.step.kind in (StepKind.DECIDE, StepKind.NOTIFY):
        return d.ignore("NOT_NOW", body.offer_id)
    if RANK[at.offer.state] < RANK["ACCEPTED"]:
        _accept(d, at, body, late=False)
    d.close(at.offer, How.COMPLETED, "", "answer", at.track)
    return None


def _decline(d: Decision, at: At, body: ResponseSubmitted) -> None:
    if RANK[at.offer.state] >= RANK["ACCEPTED"] or at.step.kind is StepKind.NOTIFY:
        return d.ignore("NOT_NOW", body.offer_id)
    return _give_up(d, at, body, How.DECLINED_BY_AGENCY)


def _return(d: Decision, at: At, body: ResponseSubmitted) -> None:
    if RANK[at.offer.state] < RANK["ACCEPTED"]:
        return d.ignore("NOT_NOW", body.offer_id)
    return _give_up(d, at, body, How.RETURNED)


def _give_up(d: Decision, at: At, body: ResponseSubmitted, how: How) -> None:
    """The agency does not want the seat (any more): the person refused, a duty is kept, or the next one is asked."""
    if body.reason not in at.rule.may_decline:
        return d.ignore("REASON_NOT_ALLOWED", body.offer_id)
    if at.rule.statutory and at.step.kind is not StepKind.DECIDE:
        d.say(OfferHeld, "statutory-duty", at.track, offer_id=body.offer_id, by=body.by, reason=body.reason, due=None)
    else:
        if body.reason == "PERSON_DECLINED":
            how = How.DECLINED_BY_PERSON
        d.close(at.offer, how, body.reason, "answer", at.track)
    recall_decisions(d, at.track.track_id, at.run.step, at.place[2], at.offer.service)
    return None


def recall_decisions(d: Decision, track_id: str, step_id: str, seat: int, service: str) -> None:
    """Who no longer holds a seat no longer decides by it: its undecided offers go to the next holder."""
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


def _hold(d: Decision, at: At, body: ResponseSubmitted) -> None:
    if "hold" not in at.step.limits or at.offer.held:
        return d.ignore("NOT_NOW", body.offer_id)
    due = d.due(at.step.limits["hold"])
    d.say(OfferHeld, "answer", at.track, offer_id=body.offer_id, by=body.by, reason=body.reason, due=due)
    return None


def _decide(d: Decision, at: At, body: ResponseSubmitted) -> None:
    """A person decides; what the procedure wants recorded must stand in the case file first."""
    step = at.step
    if step.kind is not StepKind.DECIDE:
        return d.ignore("NOT_NOW", body.offer_id)
    if body.code not in step.codes:
        return d.ignore("CODE_NOT_ALLOWED", body.offer_id)
    if step.forbid.get(body.code) in d.case.excluded:
        return d.ignore("FORBIDDEN", body.offer_id)
    if not set(step.needs) <= set(body.recorded):
        return d.ignore("NEEDS_RECORD", body.offer_id)
    run, seat = at.run, at.place[2]
    place = {"track_id": at.track.track_id, "step": run.step, "round": run.round, "seat": seat}
    d.say(DecisionRecorded, "answer", at.track, **place, code=body.code, how=Decided.PERSON, by=body.by)
    d.close(at.offer, How.COMPLETED, "", "answer", at.track)
    return None


WORDS: dict[Word, Callable[[Decision, At, ResponseSubmitted], None]] = {
    Word.ACKNOWLEDGE: _acknowledge,
    Word.ACCEPT: _accepts,
    Word.ARRIVE: _arrive,
    Word.COMPLETE: _complete,
    Word.DECLINE: _decline,
    Word.HOLD: _hold,
    Word.RETURN: _return,
    Word.DECIDE: _decide,
}
