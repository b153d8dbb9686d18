"""Steps that are done again and again by the calendar: reviews, monitoring visits."""

from __future__ import annotations

from referral.domain.case import Run, Track, unbegun
from referral.domain.procedure import Marks, Step
from referral.domain.standing import NOT_NEEDED


def next_start(step: Step, track: Track, now: int) -> int | None:
    """When the next round of a repeated step begins; None when the last has been.

    The times of `at` count from the moment at which the first round was opened, `then_every` from now.
    """
    done = sum([run.step == step.id and run.outcome != NOT_NEEDED for run in track.runs])
    if done < len(step.at):
        first = next((run.starts for run in track.runs if run.step == step.id and run.starts is not None), None)
        return (now if first is None else first - step.at[0].micros) + step.at[done].micros
    if step.then_every is None:
        return None
    return now + step.then_every.micros if done else now


def goes_on(step: Step, track: Track, run: Run | None, standing: Marks, now: int) -> bool:
    """Whether another round comes: the first when the step is ready, a further one when the last is done, none once it has ended."""
    if not step.until.isdisjoint(standing):
        return False
    ready = step.is_ready(standing) if run is None or run.outcome == NOT_NEEDED else bool(run.outcome)
    return ready and next_start(step, track, now) is not None


def is_early(run: Run, now: int) -> bool:
    """Whether nobody is asked yet for this round."""
    starts = unbegun(run)
    return starts is not None and starts > now
