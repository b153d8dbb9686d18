"""Where a track stands, as marks: what the conditions of a procedure look at. Also the kind of place that the marks ask for."""

from __future__ import annotations

from referral.domain.case import Case, Track
from referral.domain.kinds import DECIDE
from referral.domain.policy import Policy
from referral.domain.procedure import Marks, Pathway, Placement, Step
from referral.domain.standing import RANK, consent_mark, latest, outcome_marks, state_marks, trait_marks

TAKEN = RANK["ACCEPTED"]
"""The lowest rank that gives a mark."""


def marks(case: Case, track: Track, pathway: Pathway, policy: Policy, now: int | None = None) -> set[str]:
    """Every mark that stands. Of several rounds the furthest state counts, and the newest outcome. now: else of the last event."""
    found = set(trait_marks(case.traits))
    found.add(consent_mark(case.consent, case.at if now is None else now))
    outcomes = {}
    for run in track.runs:
        step, reached = run.step, 5
        for seat in run.seats:
            offer = seat.offer
            if offer is None:
                reached = 0
            elif (at := RANK[offer.state]) < reached:
                reached = at
            if seat.missed:
                found.update([f"{step}.{what}-missed" for what in seat.missed])
            for past in seat.past:
                if past.how == "EXPIRED" and past.state == "OFFERED":
                    found.add(f"{step}.acknowledge-missed")  # nobody on duty on any rung is no better than silence
        if reached >= TAKEN:
            found |= state_marks(step, reached)
        if run.outcome:
            outcomes[step] = outcome_marks(step, run.outcome, run.kind is DECIDE)
    for done in outcomes.values():
        found |= done
    for placed in pathway.placements:
        found.update(_placed(track, placed, found, policy))
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
