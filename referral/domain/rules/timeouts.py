"""Handle timeouts: expired limits, escalation levels (rungs) with nobody on duty, and desk tasks that are still open.

Silence leads to the next rung, then the next agency, then a desk. It counts as the agency's only after a message there has arrived. A
broken statutory duty to a child is also proposed to oversight as a complaint, which a person opens or not.
"""

from __future__ import annotations

from referral.domain.case import DECIDE, RANK, offers_of, open_offers
from referral.domain.events import (
    DeadlinePassed,
    Decided,
    DecisionRecorded,
    How,
    OfferEscalated,
    OfferUnheard,
    RungFailed,
    RungReached,
)
from referral.domain.evolve import ACKNOWLEDGER_EXCLUDED, TOLD_LATE
from referral.domain.inputs import Due
from referral.domain.rules.complaints import complain
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.offers import LIMIT_ORDER, limit_after, opens_at
from referral.domain.rules.seats import LocatedOffer, locate, transfer_failed
from referral.domain.rules.telephone import call_higher, missed_by, whose

DECIDE_MISSED = "decide-missed"
"""A desk task: nobody has decided, or the agency has nobody on duty who could."""
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
    rule = "limit" if _has_nobody(d, at) else missed_by(offer)
    d.emit(DeadlinePassed(why=d.why(rule, at.track), offer_id=offer.offer_id, what=what, was_due=offer.due or d.facts.now))
    waiting = RANK[offer.state] < RANK["ACCEPTED"]
    if what == "acknowledge":
        climb(d, at, "acknowledge", rule)
    elif what == "accept" or (what == "hold" and waiting):
        expire(d, at, what, rule)
    elif what == "decide":
        undecided(d, at, rule)
    elif offer is at.seat.next:
        d.needs_person(f"{what}-missed", at.track, at.run.step)
    else:
        d.needs_person(f"{what}-missed", at.track, at.run.step, at.ref[2])
        complain(d, at, what, rule)


def _has_nobody(d: DecisionContext, at: LocatedOffer) -> bool:
    """Return True when the agency has nobody on duty for a decision, at any rung: a desk has had its task since then."""
    here = (DECIDE_MISSED, at.track.track_id, at.run.step, at.ref[2])
    return at.step.kind is DECIDE and any((t.about, t.track_id, t.step, t.seat) == here for t in d.case.tasks)


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
        if at.offer.unheard:
            return d.ignore("REPEATED", body.offer_id)
        return _unheard(d, at, CHANNELS_AWAY)
    return climb(d, at, body.reason, whose(at.offer))


def rung_reached(d: DecisionContext, body: RungReached) -> None:
    """Handle the first message that arrived at a rung: from now on silence counts as the agency's own."""
    at = locate(d, body.offer_id)
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    offer = at.offer
    if offer.how or offer in at.seat.kept or (offer.knocked and body.rung != offer.rung):
        return d.ignore("STALE_RUNG", body.offer_id)
    if not offer.unheard and (offer.told or not offer.knocked or offer.state != "OFFERED"):
        return d.ignore("REPEATED", body.offer_id)
    return _unheard(d, at, "channels-back" if offer.unheard else TOLD_LATE if _is_late(d, at) else "told")


def _is_late(d: DecisionContext, at: LocatedOffer) -> bool:
    """Return True when more than half of the limit that runs is over. The notifier uses every channel within a third of it (steps.py)."""
    if at.offer.due_what not in at.step.limits or at.offer.due is None:
        return False
    whole = d.due(at.step.limit(at.offer.due_what, at.ref[2]))
    return 2 * (whole - at.offer.due) > whole - d.facts.now


def _unheard(d: DecisionContext, at: LocatedOffer, rule: str) -> None:
    """Record that our channels to the agency are down, or that a message has arrived."""
    away = rule == CHANNELS_AWAY
    d.emit(OfferUnheard(why=d.why(rule, at.track), offer_id=at.offer.offer_id, rung=at.offer.rung, away=away))


def climb(d: DecisionContext, at: LocatedOffer, reason: str, rule: str) -> None:
    """Escalate to the next rung of the same agency, or to the next agency after the last rung. A limit to acknowledge starts anew, others
    run on. rule: whose silence it is."""
    offer = at.offer
    if offer.rung + 1 < offer.rungs:
        first = next((what for what in LIMIT_ORDER["OFFERED"] if what in at.step.limits), "")
        anew = first == "acknowledge" or (offer.due is not None and offer.due <= d.facts.now)
        until = d.due_since(at.step.limits[first], at.track) if first and anew else offer.due
        d.emit(
            OfferEscalated(
                why=d.why("rung-silent" if rule == "limit" else rule, at.track),
                offer_id=offer.offer_id,
                rung=offer.rung + 1,
                reason=reason,
                due=until,
                due_what=first if until else "",
            )
        )
        return call_higher(d, offer, rule)
    if reason == "all-excluded" and offer.skipped + 1 >= offer.rungs:
        d.needs_person("all-excluded", at.track, at.run.step, rung=2)
        expire(d, at, "all-excluded", rule)
    elif at.step.kind is not DECIDE:
        expire(d, at, "ladder-exhausted", rule)
    elif offer.due is None or offer.due <= d.facts.now or at.step.on_silence == "next-candidate":
        undecided(d, at, rule)
    else:  # nobody is on duty: silence decides when the limit passes, not before
        d.needs_person(DECIDE_MISSED, at.track, at.run.step, at.ref[2])
    return None


def knock_anew(d: DecisionContext) -> None:
    """Knock again at the same rung, with a new limit, where the person who had acknowledged is now excluded and can no longer read the
    case."""
    for offer in open_offers(d.case):
        at = locate(d, offer.offer_id) if offer.state == "ACKNOWLEDGED" and f"staff:{offer.by}" in d.case.excluded else None
        if at is None or at.track.paused_by:
            continue
        due, what = limit_after(d, at.track, at.step, "OFFERED")
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


def expire(d: DecisionContext, at: LocatedOffer, reason: str, rule: str) -> None:
    """Expire the offer; `progress` asks the next agency. The holder of a seat that was to be handed over keeps it. rule: whose silence."""
    shown_reason, closed_by = (reason, "silence") if rule == "limit" else (rule, rule)
    if at.offer is at.seat.next:
        return transfer_failed(d, at, How.EXPIRED, shown_reason, closed_by)
    d.close(at.offer, How.EXPIRED, shown_reason, closed_by, at.track)
    return complain(d, at, reason, rule)


def undecided(d: DecisionContext, at: LocatedOffer, rule: str) -> None:
    """Handle a decision that was not made in time: ask the next agency, or a desk, or take the safest code until a desk confirms it."""
    if at.step.on_silence == "next-candidate":
        return expire(d, at, "decide", rule)
    if at.step.on_silence in at.step.codes and at.step.forbid.get(at.step.on_silence) not in d.case.excluded:
        return _default(d, at, rule)
    d.needs_person(DECIDE_MISSED, at.track, at.run.step, at.ref[2])
    return complain(d, at, "decide", rule)


def _default(d: DecisionContext, at: LocatedOffer, rule: str) -> None:
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
    complain(d, at, "decide", rule)
