"""Propose a complaint about a broken statutory deadline to oversight: the machine accuses nobody, a person opens the case or does not.

A proposal is a task at the highest rung. It is about an agency only if a limit passed after the agency had been told, else about us. It
outlasts its procedure and its case: no desk closes a complaint that may be about it.
"""

from __future__ import annotations

from msgspec.structs import replace

from referral.domain.case import Case, Offer, Task, find
from referral.domain.events import CaseRaised, DeadlinePassed, Instruction, InstructionGiven
from referral.domain.inputs import derived
from referral.domain.rules.context import COMPLAINT, COMPLAINT_OURS, COMPLAINTS, TOP, DecisionContext
from referral.domain.rules.seats import LocatedOffer
from referral.domain.rules.telephone import NOT_TOLD


def complain(d: DecisionContext, at: LocatedOffer, what: str, rule: str) -> None:
    """Propose a complaint about a limit that has passed, once for each step. rule: whose silence it was."""
    if not at.rule.statutory or not at.pathway.raises or what == "all-excluded":
        return
    if f"agency:{at.offer.agency}" in d.case.excluded:  # an excluded agency could not answer
        return
    found = find(d.case, at.offer.offer_id)
    passed = any(isinstance(event, DeadlinePassed) and event.offer_id == at.offer.offer_id for event in d.events)
    about = COMPLAINT if found is not None and found.offer.charged else COMPLAINT_OURS if passed and rule == NOT_TOLD else ""
    if about and _new_id(at.track.track_id, at.step.id, about) not in d.case.raised:
        d.needs_person(about, at.track, at.step.id, rung=TOP, repeat=d.policy.stopped)


def proposed(case: Case, task_id: str | None) -> Task | None:
    """Return the proposed complaint that is this task; None when it is another task, or none."""
    return next((task for task in case.tasks if task.task_id == task_id and task.about in COMPLAINTS), None)


def answered(d: DecisionContext, task: Task, body: InstructionGiven) -> None:
    """Handle the answer to a proposal: whoever has the task opens the case, or does not."""
    if body.agency != task.desk:
        return d.ignore("NOT_A_DESK")
    if body.word is Instruction.REFUSE:
        return d.settle(task, "refused")
    track = next(track for track in d.case.tracks if track.track_id == task.track_id)
    pathway = d.policy.pinned.get(track.digest)
    if pathway is None or not pathway.raises:
        return d.ignore("UNKNOWN_PATHWAY")
    missed = {offer.agency for offer in _offers(d.case, task) if offer.charged} if task.about == COMPLAINT else set()
    d.emit(
        CaseRaised(
            why=d.why("missed-deadline" if task.about == COMPLAINT else NOT_TOLD, track),
            new_case_id=_new_id(task.track_id, task.step, task.about),
            pathway=pathway.raises,
            traits=replace(d.case.traits, concern=pathway.raises),
            about="deadline-missed" if task.about == COMPLAINT else NOT_TOLD,
            excluded=tuple(f"agency:{agency}" for agency in sorted(missed)),
        )
    )
    return d.settle(task, "confirmed")


def _new_id(track_id: str, step: str, about: str) -> str:
    """Return the id of the case that a complaint opens: one for each step and each of the two kinds."""
    return derived(track_id, f"raised:{step}" if about == COMPLAINT else f"raised-ours:{step}")


def _offers(case: Case, task: Task) -> list[Offer]:
    """Return every offer of the step that the task names, in all its rounds, open or ended."""
    runs = [run for track in case.tracks if track.track_id == task.track_id for run in track.runs if run.step == task.step]
    return [offer for run in runs for seat in run.seats for offer in (*seat.past, *seat.kept, seat.offer, seat.next) if offer is not None]
