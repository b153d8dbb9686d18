"""Handle the orders of a person at a desk, where no rule can decide. An order that is not possible is ignored, with its reason.

Also: a closed case goes on by a new track under the procedure now in force (its sealed sections stay sealed); a desk ends, stops and
resumes one track, or the whole case where the order names none.
"""

from __future__ import annotations

from collections.abc import Callable

from referral.domain.case import RANK, offers_of
from referral.domain.events import CaseClosed, CaseLinked, How, Instruction, InstructionGiven
from referral.domain.rules.complaints import proposed
from referral.domain.rules.confirmations import answer, lift
from referral.domain.rules.context import COMPLAINTS, UNCONFIRMED, DecisionContext
from referral.domain.rules.desk_seats import overtaken, seat_of, service_ordered, settle, step_ordered, transfer
from referral.domain.rules.offers import offer
from referral.domain.rules.persons import DIFFER
from referral.domain.rules.referrals import TRACKS, open_track, open_tracks
from referral.domain.rules.seats import HANDED_OVER, recall_decisions, transfer_settled
from referral.domain.rules.tracks import DESK, end_track, go_on, pause, seals

ABOUT_CLOSED = ("referral-for-closed-case", "no-pathway", "consent-again")
"""Desk tasks that reopening the case settles."""


def reopen(d: DecisionContext, body: InstructionGiven) -> None:
    """Begin a new track of the procedure that the order names, or of those that apply. A procedure that runs is not begun a second time."""
    before = len(d.case.tracks)
    if body.target:
        pathway = next((p for p in d.policy.current if p.id == body.target), None)
        if pathway is None:
            return d.ignore("UNKNOWN_PATHWAY")
        if any(t.pathway == pathway.id and not t.outcome for t in d.case.tracks):
            return d.ignore("NOTHING_TO_REOPEN")
        if before >= TRACKS:
            return d.needs_person("too-many-tracks")
        open_track(d, pathway, "instruction")
    elif d.case.closed:
        open_tracks(d, rule="instruction")
    if len(d.case.tracks) == before:
        return d.ignore("NOTHING_TO_REOPEN") if not d.events else None
    for task in d.case.tasks:
        if task.about in ABOUT_CLOSED:
            d.settle(task, "reopened")
    return None


STAYS = ("consent-missing", "confirm-default", "confirm-change", DIFFER, UNCONFIRMED, *COMPLAINTS)
"""Tasks that only their own answer settles."""


def close(d: DecisionContext, body: InstructionGiven) -> None:
    """End one track, or the whole case where none is named."""
    running = [t for t in d.case.tracks if not t.outcome and body.track_id in (None, t.track_id)]
    if body.track_id is not None and not running:
        return d.ignore("UNKNOWN_TRACK")
    for track in running:
        end_track(d, track, "closed-by-desk", "instruction")
    if body.track_id is None:
        d.settle_all("case-closed")
        d.emit(CaseClosed(why=d.why("instruction"), outcome="closed-by-desk", sealed=seals(d)))
    return None


def stop(d: DecisionContext, body: InstructionGiven) -> None:
    """Stop a track: no further agency is asked or notified. The desk is reminded, so that no stop is forgotten."""
    tracks = [t for t in d.case.tracks if not t.outcome and not t.paused_by and body.track_id in (None, t.track_id)]
    for track in tracks:
        pause(d, track, "instruction", DESK)
        d.needs_person("stopped", track, repeat=d.policy.stopped)
    if not tracks:
        d.ignore("UNKNOWN_TRACK")


def resume(d: DecisionContext, body: InstructionGiven) -> None:
    """Resume stopped tracks with fresh limits, and settle the tasks that name no seat. A track that ended while it was stopped stays
    ended.

    An order that names its task settles that one alone; only of the task `stopped` a track goes on by it. Without a track, what waits for
    another procedure goes on waiting.
    """
    named = body.task_id
    stopped = [t for t in d.case.tracks if t.paused_by and not t.outcome and body.track_id in (None, t.track_id)]
    if named is not None:
        about = {t.track_id for t in d.case.tasks if t.task_id == named and t.about == "stopped"}
        stopped = [t for t in stopped if t.track_id in about]
    elif body.track_id is None:
        stopped = [t for t in stopped if t.paused_by == DESK]
    for track in stopped:
        go_on(d, track, "instruction")
    for task in d.case.tasks:
        meant = task.task_id == named if named else body.track_id in (None, task.track_id)
        if meant and task.seat < 0 and task.about not in STAYS:
            d.settle(task, "resumed")
    if not d.events:
        d.ignore("NOTHING_TO_RESUME")


AFTER_CLOSING = (Instruction.RESUME, Instruction.LINK, Instruction.REOPEN)
"""Orders that are valid for a closed case."""


def instructed(d: DecisionContext, body: InstructionGiven) -> None:
    """Handle an order of a desk. Checks the right to give it once more: the agency is a desk and not excluded."""
    agency = d.policy.agencies.get(body.agency)
    if agency is None or not agency.desk or f"agency:{body.agency}" in d.case.excluded:
        return d.ignore("NOT_A_DESK")
    if not d.case.opened and body.word is not Instruction.CLOSE:
        return d.ignore("CASE_NOT_OPEN")
    if d.case.closed and body.word not in AFTER_CLOSING and proposed(d.case, body.task_id) is None:
        return d.ignore("CASE_CLOSED")
    return ORDERS.get(body.word, _unknown)(d, body)


def _unknown(d: DecisionContext, body: InstructionGiven) -> None:
    """Ignore an order that this version does not support."""
    d.ignore("NOT_SUPPORTED_YET")


def _offer(d: DecisionContext, body: InstructionGiven) -> None:
    """Offer this seat to this service, instead of the one asked now; a service that has taken the seat keeps it (use TRANSFER)."""
    at = step_ordered(d, body)
    number = seat_of(body, at[3]) if at else None
    if at is None or number is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step, run = at
    service, role = service_ordered(d, body, at, number)
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
    d.moved = True  # for a notice, this offer may have been the last that its step waits for
    return None


def _release(d: DecisionContext, body: InstructionGiven) -> None:
    """Take a seat from its holder; the next service is asked."""
    at = step_ordered(d, body)
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
    transfer_settled(d, track.track_id, step.id, "released", HANDED_OVER)
    return None


def _link(d: DecisionContext, body: InstructionGiven) -> None:
    """Link two cases that belong together; they are never merged."""
    if body.other is None or body.other in (d.case.case_id, *d.case.linked):
        return d.ignore("NOTHING_TO_LINK")
    d.emit(CaseLinked(why=d.why("instruction"), other=body.other, how=body.target or "same-person"))
    return None


ORDERS: dict[Instruction, Callable[[DecisionContext, InstructionGiven], None]] = {
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
