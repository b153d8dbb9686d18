"""An offer: one seat put to one service, with everything that the door and the notifier need to know."""

from __future__ import annotations

from referral.domain.case import Run, Track
from referral.domain.decision import Decision
from referral.domain.directory import Service
from referral.domain.events import OfferKind, OfferOpened, Passed, Reach, StepKind
from referral.domain.procedure import Step

LIMIT_ORDER = {
    "OFFERED": ("acknowledge", "accept", "decide", "complete"),
    "ACKNOWLEDGED": ("accept", "decide", "complete"),
    "ACCEPTED": ("present", "arrive", "complete"),
    "ARRIVED": ("complete",),
}
"""Which limit runs in which state: the first of these that the step has."""


def limit_after(d: Decision, step: Step, state: str) -> tuple[int | None, str]:
    """The limit that starts when an offer comes into this state: when it passes, and which it is."""
    for what in LIMIT_ORDER[state]:
        if what in step.limits:
            return d.due(step.limits[what]), what
    return None, ""


def offer(
    d: Decision, track: Track, step: Step, run: Run, seat: int, service: Service, role: str, passed: tuple[Passed, ...], rule: str
) -> None:
    """Put a seat to a service. Everything that the door and the notifier need stands in the event."""
    agency, seat_rule = d.policy.agencies[service.agency], step.seats[seat]
    due, due_what = limit_after(d, step, "OFFERED")
    d.say(
        OfferOpened,
        rule,
        track,
        passed,
        track_id=track.track_id,
        step=step.id,
        round=run.round,
        seat=seat,
        offer_id=d.new_id("offer"),
        kind=OfferKind(step.kind.value),
        role=role,
        agency=agency.id,
        service=service.id,
        reach=Reach(agency.reach),
        urgency=d.case.traits.urgency,
        ladder=tuple(rung for rung in seat_rule.ladder if rung in agency.ladder) or agency.ladder,
        rung=0,
        shows=seat_rule.shows,
        words=words(step),
        reasons=() if step.kind is StepKind.NOTIFY else seat_rule.may_decline,
        codes=step.codes,
        needs=step.needs,
        skip=tuple(actor.removeprefix("staff:") for actor in d.case.excluded if actor.startswith("staff:")),
        due=due,
        due_what=due_what,
    )


def words(step: Step) -> tuple[str, ...]:
    """The answers that an offer of this step may ever get."""
    if step.kind is StepKind.NOTIFY:
        return ("ACKNOWLEDGE",)
    if step.kind is StepKind.DECIDE:
        return ("ACKNOWLEDGE", "DECIDE", "DECLINE")
    comes = ("ARRIVE",) if {"arrive", "present"} & set(step.limits) else ()
    holds = ("HOLD",) if "hold" in step.limits else ()
    return ("ACKNOWLEDGE", "ACCEPT", *comes, "COMPLETE", "DECLINE", *holds, "RETURN")
