"""A desk ends, stops and resumes: one track, or the whole case where none is named."""

from __future__ import annotations

from referral.domain.decision import Decision
from referral.domain.events import CaseClosed, InstructionGiven
from referral.domain.finishing import end_track, seals
from referral.domain.pausing import DESK, go_on, pause

STAYS = ("consent-missing", "confirm-default", "confirm-change")
"""Tasks that only their own answer settles."""


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
        d.say(CaseClosed(why=d.why("instruction"), outcome="closed-by-desk", sealed=seals(d)))
    return None


def stop(d: Decision, body: InstructionGiven) -> None:
    """Nobody further is asked or woken; the desk is reminded, so that nothing stays stopped by oversight."""
    tracks = [t for t in d.case.tracks if not t.outcome and not t.paused_by and body.track_id in (None, t.track_id)]
    for track in tracks:
        pause(d, track, "instruction", DESK)
        d.needs_person("stopped", track, repeat=d.policy.stopped)
    if not tracks:
        d.ignore("UNKNOWN_TRACK")


def resume(d: Decision, body: InstructionGiven) -> None:
    """Go on: stopped tracks run again with fresh limits, and the tasks that ask for no particular seat are settled."""
    for track in [t for t in d.case.tracks if t.paused_by and body.track_id in (None, t.track_id)]:
        go_on(d, track, "instruction")
    for task in d.case.tasks:
        if task.seat < 0 and task.about not in STAYS and body.track_id in (None, task.track_id):
            d.settle(task, "resumed")
    if not d.events:
        d.ignore("NOTHING_TO_RESUME")
