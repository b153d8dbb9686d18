"""What a desk's order points at."""

from __future__ import annotations

from referral.domain.case import Run, Track
from referral.domain.decision import Decision
from referral.domain.directory import Service
from referral.domain.eligible import roles_asked
from referral.domain.events import InstructionGiven, StepKind
from referral.domain.marks import marks
from referral.domain.procedure import Pathway, Step
from referral.domain.standing import latest
from referral.domain.unfit import banned

Where = tuple[Track, Pathway, Step, Run]


def running(d: Decision, body: InstructionGiven) -> list[Track]:
    """The running track that the order names; every one where it names none."""
    return [track for track in d.case.tracks if not track.outcome and body.track_id in (None, track.track_id)]


def seat_of(body: InstructionGiven, run: Run) -> int | None:
    """The seat that the order names; the only one where it names none (-1). None: there is no such seat, or it could be several."""
    seat = 0 if body.seat < 0 and len(run.seats) == 1 else body.seat
    return seat if 0 <= seat < len(run.seats) else None


def where(d: Decision, body: InstructionGiven) -> Where | None:
    """The newest round of the step that the order names, in the track that it names, else in the only one that has it."""
    found: list[Where] = []
    for track in running(d, body):
        pathway = d.policy.pinned.get(track.digest)
        step = pathway.step(body.step) if pathway else None
        run = latest(track, body.step)
        if pathway is not None and step is not None and run is not None and body.seat < len(run.seats):
            found.append((track, pathway, step, run))
    return found[0] if len(found) == 1 else None


def asked(d: Decision, body: InstructionGiven, at: Where, seat: int) -> tuple[Service | None, str]:
    """The service that a desk wants for a seat, with the role it is asked for; None with the reason why it may not be.

    The desk may pass over order and area, never a ban, an exclusion or a full house.
    """
    track, pathway, step, run = at
    service, rule = d.policy.services.get(body.target), step.seats[seat]
    standing = marks(d.case, track, pathway, d.policy, d.facts.now)
    roles = {*rule.roles, *roles_asked(step, run, rule, standing), *rule.last_resort}
    if service is None or not service.roles & roles:
        return None, "UNKNOWN_SERVICE"
    if reason := banned(d, pathway, step, service, standing):
        return None, reason
    if step.kind is StepKind.PLACE and d.free(service.id) < 1:
        return None, "NO_CAPACITY"
    return service, min(service.roles & roles)
