"""Gather the referrals that a desk has to confirm into one line of its inbox: many at once are one thing to do. Pure."""

from __future__ import annotations

from referral.runtime.i18n import Words
from services.intake.pages import relative_time


def line(number: int, oldest: int, say: Words, now: int) -> str:
    """Return how many wait, and since when (µs UTC); empty when none does."""
    return say("confirm.count", number=number, time=relative_time.clock(say, oldest, now)) if number else ""
