"""An offer: one seat put to one service, with everything that the door and the notifier need to know."""

from __future__ import annotations

from functools import lru_cache

from referral.domain.calling import call
from referral.domain.case import Run, Track
from referral.domain.consent import shown
from referral.domain.decision import Decision
from referral.domain.directory import Service
from referral.domain.events import OfferOpened, Passed, Reach
from referral.domain.kinds import NOTIFY
from referral.domain.procedure import Step

CARRIED_OVER = "carried-over"
"""Rule of an offer whose agency has the seat already, under a procedure that gave way to another."""
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
    offer_id = d.new_id("offer")
    d.say(
        OfferOpened(
            why=d.why(rule, track, passed),
            track_id=track.track_id,
            step=step.id,
            round=run.round,
            seat=seat,
            offer_id=offer_id,
            kind=step.asks,
            role=role,
            agency=agency.id,
            service=service.id,
            reach=agency.reach,
            urgency=d.case.traits.urgency,
            ladder=_ladder(seat_rule.ladder, agency.ladder),
            rung=0,
            shows=shown(d, d.policy.pinned[track.digest], step, seat_rule.shows),
            words=step.words,
            reasons=() if step.kind is NOTIFY else seat_rule.may_decline,
            codes=step.codes,
            needs=step.needs,
            skip=tuple([actor.removeprefix("staff:") for actor in d.case.excluded if actor.startswith("staff:")]),
            due=due,
            due_what=due_what,
        )
    )
    if agency.reach is Reach.PHONE and rule != CARRIED_OVER:
        call(d, track, run, seat, offer_id)


@lru_cache(1024)
def _ladder(wanted: tuple[str, ...], there: tuple[str, ...]) -> tuple[str, ...]:
    """The rungs that the procedure names and the agency has; all of the agency's where it has none of them."""
    return tuple(rung for rung in wanted if rung in there) or there
