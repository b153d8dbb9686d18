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
    return min((RANK[seat.offer.state] if seat.offer is not None else 0 for seat in run.seats), default=0)


def latest(track: Track, step: str) -> Run | None:
    """The newest round of a step."""
    return next((run for run in reversed(track.runs) if run.step == step), None)


def marks(case: Case, track: Track, pathway: Pathway, policy: Policy) -> Marks:
    """Every mark that stands. Of several rounds the furthest state counts, and the newest outcome."""
    found = set(trait_marks(case.traits))
    outcomes = {}
    for run in track.runs:
        name = run.step
        found.update([f"{name}.{word}" for word in WORDS[rank(run)]])
        for seat in run.seats:
            found.update([f"{name}.{what}-missed" for what in seat.missed])
        if run.outcome:
            outcomes[name] = run
    for name, run in outcomes.items():
        found.add(f"{name}.done")
        if run.outcome == SETTLED:
            found.update([f"{name}.{word}" for word in ALL])
        elif run.kind is StepKind.DECIDE and run.outcome != NOT_NEEDED:
            found.update((f"{name}.decided", f"{name}.{run.outcome}"))
    for step in pathway.steps:
        if step.placement is not None:
            found.update(_placed(track, step, step.placement, found, policy))
    return frozenset(found)


def secure_allowed(placement: Placement, standing: Marks | set[str]) -> bool:
    """Whether a facility that locks a child up may be asked: only by decisions that stand, never by silence."""
    return placement.needs <= standing and not placement.ends & standing


def roles_wanted(placement: Placement, standing: Marks | set[str]) -> tuple[str, ...]:
    """The roles that a place is asked of now."""
    known = next((roles for code, roles in placement.roles.items() if f"{placement.by}.{code}" in standing), placement.until_known)
    if secure_allowed(placement, standing):
        return known
    return tuple(role for role in known if role not in placement.secure) or placement.until_known


def _placed(track: Track, step: Step, placement: Placement, standing: set[str], policy: Policy) -> list[str]:
    """`secure` while the child is in a facility that locks up; `misplaced` when the newest decisions ask for another kind of place."""
    run = latest(track, step.id)
    offer = run.seats[0].offer if run is not None else None
    service = policy.services.get(offer.service) if offer is not None and offer.state == "ARRIVED" else None
    if service is None:
        return []
    wanted, secure = roles_wanted(placement, standing), bool(service.roles & placement.secure)
    locks = bool(placement.secure & set(wanted))
    found = [f"{step.id}.secure"] if secure else []
    if secure != locks and not service.roles & set(wanted):
        found.append(f"{step.id}.misplaced")
    return found
