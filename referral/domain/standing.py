"""Where a track stands, as marks: what the conditions of a procedure look at."""

from __future__ import annotations

from functools import lru_cache

from referral.domain.case import Case, Run, Track
from referral.domain.events import StepKind, Traits
from referral.domain.policy import Policy
from referral.domain.procedure import Marks, Pathway, Placement, Step

RANK = {"OFFERED": 1, "ACKNOWLEDGED": 2, "ACCEPTED": 3, "ARRIVED": 4, "COMPLETED": 5}
WORDS = ((), (), (), ("accepted",), ("accepted", "present", "arrived"), ("accepted", "present", "arrived", "completed"))
ALL = ("accepted", "present", "arrived", "completed", "decided", "done")
NOT_NEEDED = "not-needed"
SETTLED = "settled"
"""Outcome of a step that a desk has settled without an agency: it counts as reached in every respect."""


@lru_cache(4096)
def trait_marks(traits: Traits) -> Marks:
    """The marks of the traits. An uncertain age has its own mark; procedures name it beside `age=child`."""
    one = ("concern", "age", "sex", "found_in", "urgency", "origin", "asylum")
    many = [f"{name}={getattr(traits, name)}" for name in one]
    return frozenset([*many, *(f"flags={flag}" for flag in traits.flags), *(f"languages={word}" for word in traits.languages)])


def rank(run: Run) -> int:
    """How far the slowest seat of a run is."""
    lowest = 5
    for seat in run.seats:
        offer = seat.offer
        if offer is None:
            return 0
        if (reached := RANK[offer.state]) < lowest:
            lowest = reached
    return lowest


def latest(track: Track, step: str) -> Run | None:
    """The newest round of a step."""
    for run in reversed(track.runs):
        if run.step == step:
            return run
    return None


def newest(track: Track) -> dict[str, Run]:
    """The newest round of every step that has begun."""
    return {run.step: run for run in track.runs}


@lru_cache(1024)
def _state_marks(step: str, reached: int) -> tuple[str, ...]:
    return tuple(f"{step}.{word}" for word in WORDS[reached])


@lru_cache(1024)
def _outcome_marks(step: str, outcome: str, decides: bool) -> tuple[str, ...]:
    if outcome == SETTLED:
        return tuple(f"{step}.{word}" for word in ALL)
    return (f"{step}.done", f"{step}.decided", f"{step}.{outcome}") if decides and outcome != NOT_NEEDED else (f"{step}.done",)


def run_marks(run: Run) -> tuple[str, ...]:
    """The marks that one round gives."""
    reached = _state_marks(run.step, rank(run))
    return reached + _outcome_marks(run.step, run.outcome, run.kind is StepKind.DECIDE) if run.outcome else reached


def marks(case: Case, track: Track, pathway: Pathway, policy: Policy) -> set[str]:
    """Every mark that stands. Of several rounds the furthest state counts, and the newest outcome."""
    found = set(trait_marks(case.traits))
    outcomes = {}
    for run in track.runs:
        if reached := _state_marks(run.step, rank(run)):
            found.update(reached)
        if run.outcome:
            outcomes[run.step] = _outcome_marks(run.step, run.outcome, run.kind is StepKind.DECIDE)
        for seat in run.seats:
            if seat.missed:
                found.update([f"{run.step}.{what}-missed" for what in seat.missed])
            if seat.past and any(offer.how == "EXPIRED" and offer.state == "OFFERED" for offer in seat.past):
                found.add(f"{run.step}.acknowledge-missed")  # nobody on duty on any rung is no better than silence
    found.update(*outcomes.values())
    for step in pathway.placements:
        found.update(_placed(track, step, found, policy))
    return found


def secure_allowed(placement: Placement, standing: Marks) -> bool:
    """Whether a facility that locks a child up may be asked: only by decisions that stand, never by silence."""
    return placement.needs <= standing and not placement.ends & standing


def roles_wanted(placement: Placement, standing: Marks) -> tuple[str, ...]:
    """The roles that a place is asked of now."""
    known = next((roles for code, roles in placement.roles.items() if f"{placement.by}.{code}" in standing), placement.until_known)
    if secure_allowed(placement, standing):
        return known
    return tuple(role for role in known if role not in placement.secure) or placement.until_known


def _placed(track: Track, step: Step, standing: Marks, policy: Policy) -> list[str]:
    """`secure` while the child is in a facility that locks up; `misplaced` when the newest decisions ask for another kind of place."""
    run, placement = latest(track, step.id), step.placement
    offer = run.seats[0].offer if run is not None else None
    if offer is None or offer.state != "ARRIVED" or placement is None or offer.service not in policy.services:
        return []
    service = policy.services[offer.service]
    wanted, secure = roles_wanted(placement, standing), bool(service.roles & placement.secure)
    locks = bool(placement.secure & set(wanted))
    found = [f"{step.id}.secure"] if secure else []
    if secure != locks and not service.roles & set(wanted):
        found.append(f"{step.id}.misplaced")
    return found
