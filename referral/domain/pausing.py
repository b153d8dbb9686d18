"""A track stands still and goes on: by a desk's order, or because it waits for another procedure."""

from __future__ import annotations

from referral.domain.calling import resume_calls, stop_calls
from referral.domain.case import Track, offers_of
from referral.domain.climbing import knock_anew
from referral.domain.decision import Decision
from referral.domain.events import OfferEscalated, TrackChanged, TrackState
from referral.domain.offering import limit_after

DESK = "desk"
"""What a desk has stopped, only a desk lets go on."""


def pause(d: Decision, track: Track, rule: str, by: str) -> None:
    """Nobody further is asked or woken. by: a pathway that is waited for, or the desk."""
    _turn(d, track, TrackState.PAUSED, rule, by)
    stop_calls(d, track)


def go_on(d: Decision, track: Track, rule: str) -> None:
    """It runs again, with fresh limits where they passed meanwhile."""
    _turn(d, track, TrackState.RESUMED, rule, "")
    _fresh_limits(d, track.track_id)
    knock_anew(d)
    resume_calls(d, track.track_id)


def stop_waiting(d: Decision, track: Track) -> bool:
    """Let a track go on that waits for a procedure of which no track runs any more. Whether it runs now."""
    if track.paused_by == DESK or any(t.pathway == track.paused_by and not t.outcome for t in d.case.tracks):
        return False
    go_on(d, track, "waited-for")
    return True


def _turn(d: Decision, track: Track, state: TrackState, rule: str, by: str) -> None:
    d.say(
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


def _fresh_limits(d: Decision, track_id: str) -> None:
    """Limits that passed while the track stood still count from now; the same rung is woken again."""
    track = next(t for t in d.case.tracks if t.track_id == track_id)
    pathway = d.policy.pinned.get(track.digest)
    for run in track.runs:
        step = pathway.step(run.step) if pathway else None
        for left in [o for seat in run.seats for o in offers_of(seat)] if step else ():
            if step is not None and left.due is not None and left.due <= d.facts.now:
                due, what = limit_after(d, step, left.state)
                d.say(
                    OfferEscalated(why=d.why("resumed", track), offer_id=left.offer_id, rung=left.rung, reason=None, due=due, due_what=what)
                )
