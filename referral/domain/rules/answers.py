"""Handle an agency's answer to an offer, one function per answer word. An answer without effect is recorded with its reason, never dropped.

A late acceptance (after expiry, or after a decline under a statutory duty) counts while no other agency has accepted the seat.
"""

from __future__ import annotations

from collections.abc import Callable

from referral.domain.case import DECIDE, NOTIFY, PLACE, RANK
from referral.domain.events import (
    Decided,
    DecisionRecorded,
    How,
    KnockAnswered,
    OfferAcknowledged,
    OfferArrived,
    OfferHeld,
    ResponseSubmitted,
    StepKind,
    Word,
)
from referral.domain.rules.candidates import banned, unsuitable
from referral.domain.rules.conditions import OVERTAKEN, latest, track_marks
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.offers import limit_on
from referral.domain.rules.persons import alone_below, person, refusal
from referral.domain.rules.seats import LocatedOffer, accept, give_up, hand_over, locate
from referral.domain.rules.telephone import call_on
from referral.domain.rules.unverified import looked


def answered(d: DecisionContext, body: ResponseSubmitted) -> None:
    """Handle an answer to an offer, open or ended."""
    at = locate(d, body.offer_id)
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    offer = at.offer
    if body.agency != offer.agency:
        return d.ignore("NOT_YOURS", body.offer_id)
    if f"agency:{body.agency}" in d.case.excluded or f"staff:{body.by}" in d.case.excluded:
        return d.ignore("EXCLUDED", body.offer_id)
    if reason := refusal(at.track, at.run, at.step, at.rule, body):
        return d.ignore(reason, body.offer_id)
    if offer.how:
        return late(d, at, body)
    if offer in at.seat.kept:
        return regained(d, at, body) if body.word is Word.ACCEPT else d.ignore("REPEATED", body.offer_id)
    return WORDS.get(body.word, _not_now)(d, at, body)


LOOKS = "LOOKS"
"""Word of a KnockAnswered: I look at it."""
BY_HANDSET = "knock-answered"
"""Rule of an acknowledgement from a handset. It proves that somebody is awake, not that the offer was read: the notifier reminds sooner."""


def knock_answered(d: DecisionContext, body: KnockAnswered) -> None:
    """Handle an answer to a message. It acknowledges an offer, and does nothing else: neither ends, accepts nor declines anything.

    A notice is completed by reading it, so that an answer from a handset does not count. "I cannot" is the notifier's: it asks others.
    """
    at = locate(d, body.offer_id) if body.offer_id else None
    if body.word != LOOKS or body.offer_id is None:
        return d.ignore("NOTHING_CHANGED")
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    if f"agency:{at.offer.agency}" in d.case.excluded or f"staff:{body.person}" in d.case.excluded:
        return d.ignore("EXCLUDED", body.offer_id)
    if at.offer.how or at.offer in at.seat.kept or at.step.kind is NOTIFY:
        return d.ignore("NOT_NOW", body.offer_id)
    if at.offer.state != "OFFERED":
        return d.ignore("REPEATED", body.offer_id)
    due, what = limit_on(d, at.track, at.step, at.offer, "ACKNOWLEDGED", at.ref[2])
    d.emit(OfferAcknowledged(why=d.why(BY_HANDSET, at.track), offer_id=body.offer_id, by=body.person, due=due, due_what=what))
    return call_on(d, body.offer_id)


