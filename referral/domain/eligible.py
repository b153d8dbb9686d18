"""Who is asked next for a seat, and why everybody before was passed over."""

from __future__ import annotations

from referral.domain.case import Case, Run, Track
from referral.domain.decision import Decision
from referral.domain.directory import Service
from referral.domain.events import Passed
from referral.domain.marks import roles_wanted
from referral.domain.policy import Order, Policy
from referral.domain.procedure import Marks, Pathway, SeatRule, Step
from referral.domain.standing import RANK, latest
from referral.domain.unfit import unsuitable, why_not

LISTED = 32
"""Candidates listed in one event; when so many were passed over, a person looks (DESIGN 11)."""


Choice = tuple[Service | None, str, tuple[Passed, ...]]


def choose(d: Decision, track: Track, pathway: Pathway, step: Step, run: Run, seat: int, standing: Marks) -> Choice | None:
    """The next service for a seat with the role it is asked for, and those passed over; None while another seat is awaited."""
    rule = step.seats[seat]
    asked = candidates(d.policy, d.case, track, step, run, rule, standing)
    if asked is None:
        return None
    passed: list[Passed] = []
    for service, role in asked:
        reason = why_not(d, track, pathway, step, run.seats[seat], rule, service, standing)
        if not reason:
            return service, role, tuple(passed)
        passed.append(Passed(service=service.id, reason=reason))
        if len(passed) == LISTED:
            break
    return (None, rule.roles[0] if rule.roles else rule.name, tuple(passed))


def candidates(policy: Policy, case: Case, track: Track, step: Step, run: Run, rule: SeatRule, standing: Marks) -> Order | None:
    """Services in the order of the procedure; None while a seat that must be asked is vacant."""
    if rule.holder is not None:
        return _holder(policy, case, track, step, rule)
    return policy.order(roles_asked(step, run, rule, standing), rule.areas, case.traits.found_in)


def roles_asked(step: Step, run: Run, rule: SeatRule, standing: Marks) -> tuple[str, ...]:
    """A move (a later round) has no last resort: the child has a bed already."""
    if step.placement is None:
        return rule.roles
    wanted = roles_wanted(step.placement, standing)
    return wanted if run.round else (*wanted, *rule.last_resort)


def _holder(policy: Policy, case: Case, track: Track, step: Step, rule: SeatRule) -> Order | None:
    """The service that holds the named seat; after it, unless silence keeps everything as it is, others that could hold it.

    None while the seat is awaited; a step that was settled without a holder leaves only the others.
    """
    assert rule.holder is not None
    run = latest(track, rule.holder[0])
    offer = run.seats[rule.holder[1]].offer if run is not None else None
    if offer is None or RANK[offer.state] < RANK["ACCEPTED"] or offer.service not in policy.services:
        if run is None or not run.outcome:
            return None
        return () if step.on_silence == "keep-place" else policy.order(rule.roles, rule.areas, case.traits.found_in)
    held = policy.services[offer.service]
    first = (held, min(held.roles.intersection(rule.roles) or held.roles))
    if step.on_silence == "keep-place":
        return (first,)
    others = policy.order(rule.roles, rule.areas, case.traits.found_in)
    return (first, *(other for other in others if other[0] is not held))


def fitting(policy: Policy, case: Case, track: Track, step: Step, run: Run, rule: SeatRule, standing: Marks, asked: str) -> bool:
    """Whether the order names this service and it is for this person: all but bans, earlier tries and free places."""
    order = candidates(policy, case, track, step, run, rule, standing) or ()
    return any(service.id == asked and not unsuitable(case.traits, rule, service) for service, _ in order)
