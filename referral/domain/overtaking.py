"""The person got there by another way: who was asked is told so, and a late answer wakes nothing again."""

from __future__ import annotations

from referral.domain.case import Track, offers_of
from referral.domain.decision import Decision
from referral.domain.events import How, InstructionGiven, StepDone, StepKind
from referral.domain.finishing import end_track
from referral.domain.ordering import running, where
from referral.domain.standing import OVERTAKEN, newest
from referral.domain.taking import transfer_settled


def overtaken(d: Decision, body: InstructionGiven) -> None:
    """One step, or the whole track (every running one) where none is named. A decision is never overtaken: it is made or settled."""
    if not body.step:
        tracks = running(d, body)
        for track in tracks:
            for step in newest(track):
                _step(d, track, step)
            end_track(d, next(t for t in d.case.tracks if t.track_id == track.track_id), OVERTAKEN, "instruction")
        return None if tracks else d.ignore("UNKNOWN_TRACK")
    at = where(d, body)
    if at is None:
        return d.ignore("UNKNOWN_STEP")
    track, _, step_rule, run = at
    if step_rule.kind in (StepKind.DECIDE, StepKind.NOTIFY):
        return d.ignore("NOT_NOW")
    if run.outcome and not any(True for seat in run.seats for _ in offers_of(seat)):
        return d.ignore("REPEATED" if run.outcome == OVERTAKEN else "NOTHING_TO_RELEASE")
    return _step(d, track, run.step)


def _step(d: Decision, track: Track, step: str) -> None:
    """Every open offer of a step, also of older rounds (a place that is being left), then the step itself unless it was done."""
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
        d.say(StepDone(why=d.why("instruction", track), track_id=track.track_id, step=step, round=newest_run.round, outcome=OVERTAKEN))
