"""Handle the orders of a desk about one step or seat: mark it overtaken, settle it, or transfer it to another service.

Overtaken: the person got there by another way; the agencies that were asked are told so, and a late answer reopens nothing. Settle: the
desk decides instead of the agencies, declares that a step needs nobody, or confirms a decision taken by silence. Transfer: the holder keeps
the seat until the next service has taken it, so that the seat is never empty.
"""

from __future__ import annotations

from referral.domain.case import RANK, Run, Track, offers_of
from referral.domain.events import Decided, DecisionRecorded, How, InstructionGiven, StepDone, StepKind
from referral.domain.policy.directory import Service
from referral.domain.policy.procedure import Pathway, Step
from referral.domain.rules.candidates import banned, roles_asked
from referral.domain.rules.conditions import OVERTAKEN, SETTLED, latest, newest, track_marks
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.offers import offer
from referral.domain.rules.persons import DIFFER, desk_below, desk_word, is_gravest, is_same_agency
from referral.domain.rules.seats import transfer_settled
from referral.domain.rules.tracks import end_track

OrderedStep = tuple[Track, Pathway, Step, Run]
"""The newest round of a step, with its track and rules."""


def running(d: DecisionContext, body: InstructionGiven) -> list[Track]:
    """Return the running track that the order names; every running track where it names none."""
    return [track for track in d.case.tracks if not track.outcome and body.track_id in (None, track.track_id)]


def seat_of(body: InstructionGiven, run: Run) -> int | None:
    """Return the seat that the order names; the only one where it names none (-1). None: there is no such seat, or it could be several."""
    seat = 0 if body.seat < 0 and len(run.seats) == 1 else body.seat
    return seat if 0 <= seat < len(run.seats) else None


def step_ordered(d: DecisionContext, body: InstructionGiven) -> OrderedStep | None:
    """Return the newest round of the step that the order names, in the track that it names, else in the only one that has it."""
    found: list[OrderedStep] = []
    for track in running(d, body):
        pathway = d.policy.pinned.get(track.digest)
        step = pathway.step(body.step) if pathway else None
        run = latest(track, body.step)
        if pathway is not None and step is not None and run is not None and body.seat < len(run.seats):
            found.append((track, pathway, step, run))
    return found[0] if len(found) == 1 else None


def service_ordered(d: DecisionContext, body: InstructionGiven, at: OrderedStep, seat: int) -> tuple[Service | None, str]:
    """Return the service that a desk chose for a seat, with the role it is asked for; None with the reason why it may not be asked.

    The desk may override order and area, but never a ban, an exclusion or missing capacity.
    """
    track, pathway, step, run = at
    service, rule = d.policy.services.get(body.target), step.seats[seat]
    marks = track_marks(d.case, track, pathway, d.policy, d.facts.now)
    roles = {*rule.roles, *roles_asked(step, run, rule, marks), *rule.last_resort}
    if service is None or not service.roles & roles:
        return None, "UNKNOWN_SERVICE"
    if reason := banned(d, pathway, step, service, marks):
        return None, reason
    if rule.not_same_as and is_same_agency(track, run, rule, service.agency):
        return None, "SAME_AGENCY"
    if step.kind is StepKind.PLACE and d.free(service.id) < 1:
        return None, "NO_CAPACITY"
    return service, min(service.roles & roles)


def overtaken(d: DecisionContext, body: InstructionGiven) -> None:
    """Mark one step as overtaken, or the whole track (every running one) where no step is named. A decision cannot be overtaken: it is made
    or settled."""
    if not body.step:
        tracks = running(d, body)
        for track in tracks:
            for step in newest(track):
                _step(d, track, step)
            end_track(d, next(t for t in d.case.tracks if t.track_id == track.track_id), OVERTAKEN, "instruction")
        return None if tracks else d.ignore("UNKNOWN_TRACK")
    at = step_ordered(d, body)
    if at is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step_rule, run = at
    if step_rule.kind in (StepKind.DECIDE, StepKind.NOTIFY):
        return d.ignore("NOT_NOW")
    rounds = [one for one in track.runs if one.step == run.step]
    if run.outcome and not any(True for one in rounds for seat in one.seats for _ in offers_of(seat)):
        return d.ignore("REPEATED" if run.outcome == OVERTAKEN else "NOTHING_TO_RELEASE")
    return _step(d, track, run.step)