def _not_now(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Ignore an answer word that the offer cannot take in its state."""
    d.ignore("NOT_NOW", body.offer_id)


def _acknowledge(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle ACKNOWLEDGE: somebody has read the offer. A notice is completed by it."""
    if at.offer.state != "OFFERED":
        return d.ignore("REPEATED", body.offer_id)
    due, what = limit_on(d, at.track, at.step, at.offer, "ACKNOWLEDGED", at.ref[2])
    d.emit(OfferAcknowledged(why=d.why("answer", at.track), offer_id=body.offer_id, by=body.by, due=due, due_what=what))
    if at.step.kind is NOTIFY:
        d.close(at.offer, How.COMPLETED, "", "answer", at.track)
        return None
    return call_on(d, body.offer_id)


def _accepts(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle ACCEPT: the agency takes the seat."""
    if at.step.kind in (DECIDE, NOTIFY):
        return d.ignore("NOT_NOW", body.offer_id)
    if RANK[at.offer.state] >= RANK["ACCEPTED"]:
        return d.ignore("REPEATED", body.offer_id)
    return accept(d, at, body, late=False)


def _arrive(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle ARRIVE: the person is there. Without an earlier acceptance it is an acceptance too."""
    if not {"arrive", "present"} & set(at.step.limits):
        return d.ignore("NOT_NOW", body.offer_id)
    if at.offer.state == "ARRIVED":
        return d.ignore("REPEATED", body.offer_id)
    if RANK[at.offer.state] < RANK["ACCEPTED"]:
        accept(d, at, body, late=False)
    due, what = limit_on(d, at.track, at.step, at.offer, "ARRIVED")
    d.emit(OfferArrived(why=d.why("answer", at.track), offer_id=body.offer_id, by=body.by, due=due, due_what=what))
    if at.offer is at.seat.next and at.step.kind is PLACE:
        hand_over(d, at)
    return None


def _complete(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle COMPLETE: the work is done. Without an earlier acceptance it is an acceptance too."""
    if at.step.kind in (DECIDE, NOTIFY):
        return d.ignore("NOT_NOW", body.offer_id)
    if RANK[at.offer.state] < RANK["ACCEPTED"]:
        accept(d, at, body, late=False)
    if at.offer is at.seat.next and at.step.kind is PLACE:
        hand_over(d, at)
    if at.offer is at.seat.offer and at.seat.next is not None:
        d.close(at.seat.next, How.CANCELLED, "NOT_NEEDED", "answer", at.track)
    d.close(at.offer, How.COMPLETED, "", "answer", at.track)
    return None


def _decline(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle DECLINE, which is possible only before acceptance."""
    if RANK[at.offer.state] >= RANK["ACCEPTED"] or at.step.kind is NOTIFY:
        return d.ignore("NOT_NOW", body.offer_id)
    return give_up(d, at, body, How.DECLINED_BY_AGENCY)


def _return(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle RETURN, which is possible only after acceptance."""
    if RANK[at.offer.state] < RANK["ACCEPTED"]:
        return d.ignore("NOT_NOW", body.offer_id)
    return give_up(d, at, body, How.RETURNED)


def _hold(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle HOLD: pause the offer, once, for the limit `hold`."""
    if "hold" not in at.step.limits or at.offer.held:
        return d.ignore("NOT_NOW", body.offer_id)
    due = d.due(at.step.limits["hold"])
    d.emit(OfferHeld(why=d.why("answer", at.track), offer_id=body.offer_id, by=body.by, reason=body.reason, due=due))
    return call_on(d, body.offer_id)


def _decide(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle DECIDE: a person decides. The records that the step needs must be in the case file first."""
    step = at.step
    if step.kind is not DECIDE:
        return d.ignore("NOT_NOW", body.offer_id)
    if body.code not in step.codes:
        return d.ignore("CODE_NOT_ALLOWED", body.offer_id)
    if step.forbid.get(body.code) in d.case.excluded:
        return d.ignore("FORBIDDEN", body.offer_id)
    if not set(step.needs) <= set(body.recorded):
        return d.ignore("NEEDS_RECORD", body.offer_id)
    run, seat = at.run, at.ref[2]
    if reason := alone_below(run, step, seat, body):
        return d.ignore(reason, body.offer_id)
    d.emit(
        DecisionRecorded(
            why=d.why("answer", at.track),
            track_id=at.track.track_id,
            step=run.step,
            round=run.round,
            seat=seat,
            code=body.code,
            how=Decided.PERSON,
            by=person(body) if step.two_persons or at.rule.apart or step.form else body.by,
            pointed=body.pointed if step.form else None,
        )
    )
    d.close(at.offer, How.COMPLETED, "", "answer", at.track)
    return looked(d, at.track)


WORDS: dict[Word, Callable[[DecisionContext, LocatedOffer, ResponseSubmitted], None]] = {
    Word.ACKNOWLEDGE: _acknowledge,
    Word.ACCEPT: _accepts,
    Word.ARRIVE: _arrive,
    Word.COMPLETE: _complete,
    Word.DECLINE: _decline,
    Word.HOLD: _hold,
    Word.RETURN: _return,
    Word.DECIDE: _decide,
}


def late(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Handle an answer to an offer that has ended. An acceptance may undo an expiry while no other agency has accepted the seat; the offer
    made to another agency meanwhile is cancelled."""
    seat, run = at.seat, at.run
    if at.offer.how == How.OVERTAKEN.value or run.outcome == OVERTAKEN:
        return d.ignore(OVERTAKEN.upper(), body.offer_id)
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
    if banned(d, at.pathway, at.step, service, track_marks(d.case, at.track, at.pathway, d.policy, d.facts.now)):
        return d.ignore("NOT_ELIGIBLE", body.offer_id)
    if at.step.kind is StepKind.PLACE and d.free(service.id) < 1:
        return d.ignore("NO_CAPACITY", body.offer_id)
    if current is not None:
        d.close(current, How.CANCELLED, "OTHER_ACCEPTED_FIRST", "late-accept", at.track)
    accept(d, at, body, late=True)
    return None


def regained(d: DecisionContext, at: LocatedOffer, body: ResponseSubmitted) -> None:
    """Accept a seat after a decline: the agency kept its offer under a statutory duty, and no other agency has accepted since."""
    current = at.seat.offer
    if current is not None and RANK[current.state] >= RANK["ACCEPTED"]:
        return d.ignore("OTHER_ACCEPTED_FIRST", body.offer_id)
    if current is not None:
        d.close(current, How.CANCELLED, "OTHER_ACCEPTED_FIRST", "kept-accepts", at.track)
    accept(d, at, body, late=False)
    return None
