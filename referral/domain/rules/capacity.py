"""Name the services whose free places a decision may need: these and no others stand in its facts."""

from __future__ import annotations

from referral.domain.case import NOTIFY, PLACE, Case, find
from referral.domain.events import (
    CaseRaised,
    Instruction,
    InstructionGiven,
    ReferralSubmitted,
    ReferralWithdrawn,
    ResponseSubmitted,
    Traits,
    TraitsChanged,
    Word,
)
from referral.domain.inputs import Due, Input, RecordLost
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway
from referral.domain.rules.conditions import NOT_NEEDED, latest
from referral.domain.rules.proposals import recorded

QUIET = (Word.ACKNOWLEDGE, Word.HOLD)
"""Answers that can neither vacate a place nor make a step ready."""


def places_wanted(case: Case | None, cause: Input, policy: Policy) -> tuple[str, ...]:
    """Return the ids of services, sorted. The result may hold more than the decision will use, never fewer; for most
    decisions it is empty."""
    body = cause.body
    begins = isinstance(body, ReferralSubmitted | CaseRaised) and (case is None or not case.opened)
    known = () if case is None else (case.traits,)
    said = _traits(case, body)
    # Both: of what one agency says, danger may hold at once while the place waits for a person.
    wheres = {(traits.found_in, traits.home) for traits in (*known, *((said,) if said else ()))} or {("", "")}
    placing = policy.placing
    if begins:
        pathways = [p for p in policy.current if p.places_at_once]
    elif case is None or not _may_ask(case, body, policy):
        return ()
    elif isinstance(body, TraitsChanged) or (isinstance(body, InstructionGiven) and body.word in (Instruction.REOPEN, Instruction.CONFIRM)):
        pathways = [*_pathways(case, policy), *policy.current]
    else:
        pathways, placing = _pathways(case, policy), policy.placing_after
    named = {body.target} if isinstance(body, InstructionGiven) else set()
    if case is not None:
        placements = (run for track in case.tracks for run in track.runs if run.kind is PLACE)
        named |= {offer.service for run in placements for seat in run.seats for offer in seat.past}
    named = {id for id in named if id in policy.services and policy.services[id].places is not None}
    return tuple(sorted(named.union(*(placing(pathway, *where) for pathway in pathways for where in wheres))))


def _traits(case: Case | None, body: object) -> Traits | None:
    """Return the traits that this input may put in force; None when it changes none."""
    if isinstance(body, ReferralSubmitted | CaseRaised):
        return body.traits if case is None or not case.opened else None
    if isinstance(body, InstructionGiven) and body.word is Instruction.CONFIRM and case is not None:
        return next((p.traits for p in case.proposals if p.task_id == body.task_id), None)
    if isinstance(body, TraitsChanged):
        return body.traits if case is None else recorded(case, body)
    return None


def _pathways(case: Case, policy: Policy) -> list[Pathway]:
    """Return the procedures of the running tracks."""
    return [policy.pinned[t.digest] for t in case.tracks if not t.outcome and t.digest in policy.pinned]


def _may_ask(case: Case, body: object, policy: Policy) -> bool:
    """Return True when after this input a seat may need a place that did not need one before, or still needs one."""
    if _waits(case) or (case.consent is not None and case.consent.until is not None):
        return True
    if isinstance(body, ResponseSubmitted):
        return not _is_quiet_answer(case, body, policy)
    if isinstance(body, Due):
        begun = any(run.kind is PLACE and not run.outcome for track in case.tracks for run in track.runs)
        return begun or any(pathway.places_by_silence for pathway in _pathways(case, policy))
    return not isinstance(body, ReferralWithdrawn | RecordLost)


def _is_quiet_answer(case: Case, body: ResponseSubmitted, policy: Policy) -> bool:
    """Return True when an answer, not at a place, makes no step ready, or comes in a track whose places are all asked for and depend on
    decisions."""
    found = find(case, body.offer_id)
    if found is None:
        return True
    track, run = found.track, found.run
    if body.word in QUIET and run.kind is not NOTIFY:
        return True
    pathway = policy.pinned.get(track.digest)
    if run.kind is PLACE or body.word is Word.DECIDE or pathway is None or not pathway.places_by_decisions:
        return False
    if any(other.paused_by for other in case.tracks):
        return False
    placed = [latest(track, step.id) for step in pathway.placements]
    return all(run is not None and run.outcome != NOT_NEEDED for run in placed)


def _waits(case: Case) -> bool:
    """Return True when the case has a vacant place seat, which is offered again at every input, or a round that has not begun, which begins
    at the first input after its time."""
    return any(
        not run.outcome and (run.kind is PLACE or run.starts is not None) and any(seat.offer is None for seat in run.seats)
        for track in case.tracks
        for run in track.runs
    )
