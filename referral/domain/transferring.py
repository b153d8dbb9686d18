"""A seat is handed over to another service: never at zero, because whoever holds it keeps it until the next one has taken it."""

from __future__ import annotations

from referral.domain.case import offers_of
from referral.domain.decision import Decision
from referral.domain.events import How, InstructionGiven, StepKind
from referral.domain.offering import offer
from referral.domain.ordering import asked, seat_of, where
from referral.domain.standing import RANK
from referral.domain.taking import transfer_settled


def transfer(d: Decision, body: InstructionGiven) -> None:
    """Ask this service to take the seat over. A second order asks another instead of the one that was asked before."""
    at = where(d, body)
    number = seat_of(body, at[3]) if at else None
    if at is None or number is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step, run = at
    seat = run.seats[number]
    held = seat.offer
    if held is None or held.how or RANK[held.state] < RANK["ACCEPTED"] or step.kind in (StepKind.DECIDE, StepKind.NOTIFY):
        return d.ignore("NOTHING_TO_TRANSFER")
    if any(open_.service == body.target for open_ in offers_of(seat)):
        return d.ignore("SEAT_TAKEN")
    service, role = asked(d, body, at, number)
    if service is None:
        return d.ignore(role)
    if seat.next is not None:
        d.close(seat.next, How.CANCELLED, "DESK", "instruction", track)
    transfer_settled(d, track.track_id, step.id, "transferred-anew")
    return offer(d, track, step, run, number, service, role, (), "transfer")
