"""What a person at a desk can order, where no rule can decide. An order that is not possible is told why."""

from __future__ import annotations

from collections.abc import Callable

from referral.domain.case import Run, Track, offers_of
from referral.domain.decision import Decision
from referral.domain.eligible import roles_asked
from referral.domain.events import (
    CaseLinked,
    Decided,
    DecisionRecorded,
    How,
    Instruction,
    InstructionGiven,
    StepDone,
    StepKind,
)
from referral.domain.marks import marks
from referral.domain.offering import offer
from referral.domain.procedure import Pathway, Step
from referral.domain.standing import RANK, SETTLED, latest
from referral.domain.stopping import close, resume, stop
from referral.domain.taking import recall_decisions
from referral.domain.unfit import banned

Where = tuple[Track, Pathway, Step, Run]


def instructed(d: Decision, body: InstructionGiven) -> None:
    """An order of a desk. Who may give it is checked here too: an agency that is a desk and not excluded."""
    agency = d.policy.agencies.get(body.agency)
    if agency is None or not agency.desk or f"agency:{body.agency}" in d.case.excluded:
        return d.ignore("NOT_A_DESK")
    if not d.case.opened and body.word is not Instruction.CLOSE:
        return d.ignore("CASE_NOT_OPEN")
    if d.case.closed and body.word not in (Instruction.RESUME, Instruction.LINK):
        return d.ignore("CASE_CLOSED")
    return ORDERS.get(body.word, _not_supported)(d, body)


def _not_supported(d: Decision, body: InstructionGiven) -> None:
    """REOPEN, TRANSFER and OVERTAKEN are words that a later procedure gives a meaning."""
    d.ignore("NOT_SUPPORTED_YET")


def _where(d: Decision, body: InstructionGiven) -> Where | None:
    """The newest round of the step that the order names; the only running track where it names none."""
    running = [t for t in d.case.tracks if not t.outcome and body.track_id in (None, t.track_id)]
    track = running[0] if len(running) == 1 else None
    pathway = d.policy.pinned.get(track.digest) if track else None
    step = pathway.step(body.step) if pathway else None
    run = latest(track, body.step) if track else None
    if track is None or pathway is None or step is None or run is None or not 0 <= body.seat < len(run.seats):
        return None
    return track, pathway, step, run


def _offer(d: Decision, body: InstructionGiven) -> None:
    """Ask this service for this seat: the desk may pass over order and area, never a ban, an exclusion or a full house."""
    where = _where(d, body)
    service = d.policy.services.get(body.target)
    if where is None:
        return d.ignore("UNKNOWN_STEP")
    track, pathway, step, run = where
    rule, seat, standing = step.seats[body.seat], run.seats[body.seat], marks(d.case, track, pathway, d.policy)
    roles = {*rule.roles, *roles_asked(step, run, rule, standing), *rule.last_resort}
    if service is None or not service.roles & roles:
        return d.ignore("UNKNOWN_SERVICE")
    if reason := banned(d, pathway, step, service, standing):
        return d.ignore(reason)
    current = seat.offer
    if run.outcome or seat.code or (current is not None and (RANK[current.state] >= RANK["ACCEPTED"] or current.service == service.id)):
        return d.ignore("SEAT_TAKEN")
    if any(kept.service == service.id for kept in seat.kept):
        return d.ignore("SEAT_TAKEN")
    if step.kind is StepKind.PLACE and d.free(service.id) < 1:
        return d.ignore("NO_CAPACITY")
    if current is not None:
        d.close(current, How.CANCELLED, "DESK", "instruction", track)
    track = next(t for t in d.case.tracks if t.track_id == track.track_id)
    return offer(d, track, step, run, body.seat, service, sorted(service.roles & roles)[0], (), "instruction")


def _release(d: Decision, body: InstructionGiven) -> None:
    """Take a seat from whoever has it; the next one is asked."""
    where = _where(d, body)
    if where is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step, run = where
    open_ = tuple(offers_of(run.seats[body.seat]))
    if not open_:
        return d.ignore("NOTHING_TO_RELEASE")
    for left in open_:
        d.close(left, How.RELEASED, "DESK", "instruction", track)
        recall_decisions(d, track.track_id, step.id, body.seat, left.service)
    return None


def _settle(d: Decision, body: InstructionGiven) -> None:
    """Decide instead of those asked, or say that a step needs nobody (target `settled`)."""
    where = _where(d, body)
    if where is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step, run = where
    decides = step.kind is StepKind.DECIDE
    if body.target not in (step.codes if decides else (SETTLED,)):
        return d.ignore("CODE_NOT_ALLOWED")
    if decides and step.forbid.get(body.target) in d.case.excluded:
        return d.ignore("FORBIDDEN")
    if body.target in (run.verdict, run.outcome):
        return d.ignore("REPEATED")
    for seat in run.seats:
        for left in offers_of(seat):
            d.close(left, How.RELEASED, "DESK", "instruction", track)
    place = {"track_id": track.track_id, "step": run.step, "round": run.round}
    if decides:
        d.say(DecisionRecorded, "instruction", track, **place, seat=-1, code=body.target, how=Decided.DESK, by=body.by)
    else:
        d.say(StepDone, "instruction", track, **place, outcome=SETTLED)
    return None


def _link(d: Decision, body: InstructionGiven) -> None:
    """Two cases belong together; they are never merged."""
    if body.other is None or body.other in (d.case.case_id, *d.case.linked):
        return d.ignore("NOTHING_TO_LINK")
    d.say(CaseLinked, "instruction", other=body.other, how=body.target or "same-person")
    return None


ORDERS: dict[Instruction, Callable[[Decision, InstructionGiven], None]] = {
    Instruction.OFFER: _offer,
    Instruction.RELEASE: _release,
    Instruction.SETTLE: _settle,
    Instruction.CLOSE: close,
    Instruction.STOP: stop,
    Instruction.RESUME: resume,
    Instruction.LINK: _link,
}
