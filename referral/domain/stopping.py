"""A desk ends, stops and resumes: one track, or the whole case where none is named."""

from __future__ import annotations

from referral.domain.case import Track, offers_of
from referral.domain.decision import Decision
from referral.domain.events import CaseClosed, InstructionGiven, OfferEscalated, TrackChanged, TrackState
from referral.domain.finishing import end_track, seals
from referral.domain.offering import limit_after


def close(d: Decision, body: InstructionGiven) -> None:
    """End one track, or the whole case where none is named."""
    running = [t for t in d.case.tracks if not t.outcome and body.track_id in (None, t.track_id)]
    if body.track_id is not None and not running:
        return d.ignore("UNKNOWN_TRACK")
    for track in running:
        end_track(d, track, "closed-by-desk", "instruction")
    if body.track_id is None:
        for task in d.case.tasks:
            d.settle(task, "case-closed")
        d.say(CaseClosed, "instruction", outcome="closed-by-desk", sealed=seals(d))
    return None


def stop(d: Decision, body: InstructionGiven) -> None:
    """Nobody further is asked or woken; the desk is reminded, so that nothing stays stopped by oversight."""
    tracks = [t for t in d.case.tracks if not t.outcome and not t.paused_by and body.track_id in (None, t.track_id)]
    for track in tracks:
        _turn(d, track, TrackState.PAUSED, "desk")
        d.needs_person("stopped", track, repeat=d.policy.stopped)
    if not tracks:
        d.ignore("UNKNOWN_TRACK")


def resume(d: Decision, body: InstructionGiven) -> None:
    """Go on: stopped tracks run again with fresh limits, and the tasks that ask for no particular seat are settled."""
    for track in [t for t in d.case.tracks if t.paused_by and body.track_id in (None, t.track_id)]:
        _turn(d, track, TrackState.RESUMED, "")
        _fresh_limits(d, track.track_id)
    for task in d.case.tasks:
        if task.seat < 0 and body.track_id in (None, task.track_id):
            d.settle(task, "resumed")
    if not d.events:
        d.ignore("NOTHING_TO_RESUME")


def _turn(d: Decision, track: Track, state: TrackState, by: str) -> None:
    place = {"track_id": track.track_id, "pathway": track.pathway, "digest": track.digest}
    d.say(TrackChanged, "instruction", track, **place, state=state, paused_by=by, outcome="")


def _fresh_limits(d: Decision, track_id: str) -> None:
    """Limits that passed while the track stood still count from now; the same rung is woken again."""
    track = next(t for t in d.case.tracks if t.track_id == track_id)
    pathway = d.policy.pinned.get(track.digest)
    for run in track.runs:
        step = pathway.step(run.step) if pathway else None
        for left in [o for seat in run.seats for o in offers_of(seat)] if step else ():
            if step is not None and left.due is not None and left.due <= d.facts.now:
                due, what = limit_after(d, step, left.state)
                d.say(OfferEscalated, "resumed", track, offer_id=left.offer_id, rung=left.rung, reason=None, due=due, due_what=what)
