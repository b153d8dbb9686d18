"""What a person at a desk can order, where no rule can decide. An order that is not possible is told why."""

from __future__ import annotations

from collections.abc import Callable

from referral.domain.case import offers_of
from referral.domain.confirming import answer, lift
from referral.domain.decision import Decision
from referral.domain.events import CaseLinked, How, Instruction, InstructionGiven
from referral.domain.offering import offer
from referral.domain.ordering import asked, seat_of, where
from referral.domain.overtaking import overtaken
from referral.domain.reopening import reopen
from referral.domain.settling import settle
from referral.domain.standing import RANK
from referral.domain.stopping import close, resume, stop
from referral.domain.taking import recall_decisions, transfer_settled
from referral.domain.transferring import transfer

AFTER_CLOSING = (Instruction.RESUME, Instruction.LINK, Instruction.REOPEN)
"""Orders that a closed case takes."""


def instructed(d: Decision, body: InstructionGiven) -> None:
    """An order of a desk. Who may give it is checked here too: an agency that is a desk and not excluded."""
    agency = d.policy.agencies.get(body.agency)
    if agency is None or not agency.desk or f"agency:{body.agency}" in d.case.excluded:
        return d.ignore("NOT_A_DESK")
    if not d.case.opened and body.word is not Instruction.CLOSE:
        return d.ignore("CASE_NOT_OPEN")
    if d.case.closed and body.word not in AFTER_CLOSING:
        return d.ignore("CASE_CLOSED")
    return ORDERS.get(body.word, _unknown)(d, body)


def _unknown(d: Decision, body: InstructionGiven) -> None:
    d.ignore("NOT_SUPPORTED_YET")


def _offer(d: Decision, body: InstructionGiven) -> None:
    """Ask this service for this seat, instead of whoever is asked now; who has taken it keeps it (that is a TRANSFER)."""
    at = where(d, body)
    number = seat_of(body, at[3]) if at else None
    if at is None or number is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step, run = at
    service, role = asked(d, body, at, number)
    if service is None and role != "NO_CAPACITY":
        return d.ignore(role)
    seat = run.seats[number]
    current = seat.offer
    if run.outcome or seat.code or (current is not None and (RANK[current.state] >= RANK["ACCEPTED"] or current.service == body.target)):
        return d.ignore("SEAT_TAKEN")
    if any(kept.service == body.target for kept in seat.kept):
        return d.ignore("SEAT_TAKEN")
    if service is None:
        return d.ignore(role)
    if current is not None:
        d.close(current, How.CANCELLED, "DESK", "instruction", track)
    track = next(t for t in d.case.tracks if t.track_id == track.track_id)
    offer(d, track, step, run, number, service, role, (), "instruction")
    d.moved = True  # whom a desk has told may have been the last that a notice waits for
    return None


def _release(d: Decision, body: InstructionGiven) -> None:
    """Take a seat from whoever has it; the next one is asked."""
    at = where(d, body)
    number = seat_of(body, at[3]) if at else None
    if at is None or number is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step, run = at
    open_ = tuple(offers_of(run.seats[number]))
    if not open_:
        return d.ignore("NOTHING_TO_RELEASE")
    for left in open_:
        d.close(left, How.RELEASED, "DESK", "instruction", track)
        recall_decisions(d, track.track_id, step.id, number, left.service)
    transfer_settled(d, track.track_id, step.id, "released")
    return None


def _link(d: Decision, body: InstructionGiven) -> None:
    """Two cases belong together; they are never merged."""
    if body.other is None or body.other in (d.case.case_id, *d.case.linked):
        return d.ignore("NOTHING_TO_LINK")
    d.say(CaseLinked(why=d.why("instruction"), other=body.other, how=body.target or "same-person"))
    return None


ORDERS: dict[Instruction, Callable[[Decision, InstructionGiven], None]] = {
    Instruction.OFFER: _offer,
    Instruction.RELEASE: _release,
    Instruction.SETTLE: settle,
    Instruction.CLOSE: close,
    Instruction.STOP: stop,
    Instruction.RESUME: resume,
    Instruction.LINK: _link,
    Instruction.TRANSFER: transfer,
    Instruction.OVERTAKEN: overtaken,
    Instruction.REOPEN: reopen,
    Instruction.CONFIRM: answer,
    Instruction.REFUSE: answer,
    Instruction.LIFT: lift,
}
