"""Where a track stands, as marks: what the conditions of a procedure look at. Also the kind of place that the marks ask for."""

from __future__ import annotations

from functools import lru_cache

from referral.domain.case import Case, Track
from referral.domain.events import Traits
from referral.domain.kinds import DECIDE
from referral.domain.policy import Policy
from referral.domain.procedure import Marks, Pathway, Placement, Step
from referral.domain.standing import RANK, consent_mark, latest, outcome_marks, state_marks, trait_marks

TAKEN = RANK["ACCEPTED"]
"""The lowest rank that gives a mark."""


def marks(case: Case, track: Track, pathway: Pathway, policy: Policy, now: int | None = None) -> set[str]:
    """Every mark that stands and that the procedure names. now: else the time of the last event.

    Of several rounds the furthest state counts, and the newest outcome.
    """
    named = pathway.names
    found = set(_traits(named, case.traits))
    found.add(consent_mark(case.consent, case.at if now is None else now))
    decided = set()
    for run in reversed(track.runs):
        step, outcome, reached = run.step, run.outcome, 5
        for seat in run.seats:
            offer = seat.offer
            if offer is None:
                reached = 0
            elif (at := RANK[offer.state]) < reached:
                reached = at
            if seat.missed:
                found |= _missed(named, step, seat.missed)
            for past in seat.past:
                if past.how == "EXPIRED" and past.state == "OFFERED":
                    found.add(f"{step}.acknowledge-missed")  # nobody on duty on any rung is no better than silence
        if outcome and step in decided:
            outcome = ""
        elif outcome:
            decided.add(step)
        if outcome or reached >= TAKEN:
            found |= _given(named, step, reached, outcome, run.kind is DECIDE)
    for placed in pathway.placements:
        found.update(_placed(track, placed, found, policy))
    return found


# Most marks are named by nobody; a small set is made, searched and thrown away in half the time of a large one.
@lru_cache(4096)
def _traits(named: Marks, traits: Traits) -> Marks:
    return trait_marks(traits) & named


@lru_cache(4096)
def _given(named: Marks, step: str, reached: int, outcome: str, decides: bool) -> Marks:
    done = outcome_marks(step, outcome, decides) if outcome else frozenset()
    return (state_marks(step, reached) | done) & named


@lru_cache(4096)
def _missed(named: Marks, step: str, missed: tuple[str, ...]) -> Marks:
    return frozenset(f"{step}.{what}-missed" for what in missed) & named


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
