"""Finish steps, end tracks with their open offers, and pause and resume a track.

A track pauses by the order of a desk, or because it waits for another procedure.
"""

from __future__ import annotations

from referral.domain.case import DECIDE, NOTIFY, PLACE, RANK, Run, Seat, Track, offers_of
from referral.domain.events import Decided, DecisionRecorded, How, OfferEscalated, StepDone, TrackChanged, TrackState
from referral.domain.policy.procedure import Pathway, Step
from referral.domain.rules.conditions import NOT_NEEDED, newest, rank
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.offers import limit_after
from referral.domain.rules.persons import DIFFER, KEEP, decides_alone
from referral.domain.rules.telephone import resume_calls, stop_calls
from referral.domain.rules.timeouts import knock_anew

FINAL = {"accepted": 3, "arrived": 4, "completed": 5}
"""The rank that a step must reach, by its `final`; the numbers of `case.RANK`."""


def finish(d: DecisionContext, index: int, step: Step, run: Run) -> None:
    """Finish the newest round of a step when its last seat has reached the state that the step asks for."""
    track = d.case.tracks[index]
    if step.kind is DECIDE:
        return _finish_decision(d, track, step, run)
    if step.kind is PLACE and rank(run) >= RANK[step.there]:
        _release_older(d, track, run)
    reached = all(_is_told(seat) for seat in run.seats) if step.kind is NOTIFY else rank(run) >= FINAL[step.final]
    if reached and not run.outcome:
        d.emit(StepDone(why=d.why("seats-filled", track), track_id=track.track_id, step=step.id, round=run.round, outcome="done"))
    return None


def _is_told(seat: Seat) -> bool:
    """Return True when a notice is done: when it is offered; by telephone, when the desk reports the call."""
    return seat.offer is not None and (not seat.offer.by_phone or bool(seat.offer.how))


def _release_older(d: DecisionContext, track: Track, run: Run) -> None:
    """Release the old place of a child that has arrived at a new one: never before."""
    for older in track.runs:
        if older.step == run.step and older.round < run.round:
            for seat in older.seats:
                for left in offers_of(seat):
                    d.close(left, How.RELEASED, "MOVED", "moved", track)


def _finish_decision(d: DecisionContext, track: Track, step: Step, run: Run) -> None:
    """Finish a decision when all seats have decided: their common code, or the code that the step names for a disagreement."""
    alone = decides_alone(step, run)
    codes = {run.seats[0].code} if alone else {seat.code for seat in run.seats}
    code = run.verdict
    if not code and "" not in codes and not run.outcome:
        code = next(iter(codes)) if len(codes) == 1 else step.on_disagreement
        if code == KEEP:
            code = ""
            d.needs_person(DIFFER, track, step.id)
        elif len(run.seats) > 1 and not alone:
            how = Decided.AGREED if len(codes) == 1 else Decided.DISAGREED
            d.emit(
                DecisionRecorded(
                    why=d.why("all-seats-decided", track),
                    track_id=track.track_id,
                    step=step.id,
                    round=run.round,
                    seat=-1,
                    code=code,
                    how=how,
                    by=None,
                )
            )
    if code and code != run.outcome:
        d.emit(StepDone(why=d.why("decided", track), track_id=track.track_id, step=step.id, round=run.round, outcome=code))


def is_over(d: DecisionContext, track: Track, pathway: Pathway) -> bool:
    """Return True when no round is under way, and nobody lives in a place that the track has asked for, in whichever round."""
    places = {step.id for step in pathway.placements if step.final == "completed"}
    lives = any(True for run in track.runs if run.step in places for seat in run.seats for _ in offers_of(seat))
    return not lives and all(run.outcome for run in newest(track).values())


def seals(d: DecisionContext) -> bool:
    """Return True when a procedure of the case seals for ever what was written."""
    return any(t.digest in d.policy.pinned and d.policy.pinned[t.digest].seal for t in d.case.tracks)


