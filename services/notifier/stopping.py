"""Notify nobody for a procedure that a desk has stopped, or that waits for another one, and go on when it goes on. Pure.

A desk's task is not stopped: whoever has stopped a procedure is reminded of it. Nor is what a desk asks of an agency meanwhile. Answers
count.
"""

from __future__ import annotations

from dataclasses import replace

from referral.domain.events import TrackChanged, TrackState
from services.notifier.plan import Question, State


def follow(asked: Question, event: TrackChanged, at: int) -> Question:
    """Return the question after its procedure has changed. at: µs at which the event was taken in.

    An unanswered offer is knocked for as soon as the procedure goes on; a rung that has nobody is reported again, because routing takes no
    such report while the procedure stands.
    """
    if asked.task or asked.track != event.track_id:
        return asked
    if event.state is TrackState.PAUSED:
        return replace(asked, stopped=True)
    if event.state is not TrackState.RESUMED or not asked.stopped:
        return asked
    again = asked.state is State.OPEN and not asked.taken and not asked.once
    return replace(asked, stopped=False, next_at=at if again else asked.next_at, failed=-1 if again else asked.failed)
