"""When a step is done, and what the end of a track does to whoever was asked."""

from __future__ import annotations

from referral.domain.case import Run, Track, offers_of
from referral.domain.decision import Decision
from referral.domain.events import Decided, DecisionRecorded, How, StepDone, StepKind, TrackChanged, TrackState
from referral.domain.procedure import Step
from referral.domain.standing import RANK, newest, rank

FINAL = {"accepted": 3, "arrived": 4, "completed": 5}


def finish(d: Decision, index: int, step: Step, run: Run) -> None:
    """The newest round of a step is done when its last seat is as far as the step asks."""
    track = d.case.tracks[index]
    if step.kind is StepKind.DECIDE:
        return _finish_decision(d, track, step, run)
    if step.kind is StepKind.PLACE and rank(run) >= RANK[step.there]:
        _release_older(d, track, run)
    reached = all(seat.offer for seat in run.seats) if step.kind is StepKind.NOTIFY else rank(run) >= FINAL[step.final]
    if reached and not run.outcome:
        d.say(StepDone, "seats-filled", track, track_id=track.track_id, step=step.id, round=run.round, outcome="done")
    return None


def _release_older(d: Decision, track: Track, run: Run) -> None:
    """A child that has arrived at a new place leaves the old one: never before."""
    for older in track.runs:
        if older.step == run.step and older.round < run.round:
            for seat in older.seats:
                for left in offers_of(seat):
                    d.close(left, How.RELEASED, "MOVED", "moved", track)


def _finish_decision(d: Decision, track: Track, step: Step, run: Run) -> None:
    place = {"track_id": track.track_id, "step": step.id, "round": run.round}
    codes = {seat.code for seat in run.seats}
    code = run.verdict
    if not code and "" not in codes and not run.outcome:
        code = next(iter(codes)) if len(codes) == 1 else step.on_disagreement
        if len(run.seats) > 1:
            how = Decided.AGREED if len(codes) == 1 else Decided.DISAGREED
            d.say(DecisionRecorded, "all-seats-decided", track, **place, seat=-1, code=code, how=how, by=None)
    if code and code != run.outcome:
        d.say(StepDone, "decided", track, **place, outcome=code)


def is_over(track: Track) -> bool:
    """No round is under way, and nobody lives in a place that the track has asked for."""
    return all(run.outcome for run in newest(track).values())


def seals(d: Decision) -> bool:
    """Whether a procedure of the case closes for ever what was written."""
    return any(t.digest in d.policy.pinned and d.policy.pinned[t.digest].seal for t in d.case.tracks)


def end_track(d: Decision, track: Track, outcome: str, rule: str) -> None:
    """The track ends: what was taken is completed, what was asked is cancelled, its tasks are settled."""
    for run in track.runs:
        for seat in run.seats:
            for left in offers_of(seat):
                done = RANK[left.state] >= RANK["ACCEPTED"] and left not in seat.kept
                d.close(left, How.COMPLETED if done else How.CANCELLED, "TRACK_ENDED", rule, track)
    for task in d.case.tasks:
        if task.track_id == track.track_id:
            d.settle(task, "track-ended")
    d.say(
        TrackChanged,
        rule,
        track,
        track_id=track.track_id,
        pathway=track.pathway,
        digest=track.digest,
        state=TrackState.ENDED,
        paused_by="",
        outcome=outcome,
    )
