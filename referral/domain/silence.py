"""What follows when nobody answers: limits that passed, rungs without anybody, tasks that still stand at a desk."""

from __future__ import annotations

from msgspec.structs import replace

from referral.domain.answers import At, locate
from referral.domain.case import offers_of, seats
from referral.domain.decision import Decision
from referral.domain.events import CaseRaised, DeadlinePassed, How, OfferEscalated, RungFailed, StepKind
from referral.domain.offering import LIMIT_ORDER
from referral.domain.record import Due, derived
from referral.domain.standing import RANK


def due(d: Decision, body: Due) -> None:
    """The alarm went off. The state says what is due now, so an alarm that comes late or twice wakes nobody."""
    now = d.facts.now
    passed = [
        (track, offer)
        for _, track, _, seat in seats(d.case)
        if not track.outcome and not track.paused_by
        for offer in offers_of(seat)
        if offer.due is not None and offer.due <= now
    ]
    tasks = [task for task in d.case.tasks if task.due is not None and task.due <= now]
    for track, offer in passed:
        if (at := locate(d, offer.offer_id)) is not None:
            limit_passed(d, at)
        else:
            d.say(DeadlinePassed, "procedure-unknown", track, offer_id=offer.offer_id, what=offer.due_what, was_due=offer.due)
    for task in tasks:
        if task in d.case.tasks:
            d.tell_again(task)
    if not d.events:
        d.ignore("STALE_ALARM")


def limit_passed(d: Decision, at: At) -> None:
    """One limit of one offer was missed."""
    offer, what = at.offer, at.offer.due_what
    d.say(DeadlinePassed, "limit", at.track, offer_id=offer.offer_id, what=what, was_due=offer.due)
    waiting = RANK[offer.state] < RANK["ACCEPTED"]
    if what == "acknowledge":
        climb(d, at, "acknowledge")
    elif what == "accept" or (what == "hold" and waiting):
        expire(d, at, what)
    elif what == "decide":
        _undecided(d, at)
    else:
        d.needs_person(f"{what}-missed", at.track, at.run.step, at.place[2])
        complain(d, at, what)


def climb(d: Decision, at: At, reason: str) -> None:
    """The next rung of the same agency, or the next agency when there is none. A limit to acknowledge starts anew, others run on."""
    offer = at.offer
    if offer.rung + 1 < offer.rungs:
        first = next((what for what in LIMIT_ORDER["OFFERED"] if what in at.step.limits), "")
        anew = first == "acknowledge" or (offer.due is not None and offer.due <= d.facts.now)
        until = d.due(at.step.limits[first]) if first and anew else offer.due
        d.say(
            OfferEscalated,
            "rung-silent",
            at.track,
            offer_id=offer.offer_id,
            rung=offer.rung + 1,
            reason=reason,
            due=until,
            due_what=first if until else "",
        )
        return
    if reason == "all-excluded" and offer.skipped + 1 >= offer.rungs:
        d.needs_person("all-excluded", at.track, at.run.step, rung=2)
        expire(d, at, "all-excluded")
    elif at.step.kind is StepKind.DECIDE:
        _undecided(d, at)
    else:
        expire(d, at, "ladder-exhausted")


def expire(d: Decision, at: At, reason: str) -> None:
    """The agency was silent too long; `progress` asks the next one."""
    d.close(at.offer, How.EXPIRED, reason, "silence", at.track)
    complain(d, at, reason)


def _undecided(d: Decision, at: At) -> None:
    """A default by silence never moves a child: the next one is asked, or a desk while the question stays open."""
    if at.step.on_silence == "next-candidate":
        return expire(d, at, "decide")
    d.needs_person("decide-missed", at.track, at.run.step, at.place[2])
    return complain(d, at, "decide")


def complain(d: Decision, at: At, what: str) -> None:
    """A deadline of a statutory duty against a child was broken: once per step, a new case about it begins."""
    if not at.rule.statutory or not at.pathway.raises or what == "all-excluded":
        return
    new = derived(at.track.track_id, f"raised:{at.step.id}")
    if new not in d.case.raised:
        traits = replace(d.case.traits, concern=at.pathway.raises)
        d.say(CaseRaised, "missed-deadline", at.track, new_case_id=new, pathway=at.pathway.raises, traits=traits, about="deadline-missed")


def rung_failed(d: Decision, body: RungFailed) -> None:
    """Nobody on duty there, or no channel reached anybody: climb at once instead of waiting for the limit."""
    at = locate(d, body.offer_id)
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    if at.offer.how or at.offer in at.seat.kept or at.track.paused_by or at.offer.state != "OFFERED" or body.rung != at.offer.rung:
        return d.ignore("STALE_RUNG", body.offer_id)
    return climb(d, at, body.reason)
