"""Handle timeouts: expired limits, escalation levels (rungs) with nobody on duty, and desk tasks that are still open.

Silence leads to the next rung, then the next agency, then a desk; a broken statutory duty to a child also raises a complaint.
"""

from __future__ import annotations

from msgspec.structs import replace

from referral.domain.case import DECIDE, RANK, offers_of, open_offers
from referral.domain.events import (
    CaseRaised,
    DeadlinePassed,
    Decided,
    DecisionRecorded,
    How,
    OfferEscalated,
    OfferUnheard,
    RungFailed,
    RungReached,
)
from referral.domain.evolve import ACKNOWLEDGER_EXCLUDED
from referral.domain.inputs import Due, derived
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.offers import LIMIT_ORDER, limit_after, opens_at
from referral.domain.rules.seats import LocatedOffer, locate, transfer_failed
from referral.domain.rules.telephone import call_higher, charged, whose

CHANNELS_AWAY = "channels-away"
"""Reason of a RungFailed that is our fault: it neither climbs the ladder nor ends anything, and never counts against the agency."""


def due(d: DecisionContext, body: Due) -> None:
    """Handle the alarm. The state of the case shows which limits have passed, so an alarm that comes late or twice has no extra effect."""
    now = d.facts.now
    passed = [
        (track, offer)
        for track in d.case.tracks
        if not track.outcome and not track.paused_by
        for run in track.runs
        for seat in run.seats
        for offer in ((seat.offer,) if seat.next is None and not seat.kept else offers_of(seat))
        if offer is not None and offer.due is not None and offer.due <= now and not offer.how
    ]
    tasks = [task for task in d.case.tasks if task.due is not None and task.due <= now]
    for track, offer in passed:
        if (at := locate(d, offer.offer_id)) is not None:
            limit_passed(d, at)
        else:
            d.emit(
                DeadlinePassed(
                    why=d.why("procedure-unknown", track), offer_id=offer.offer_id, what=offer.due_what, was_due=offer.due or d.facts.now
                )
            )
    for task in tasks:
        if task in d.case.tasks:
            d.repeat_task(task, opens_at(d, task) if task.about == "no-candidate" else None)


def limit_passed(d: DecisionContext, at: LocatedOffer) -> None:
    """Handle one missed limit of one offer."""
    offer, what = at.offer, at.offer.due_what
    d.emit(DeadlinePassed(why=d.why(whose(offer), at.track), offer_id=offer.offer_id, what=what, was_due=offer.due or d.facts.now))
    waiting = RANK[offer.state] < RANK["ACCEPTED"]
    if what == "acknowledge":
        climb(d, at, "acknowledge")
    elif what == "accept" or (what == "hold" and waiting):
        expire(d, at, what)
    elif what == "decide":
        undecided(d, at)
    elif offer is at.seat.next:
        d.needs_person(f"{what}-missed", at.track, at.run.step)
    else:
        d.needs_person(f"{what}-missed", at.track, at.run.step, at.ref[2])
        complain(d, at, what)


def rung_failed(d: DecisionContext, body: RungFailed) -> None:
    """Handle a rung with nobody on duty, or nobody who can be reached: climb at once. Where the fault is ours, the offer keeps rung and
    limit."""
    at = locate(d, body.offer_id)
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    if at.offer.how or at.offer in at.seat.kept or at.track.paused_by or at.offer.state != "OFFERED" or body.rung != at.offer.rung:
        return d.ignore("STALE_RUNG", body.offer_id)
    if at.offer.by_phone:
        return d.ignore("NOT_NOW", body.offer_id)
    if body.reason == CHANNELS_AWAY:
        return _unheard(d, at, away=True)
    return climb(d, at, body.reason)


def rung_reached(d: DecisionContext, body: RungReached) -> None:
    """Handle the first notification that reached the agency after our channels were down: from now on silence counts as
    the agency's own."""
    at = locate(d, body.offer_id)
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    if at.offer.how or at.offer in at.seat.kept:
        return d.ignore("STALE_RUNG", body.offer_id)
    return _unheard(d, at, away=False)


def _unheard(d: DecisionContext, at: LocatedOffer, *, away: bool) -> None:
    """Record that our channels to the agency are down, or up again."""
    if at.offer.unheard is away:
        return d.ignore("REPEATED", at.offer.offer_id)
    rule = CHANNELS_AWAY if away else "channels-back"
    return d.emit(OfferUnheard(why=d.why(rule, at.track), offer_id=at.offer.offer_id, rung=at.offer.rung, away=away))


