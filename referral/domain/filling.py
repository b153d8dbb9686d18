"""Whom the vacant seats of a step are offered to, and what becomes of those that nobody can be asked for."""

from __future__ import annotations

from referral.domain.calling import let_pass
from referral.domain.case import Run, Task, Track
from referral.domain.decision import Decision
from referral.domain.eligible import choose
from referral.domain.events import How
from referral.domain.hours import first_opening
from referral.domain.marks import marks
from referral.domain.offering import offer
from referral.domain.procedure import Marks, Pathway, Step
from referral.domain.standing import latest


def fill(d: Decision, index: int, pathway: Pathway, step: Step, standing: Marks) -> Run:
    """Offer every vacant seat of a step to the next one in order, or put it to the desk. Returns its newest round."""
    for number in range(len(step.seats)):
        track = d.case.tracks[index]
        run = round_of(track, step)
        seat = run.seats[number]
        if seat.offer is not None or seat.code or run.outcome:
            continue
        if seat.past and seat.past[-1].how == How.DECLINED_BY_PERSON.value:
            d.needs_person("person-declined", track, step.id, number)
        elif (choice := choose(d, track, pathway, step, run, number, standing)) is not None:
            service, role, passed = choice
            if service is not None:
                offer(d, track, step, run, number, service, role, passed, "next-in-order")
            else:
                excluded = bool(passed) and all(p.reason == "EXCLUDED" for p in passed)
                opens = first_opening(d.policy, passed, d.facts.now)
                d.needs_person("no-candidate", track, step.id, number, rung=2 if excluded else let_pass(seat), passed=passed, by=opens)
    return round_of(d.case.tracks[index], step)


def round_of(track: Track, step: Step) -> Run:
    """The newest round of a step that has begun."""
    run = latest(track, step.id)
    assert run is not None
    return run


def opens_at(d: Decision, task: Task) -> int | None:
    """When the first agency opens that could be asked for the seat of a task; None where none is closed now."""
    track = next((t for t in d.case.tracks if t.track_id == task.track_id), None)
    pathway = d.policy.pinned.get(track.digest) if track else None
    step = pathway.step(task.step) if pathway else None
    run = latest(track, task.step) if track else None
    if track is None or pathway is None or step is None or run is None or not 0 <= task.seat < len(run.seats):
        return None
    if not step.is_urgent:  # it does not wait for office hours
        return None
    choice = choose(d, track, pathway, step, run, task.seat, marks(d.case, track, pathway, d.policy, d.facts.now))
    return None if choice is None else first_opening(d.policy, choice[2], d.facts.now)
