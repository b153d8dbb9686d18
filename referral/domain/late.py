"""An accept that comes when nothing is open any more, or after a decline: it counts while nobody else has the seat."""

from __future__ import annotations

from referral.domain.decision import Decision
from referral.domain.events import How, ResponseSubmitted, StepKind, Word
from referral.domain.located import At
from referral.domain.marks import marks
from referral.domain.standing import OVERTAKEN, RANK, latest
from referral.domain.taking import accept
from referral.domain.unfit import banned, unsuitable


def late(d: Decision, at: At, body: ResponseSubmitted) -> None:
    """An accept may undo an expiry while nobody else has accepted the seat; whoever was asked meanwhile is told that it is taken."""
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
    if banned(d, at.pathway, at.step, service, marks(d.case, at.track, at.pathway, d.policy, d.facts.now)):
        return d.ignore("NOT_ELIGIBLE", body.offer_id)
    if at.step.kind is StepKind.PLACE and d.free(service.id) < 1:
        return d.ignore("NO_CAPACITY", body.offer_id)
    if current is not None:
        d.close(current, How.CANCELLED, "OTHER_ACCEPTED_FIRST", "late-accept", at.track)
    accept(d, at, body, late=True)
    return None


def regained(d: Decision, at: At, body: ResponseSubmitted) -> None:
    """An agency that declined, and kept its offer by duty, takes it after all while nobody else has."""
    current = at.seat.offer
    if current is not None and RANK[current.state] >= RANK["ACCEPTED"]:
        return d.ignore("OTHER_ACCEPTED_FIRST", body.offer_id)
    if current is not None:
        d.close(current, How.CANCELLED, "OTHER_ACCEPTED_FIRST", "kept-accepts", at.track)
    accept(d, at, body, late=False)
    return None
