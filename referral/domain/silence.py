"""What follows when nobody answers: limits that passed, rungs without anybody, tasks that still stand at a desk."""

from __future__ import annotations

from referral.domain.calling import whose
from referral.domain.case import offers_of
from referral.domain.climbing import climb, complain, expire, undecided
from referral.domain.decision import Decision
from referral.domain.events import DeadlinePassed, OfferUnheard, RungFailed, RungReached
from referral.domain.filling import opens_at
from referral.domain.located import At, locate
from referral.domain.record import Due
from referral.domain.standing import RANK

CHANNELS_AWAY = "channels-away"
"""Reason of a RungFailed that is our fault: it neither climbs nor ends anything, and is never held against the agency."""


def due(d: Decision, body: Due) -> None:
    """The alarm went off. The state says what is due now, so an alarm that comes late or twice wakes nobody."""
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
            d.say(
                DeadlinePassed(
                    why=d.why("procedure-unknown", track), offer_id=offer.offer_id, what=offer.due_what, was_due=offer.due or d.facts.now
                )
            )
    for task in tasks:
        if task in d.case.tasks:
            d.tell_again(task, opens_at(d, task) if task.about == "no-candidate" else None)


def limit_passed(d: Decision, at: At) -> None:
    """One limit of one offer was missed."""
    offer, what = at.offer, at.offer.due_what
    d.say(DeadlinePassed(why=d.why(whose(offer), at.track), offer_id=offer.offer_id, what=what, was_due=offer.due or d.facts.now))
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
        d.needs_person(f"{what}-missed", at.track, at.run.step, at.place[2])
        complain(d, at, what)


def rung_failed(d: Decision, body: RungFailed) -> None:
    """Nobody on duty there, or nobody there can be reached: climb at once. Where the fault is ours the offer keeps rung and limit."""
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


def rung_reached(d: Decision, body: RungReached) -> None:
    """Somebody of the agency has been told after all: from now on its silence is its own."""
    at = locate(d, body.offer_id)
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    if at.offer.how or at.offer in at.seat.kept:
        return d.ignore("STALE_RUNG", body.offer_id)
    return _unheard(d, at, away=False)


def _unheard(d: Decision, at: At, *, away: bool) -> None:
    if at.offer.unheard is away:
        return d.ignore("REPEATED", at.offer.offer_id)
    rule = CHANNELS_AWAY if away else "channels-back"
    return d.say(OfferUnheard(why=d.why(rule, at.track), offer_id=at.offer.offer_id, rung=at.offer.rung, away=away))
