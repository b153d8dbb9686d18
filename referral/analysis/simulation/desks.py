"""Simulated desks: made-up people who telephone, ask another agency, settle tasks, and end cases that nobody can help."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct, structs

from referral.analysis.simulation import rates
from referral.analysis.simulation.caseload import consent
from referral.analysis.simulation.seeded import Throw, one_of
from referral.domain.case import Case, Offer, Run, find, seats
from referral.domain.events import (
    ConsentChanged,
    ConsentState,
    Instruction,
    InstructionGiven,
    NeedsPerson,
    ResponseSubmitted,
    StepKind,
    Via,
    Word,
)
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Step
from referral.domain.rules.conditions import SETTLED, latest
from referral.domain.rules.context import COMPLAINTS
from referral.domain.rules.telephone import TELL

ANYWHERE = ("found-in", "neighbour", "region", "other-region", "country")
PATIENCE = 4
"""Attempts of a desk to help with one thing before it ends the case (ours)."""
MISSED = {"arrive-missed": Word.ARRIVE, "present-missed": Word.ARRIVE, "complete-missed": Word.COMPLETE}


def acts(case: Case, task: NeedsPerson, tried: int, throw: Throw, now: int, policy: Policy) -> Struct:
    """Return the next input of the desk about a task. tried: number of its earlier attempts at the same thing."""
    if task.about == TELL and (found := find(case, task.offer_id or "")):
        return _says(task, found.offer, Word.ACKNOWLEDGE, now)
    if task.about in COMPLAINTS:
        word = Instruction.CONFIRM if throw[1] < rates.CONFIRMS else Instruction.REFUSE
        return structs.replace(_order(word, task, now), task_id=task.task_id)
    if tried >= PATIENCE or not case.tracks:
        return _order(Instruction.CLOSE, task, now)
    if task.about == "consent-missing":
        state = ConsentState.GIVEN if throw[1] < rates.OBTAINS else ConsentState.REFUSED
        return ConsentChanged(agency=task.desk, consent=consent(state), received_at=now)
    if task.about == "confirm-change":
        word = Instruction.CONFIRM if throw[1] < rates.CONFIRMS else Instruction.REFUSE
        return structs.replace(_order(word, task, now), task_id=task.task_id)
    if task.about == "standing-still" and (vacant := _vacant(case)):
        task = structs.replace(task, track_id=vacant[0], step=vacant[1], seat=vacant[2])
    if task.about == "confirm-default":
        task = structs.replace(task, seat=max(task.seat, 0))
    track = next((t for t in case.tracks if t.track_id == task.track_id and not t.outcome), None)
    run = latest(track, task.step) if track and task.step else None
    pathway = policy.pinned.get(track.digest) if track else None
    step = pathway.step(task.step) if pathway else None
    if run is None or step is None or not 0 <= task.seat < len(run.seats):
        return _order(Instruction.RESUME, task, now)
    if step.kind is StepKind.DECIDE:
        order = _order(Instruction.SETTLE, task, now, _code(step, run, tried, throw))
        return _word(order, run, tried) if step.two_persons else order
    offer = run.seats[task.seat].offer
    if offer is not None:
        return _chases(task, offer, tried, now)
    if tried == 0 and task.about == "no-candidate" and (service := _somebody(case, step, run, task.seat, policy)):
        return _order(Instruction.OFFER, task, now, service)
    return _order(Instruction.SETTLE, task, now, SETTLED)


def _vacant(case: Case) -> tuple[str, str, int] | None:
    """Return a vacant seat while nothing else moves."""
    for (_, _, number), track, run, seat in seats(case):
        if not (track.outcome or run.outcome or seat.offer or seat.code):
            return track.track_id, run.step, number
    return None


def _order(word: Instruction, task: NeedsPerson, now: int, target: str = "") -> InstructionGiven:
    whole = word is Instruction.CLOSE
    return InstructionGiven(
        instruction_id=task.task_id,
        word=word,
        agency=task.desk,
        reason="best-interest",
        track_id=None if whole else task.track_id,
        step="" if whole else task.step,
        seat=max(task.seat, 0),
        target=target,
        received_at=now,
    )


def _word(order: InstructionGiven, run: Run, tried: int) -> InstructionGiven:
    """Return the order of a person of the desk who agrees with who has decided before, where two persons decide."""
    said = next((seat.code for seat in run.seats if seat.code), order.target)
    return structs.replace(order, by=str(UUID(int=100 + tried)), target=said)


def _code(step: Step, run: Run, tried: int, throw: Throw) -> str:
    """Return the code that a desk decides: first the one taken by silence, or one by weight; each further attempt another one."""
    weights = {code: rates.CODES.get(code, 0.5) for code in step.codes}
    first = run.verdict or one_of(weights, throw[1])
    codes = [first, *(code for code in step.codes if code != first)]
    return codes[tried % len(codes)]


def _chases(task: NeedsPerson, offer: Offer, tried: int, now: int) -> Struct:
    """Return the next act about a missed limit: first record that the work was done, as learned by telephone; then release the seat; then
    settle."""
    word = MISSED.get(task.about)
    if tried or word is None:
        return _order(Instruction.RELEASE if tried < 2 else Instruction.SETTLE, task, now, "" if tried < 2 else SETTLED)
    return _says(task, offer, word, now)


def _says(task: NeedsPerson, offer: Offer, word: Word, now: int) -> ResponseSubmitted:
    """Return the answer of the agency, recorded by the desk during the call."""
    return ResponseSubmitted(
        response_id=task.task_id,
        offer_id=offer.offer_id,
        agency=offer.agency,
        word=word,
        reason="",
        code="",
        recorded=(),
        via=Via.PHONE,
        received_at=now,
    )


def _somebody(case: Case, step: Step, run: Run, seat: int, policy: Policy) -> str:
    """Return a service anywhere in the country that was not asked for this seat; the desk may ignore area and order."""
    asked = run.seats[seat]
    rule, tried = step.seats[seat], {offer.service for offer in (*asked.past, *asked.kept)}
    order = policy.order((*rule.roles, *rule.last_resort), ANYWHERE, case.traits.found_in, case.traits.home)
    return next((service.id for service, _ in order if service.id not in tried), "")