def drop(d: DecisionContext, track_id: str, step: str, reason: str, rule: str) -> None:
    """Drop a step that is no longer for this case: cancel every open offer in all its rounds, so that the agencies read no more."""
    track = next(t for t in d.case.tracks if t.track_id == track_id)
    closed, run = False, None
    for run in [r for r in track.runs if r.step == step]:
        for left in [asked for seat in run.seats for asked in offers_of(seat)]:
            d.close(left, How.CANCELLED, reason, rule, track)
            closed = True
    if run is not None and (closed or not run.outcome):
        d.emit(StepDone(why=d.why(rule, track), track_id=track_id, step=step, round=run.round, outcome=NOT_NEEDED))


def end_track(
    d: DecisionContext,
    track: Track,
    outcome: str,
    rule: str,
    state: TrackState = TrackState.ENDED,
    *,
    taken: How = How.COMPLETED,
    reason: str = "TRACK_ENDED",
) -> None:
    """End the track: taken offers are completed (or closed as `taken` says), the others are cancelled, its desk tasks are settled."""
    track = next(t for t in d.case.tracks if t.track_id == track.track_id)
    for run in track.runs:
        for seat in run.seats:
            for left in offers_of(seat):
                done = RANK[left.state] >= RANK["ACCEPTED"] and left not in seat.kept
                d.close(left, taken if done else How.CANCELLED, reason, rule, track)
    d.settle_all("track-ended", track.track_id)
    d.emit(
        TrackChanged(
            why=d.why(rule, track),
            track_id=track.track_id,
            pathway=track.pathway,
            digest=track.digest,
            state=state,
            paused_by="",
            outcome=outcome,
        )
    )


DESK = "desk"
"""`paused_by` of a track that a desk has stopped: only a desk can resume it."""


def pause(d: DecisionContext, track: Track, rule: str, by: str) -> None:
    """Pause the track: no further agency is asked or notified. by: the pathway that it waits for, or the desk."""
    _turn(d, track, TrackState.PAUSED, rule, by)
    stop_calls(d, track)


def go_on(d: DecisionContext, track: Track, rule: str) -> None:
    """Resume the track, with fresh limits for those that passed meanwhile."""
    _turn(d, track, TrackState.RESUMED, rule, "")
    _fresh_limits(d, track.track_id)
    knock_anew(d)
    resume_calls(d, track.track_id)


def stop_waiting(d: DecisionContext, track: Track) -> bool:
    """Resume a track that waits for a procedure with no running track left. Return True when it runs now."""
    if track.paused_by == DESK or any(t.pathway == track.paused_by and not t.outcome for t in d.case.tracks):
        return False
    go_on(d, track, "waited-for")
    return True


def _turn(d: DecisionContext, track: Track, state: TrackState, rule: str, by: str) -> None:
    """Emit TrackChanged with this state."""
    d.emit(
        TrackChanged(
            why=d.why(rule, track),
            track_id=track.track_id,
            pathway=track.pathway,
            digest=track.digest,
            state=state,
            paused_by=by,
            outcome="",
        )
    )


def _fresh_limits(d: DecisionContext, track_id: str) -> None:
    """Restart the limits that passed while the track was paused, from now; the notifier knocks at the same rung again."""
    track = next(t for t in d.case.tracks if t.track_id == track_id)
    pathway = d.policy.pinned.get(track.digest)
    for run in track.runs:
        step = pathway.step(run.step) if pathway else None
        for number, left in [(number, o) for number, seat in enumerate(run.seats) for o in offers_of(seat)] if step else ():
            if step is not None and left.due is not None and left.due <= d.facts.now:
                due, what = limit_after(d, track, step, left.state, number)
                d.emit(
                    OfferEscalated(why=d.why("resumed", track), offer_id=left.offer_id, rung=left.rung, reason=None, due=due, due_what=what)
                )
