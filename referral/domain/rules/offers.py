"""Offer the vacant seats of a step to services, and open a desk task for a seat that no service can be asked for.

An offer puts one seat to one service; its event holds everything that intake and the notifier need.
"""

from __future__ import annotations

from functools import lru_cache

from referral.domain.case import NOTIFY, Offer, Run, Task, Track
from referral.domain.entered_times import times_of
from referral.domain.events import How, OfferOpened, Passed, Reach
from referral.domain.policy.directory import Service
from referral.domain.policy.procedure import Marks, Pathway, Step
from referral.domain.rules.candidates import choose, first_opening
from referral.domain.rules.conditions import latest, track_marks
from referral.domain.rules.consent import shown
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.persons import barred
from referral.domain.rules.telephone import call, call_next, let_pass
from referral.domain.rules.unverified import UNVERIFIED

CARRIED_OVER = "carried-over"
"""Rule of an offer whose agency holds the seat already, under a procedure that was replaced by another."""
TIME_MISSING = "time-missing"
"""A desk task: ask for the time from which a limit counts. Until it is known, the limit counts from the beginning of the procedure."""
LIMIT_ORDER = {
    "OFFERED": ("acknowledge", "accept", "decide", "complete"),
    "ACKNOWLEDGED": ("accept", "decide", "complete"),
    "ACCEPTED": ("present", "arrive", "complete"),
    "ARRIVED": ("complete",),
}
"""Limits that may run in each state of an offer, in order: the first that the step has runs."""


def limit_after(d: DecisionContext, track: Track, step: Step, state: str, seat: int = 0) -> tuple[int | None, str]:
    """Return the limit that starts when an offer of a seat enters this state: the time at which it passes, and its name."""
    for what in LIMIT_ORDER[state]:
        if what in step.limits:
            return d.due_since(step.limit(what, seat), track), what
    return None, ""


def _skipped(excluded: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """Return the accounts that are not knocked: those that the case excludes, and those that answered for another seat."""
    away = [actor.removeprefix("staff:") for actor in excluded if actor.startswith("staff:")]
    return tuple(dict.fromkeys((*away, *others))) if others else tuple(away)


def limit_on(d: DecisionContext, track: Track, step: Step, asked: Offer, state: str, seat: int = 0) -> tuple[int | None, str]:
    """Return the limit of an offer that enters this state: one that ran under the same name runs on, so that nobody gains time."""
    due, what = limit_after(d, track, step, state, seat)
    runs_on = what == asked.due_what and asked.due is not None
    return (asked.due, what) if runs_on else (due, what)


def offer(
    d: DecisionContext, track: Track, step: Step, run: Run, seat: int, service: Service, role: str, passed: tuple[Passed, ...], rule: str
) -> None:
    """Offer a seat to a service. The event holds everything that intake and the notifier need."""
    agency, seat_rule = d.policy.agencies[service.agency], step.seats[seat]
    due, due_what = limit_after(d, track, step, "OFFERED", seat)
    offer_id = d.new_id("offer")
    d.emit(
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
            skip=_skipped(d.case.excluded, barred(track, run, seat_rule) if seat_rule.apart else ()),
            due=due,
            due_what=due_what,
        )
    )
    if any(limit.since not in ("", *times_of(d.case.traits)) for limit in step.limits.values()):
        d.needs_person(TIME_MISSING, track, step.id, seat)
    if rule != CARRIED_OVER:
        (call if agency.reach is Reach.PHONE else call_next)(d, offer_id)


@lru_cache(1024)
def _ladder(wanted: tuple[str, ...], there: tuple[str, ...]) -> tuple[str, ...]:
    """Return the rungs that the procedure names and the agency has; all rungs of the agency where it has none of them."""
    return tuple(rung for rung in wanted if rung in there) or there


def fill(d: DecisionContext, index: int, pathway: Pathway, step: Step, marks: Marks) -> Run:
    """Offer every vacant seat of a step to the next service in order, or open a desk task for it. Returns the newest round of the step."""
    for number in range(len(step.seats)):
        track = d.case.tracks[index]
        run = round_of(track, step)
        seat = run.seats[number]
        if seat.offer is not None or seat.code or run.outcome:
            continue
        if seat.past and seat.past[-1].how == How.DECLINED_BY_PERSON.value:
            d.needs_person("person-declined", track, step.id, number)
        elif (choice := choose(d, track, pathway, step, run, number, marks)) is not None:
            service, role, passed = choice
            if service is not None:
                offer(d, track, step, run, number, service, role, passed, UNVERIFIED if pathway.unverified else "next-in-order")
            else:
                excluded = bool(passed) and all(p.reason == "EXCLUDED" for p in passed)
                opens = first_opening(d.policy, passed, d.facts.now)
                d.needs_person("no-candidate", track, step.id, number, rung=2 if excluded else let_pass(seat), passed=passed, by=opens)
    return round_of(d.case.tracks[index], step)


def round_of(track: Track, step: Step) -> Run:
    """Return the newest round of a step that has begun."""
    run = latest(track, step.id)
    assert run is not None
    return run


def opens_at(d: DecisionContext, task: Task) -> int | None:
    """Return the earliest opening of an agency that could be asked for the seat of a task; None where none is closed now."""
    track = next((t for t in d.case.tracks if t.track_id == task.track_id), None)
    pathway = d.policy.pinned.get(track.digest) if track else None
    step = pathway.step(task.step) if pathway else None
    run = latest(track, task.step) if track else None
    if track is None or pathway is None or step is None or run is None or not 0 <= task.seat < len(run.seats):
        return None
    if not step.is_urgent:  # a step that is not urgent does not wait for office hours
        return None
    choice = choose(d, track, pathway, step, run, task.seat, track_marks(d.case, track, pathway, d.policy, d.facts.now))
    return None if choice is None else first_opening(d.policy, choice[2], d.facts.now)
