"""Whose free places a decision may ask for: routing locks exactly these rows before it decides."""

from __future__ import annotations

from referral.domain.case import Case, find, seats
from referral.domain.events import (
    ConsentChanged,
    InstructionGiven,
    ReferralSubmitted,
    ReferralWithdrawn,
    ResponseSubmitted,
    StepKind,
    TraitsChanged,
    Word,
)
from referral.domain.policy import Policy
from referral.domain.procedure import Pathway
from referral.domain.record import Due, Input, RecordLost

QUIET = (Word.ACKNOWLEDGE, Word.HOLD)
"""Answers that can neither vacate a place nor make a step ready."""


def places_wanted(case: Case | None, cause: Input, policy: Policy) -> tuple[str, ...]:
    """Ids of services, sorted. It may name more than the decision will look at, never fewer; most decisions need none."""
    body = cause.body
    found_in = "" if case is None else case.traits.found_in
    if isinstance(body, ReferralSubmitted | TraitsChanged):
        found_in = body.traits.found_in
    pathways = _pathways(case, policy) if case is not None and not isinstance(body, TraitsChanged) else list(policy.current)
    if case is not None and isinstance(body, TraitsChanged):
        pathways += _pathways(case, policy)
    if isinstance(body, ReferralSubmitted) and (case is None or not case.opened):
        pathways = [p for p in policy.current if any(s.placement and not s.after for s in p.steps)]
    elif case is None or (_is_quiet(case, body) and not _waits(case)):
        return ()
    named = {body.target} if isinstance(body, InstructionGiven) else set()
    named |= {o.service for _, _, run, seat in seats(case) if run.kind is StepKind.PLACE for o in seat.past} if case else set()
    wanted = {service for pathway in pathways for service in _asked(pathway, policy, found_in)} | named
    return tuple(sorted(id for id in wanted if id in policy.services and policy.services[id].places is not None))


def _pathways(case: Case, policy: Policy) -> list[Pathway]:
    return [policy.pinned[t.digest] for t in case.tracks if not t.outcome and t.digest in policy.pinned]


def _asked(pathway: Pathway, policy: Policy, found_in: str) -> set[str]:
    found = set()
    for step in pathway.steps:
        if step.placement is not None:
            rule = step.seats[0]
            roles = {*step.placement.until_known, *rule.last_resort, *(r for known in step.placement.roles.values() for r in known)}
            found |= {s.id for role in roles for area in rule.areas for s in policy.serving(role, area, found_in)}
    return found


def _is_quiet(case: Case, body: object) -> bool:
    """Inputs after which nobody can need a place that did not need one before."""
    if isinstance(body, ResponseSubmitted):
        found = find(case, body.offer_id)
        placed = found is not None and any(run.kind is StepKind.PLACE for run in found[1].runs)
        elsewhere = found is not None and found[2].kind is not StepKind.PLACE and body.word is not Word.DECIDE
        return body.word in QUIET or (placed and elsewhere)
    if isinstance(body, Due):
        return all(run.kind is not StepKind.PLACE or run.outcome for track in case.tracks for run in track.runs)
    return isinstance(body, ConsentChanged | ReferralWithdrawn | RecordLost)


def _waits(case: Case) -> bool:
    """A vacant place seat: it looks again at every input."""
    return any(
        run.kind is StepKind.PLACE and not run.outcome and any(seat.offer is None for seat in run.seats)
        for track in case.tracks
        for run in track.runs
    )