def climb(d: DecisionContext, at: LocatedOffer, reason: str) -> None:
    """Escalate to the next rung of the same agency, or to the next agency after the last rung. A limit to acknowledge starts anew, others
    run on."""
    offer = at.offer
    if offer.rung + 1 < offer.rungs:
        first = next((what for what in LIMIT_ORDER["OFFERED"] if what in at.step.limits), "")
        anew = first == "acknowledge" or (offer.due is not None and offer.due <= d.facts.now)
        until = d.due(at.step.limits[first]) if first and anew else offer.due
        d.emit(
            OfferEscalated(
                why=d.why(_silence(at, "rung-silent"), at.track),
                offer_id=offer.offer_id,
                rung=offer.rung + 1,
                reason=reason,
                due=until,
                due_what=first if until else "",
            )
        )
        return call_higher(d, offer.offer_id)
    if reason == "all-excluded" and offer.skipped + 1 >= offer.rungs:
        d.needs_person("all-excluded", at.track, at.run.step, rung=2)
        expire(d, at, "all-excluded")
    elif at.step.kind is not DECIDE:
        expire(d, at, "ladder-exhausted")
    elif offer.due is None or offer.due <= d.facts.now or at.step.on_silence == "next-candidate":
        undecided(d, at)
    else:  # nobody is on duty: silence decides when the limit passes, not before
        d.needs_person("decide-missed", at.track, at.run.step, at.ref[2])
    return None


def knock_anew(d: DecisionContext) -> None:
    """Knock again at the same rung, with a new limit, where the person who had acknowledged is now excluded and can no longer read the
    case."""
    for offer in open_offers(d.case):
        at = locate(d, offer.offer_id) if offer.state == "ACKNOWLEDGED" and f"staff:{offer.by}" in d.case.excluded else None
        if at is None or at.track.paused_by:
            continue
        due, what = limit_after(d, at.step, "OFFERED")
        if what != "acknowledge":
            due, what = offer.due, offer.due_what
        d.emit(
            OfferEscalated(
                why=d.why("actor-excluded", at.track),
                offer_id=offer.offer_id,
                rung=offer.rung,
                reason=ACKNOWLEDGER_EXCLUDED,
                due=due,
                due_what=what,
            )
        )


def expire(d: DecisionContext, at: LocatedOffer, reason: str) -> None:
    """Expire the offer; `progress` asks the next agency. The holder of a seat that was to be handed over keeps it."""
    rule = _silence(at, "silence")
    shown_reason = reason if rule == "silence" else rule
    if at.offer is at.seat.next:
        return transfer_failed(d, at, How.EXPIRED, shown_reason, rule)
    d.close(at.offer, How.EXPIRED, shown_reason, rule, at.track)
    return complain(d, at, reason)


def _silence(at: LocatedOffer, theirs: str) -> str:
    """Return the rule for a silent agency, or the rule that the silence was not the agency's fault."""
    rule = whose(at.offer)
    return theirs if rule == "limit" else rule


def undecided(d: DecisionContext, at: LocatedOffer) -> None:
    """Handle a decision that was not made in time: ask the next agency, or a desk, or take the safest code until a desk confirms it."""
    if at.step.on_silence == "next-candidate":
        return expire(d, at, "decide")
    if at.step.on_silence in at.step.codes and at.step.forbid.get(at.step.on_silence) not in d.case.excluded:
        return _default(d, at)
    d.needs_person("decide-missed", at.track, at.run.step, at.ref[2])
    return complain(d, at, "decide")


def _default(d: DecisionContext, at: LocatedOffer) -> None:
    """Record the code that the procedure names for silence, marked as decided by silence; a person at a desk must confirm it."""
    code, silence = at.step.on_silence, Decided.SILENCE
    d.emit(
        DecisionRecorded(
            why=d.why("default-by-silence", at.track),
            track_id=at.track.track_id,
            step=at.run.step,
            round=at.run.round,
            seat=at.ref[2],
            code=code,
            how=silence,
            by=None,
        )
    )
    d.close(at.offer, How.EXPIRED, "decide", "silence", at.track)
    d.needs_person("confirm-default", at.track, at.run.step, repeat=d.policy.stopped)
    complain(d, at, "decide")


def complain(d: DecisionContext, at: LocatedOffer, what: str) -> None:
    """Raise a case about a broken deadline of a statutory duty to a child, once per step.

    The limit itself must have passed, and the agency must have been notified.
    """
    if not at.rule.statutory or not at.pathway.raises or what == "all-excluded" or not charged(d.case, at.offer.offer_id):
        return
    if f"agency:{at.offer.agency}" in d.case.excluded:  # an excluded agency could not answer
        return
    new = derived(at.track.track_id, f"raised:{at.step.id}")
    if new not in d.case.raised:
        traits = replace(d.case.traits, concern=at.pathway.raises)
        d.emit(
            CaseRaised(
                why=d.why("missed-deadline", at.track),
                new_case_id=new,
                pathway=at.pathway.raises,
                traits=traits,
                about="deadline-missed",
                excluded=(f"agency:{at.offer.agency}",),
            )
        )
