"""Gather the referrals that a desk has to confirm into one line of its inbox: many at once are one thing to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from referral.domain.rules.context import UNCONFIRMED
from referral.runtime.i18n import Words
from services.intake.model import Task
from services.intake.pages import relative_time


def apart(tasks: Iterable[Task]) -> tuple[list[Task], list[Task]]:
    """Return the tasks about anything else, and the referrals to confirm, the oldest first."""
    every = list(tasks)
    return [task for task in every if task.about != UNCONFIRMED], [task for task in every if task.about == UNCONFIRMED]


def line(waiting: list[Task], say: Words, now: int) -> str:
    """Return how many wait, and since when; empty when none does."""
    if not waiting:
        return ""
    return say("confirm.count", number=len(waiting), time=relative_time.clock(say, min(task.opened_at for task in waiting), now))
