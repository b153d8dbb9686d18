"""A desk decides instead of those asked, says that a step needs nobody, or confirms what silence has decided."""

from __future__ import annotations

from referral.domain.case import offers_of
from referral.domain.decision import Decision
from referral.domain.events import Decided, DecisionRecorded, How, InstructionGiven, StepDone, StepKind
from referral.domain.ordering import where
from referral.domain.standing import SETTLED

CONFIRM = "confirm-default"
"""A desk's task: silence took the safest code, and a person must say whether it stands."""


def settle(d: Decision, body: InstructionGiven) -> None:
    """Target: a code of the decision, or `settled` for a step that is no decision. The code that silence took confirms it."""
    at = where(d, body)
    if at is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step, run = at
    decides = step.kind is StepKind.DECIDE
    if body.target not in (step.codes if decides else (SETTLED,)):
        return d.ignore("CODE_NOT_ALLOWED")
    if decides and step.forbid.get(body.target) in d.case.excluded:
        return d.ignore("FORBIDDEN")
    unsure = [t for t in d.case.tasks if (t.about, t.track_id, t.step) == (CONFIRM, track.track_id, step.id)]
    if body.target in (run.verdict, run.outcome) and not unsure:
        return d.ignore("REPEATED")
    for seat in run.seats:
        for left in offers_of(seat):
            d.close(left, How.RELEASED, "DESK", "instruction", track)
    if decides:
        d.say(
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
        d.say(StepDone(why=d.why("instruction", track), track_id=track.track_id, step=run.step, round=run.round, outcome=SETTLED))
    for task in unsure:
        d.settle(task, "confirmed" if body.target in (run.verdict, run.outcome) else "decided-otherwise")
    return None