def _step(d: DecisionContext, track: Track, step: str) -> None:
    """Close every open offer of a step, in older rounds too (a place that is being left), then the step itself unless it was done."""
    closed = False
    for run in track.runs:
        if run.step == step:
            for seat in run.seats:
                for left in offers_of(seat):
                    d.close(left, How.OVERTAKEN, "OVERTAKEN", "instruction", track)
                    closed = True
    transfer_settled(d, track.track_id, step, OVERTAKEN)
    newest_run = newest(track)[step]
    if closed or not newest_run.outcome:
        d.emit(StepDone(why=d.why("instruction", track), track_id=track.track_id, step=step, round=newest_run.round, outcome=OVERTAKEN))


CONFIRM = "confirm-default"
"""A desk task: confirm the safest code, which was taken by silence."""


def settle(d: DecisionContext, body: InstructionGiven) -> None:
    """Settle a step. Target: a code of the decision, or `settled` for a step that is no decision. Naming the code taken by silence confirms
    it. No desk settles in the place of a court that somebody is locked up."""
    at = step_ordered(d, body)
    if at is None:
        return d.ignore("UNKNOWN_STEP")
    track, pathway, step, run = at
    decides = step.kind is StepKind.DECIDE
    if body.target not in (step.codes if decides else (SETTLED,)):
        return d.ignore("CODE_NOT_ALLOWED")
    if decides and step.forbid.get(body.target) in d.case.excluded:
        return d.ignore("FORBIDDEN")
    if decides and pathway.is_courts(step, body.target):
        return d.ignore("FORBIDDEN")
    if step.two_persons and not (step.second_below and is_gravest(step, body.target)):
        return desk_word(d, track, step, run, body)
    if decides and desk_below(run, step, body):
        return d.ignore("LOWER_ALONE")
    unsure = [t for t in d.case.tasks if (t.about, t.track_id, t.step) == (CONFIRM, track.track_id, step.id)]
    if body.target in (run.verdict, run.outcome) and not unsure:
        return d.ignore("REPEATED")
    for seat in run.seats:
        for left in offers_of(seat):
            d.close(left, How.RELEASED, "DESK", "instruction", track)
    if decides:
        d.emit(
            DecisionRecorded(
                why=d.why("instruction", track),
                track_id=track.track_id,
                step=run.step,
                round=run.round,
                seat=-1,
                code=body.target,
                how=Decided.DESK,
                by=body.by,
            )
        )
    else:
        d.emit(StepDone(why=d.why("instruction", track), track_id=track.track_id, step=run.step, round=run.round, outcome=SETTLED))
    for task in unsure:
        d.settle(task, "confirmed" if body.target in (run.verdict, run.outcome) else "decided-otherwise")
    for task in d.case.tasks:
        if task.about in ("decision-forbidden", DIFFER) and (task.track_id, task.step) == (track.track_id, step.id):
            d.settle(task, "decided-otherwise")
    return None


def transfer(d: DecisionContext, body: InstructionGiven) -> None:
    """Ask this service to take the seat over. A second order replaces the service asked before."""
    at = step_ordered(d, body)
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
    service, role = service_ordered(d, body, at, number)
    if service is None:
        return d.ignore(role)
    if seat.next is not None:
        d.close(seat.next, How.CANCELLED, "DESK", "instruction", track)
    transfer_settled(d, track.track_id, step.id, "transferred-anew")
    return offer(d, track, step, run, number, service, role, (), "transfer")
