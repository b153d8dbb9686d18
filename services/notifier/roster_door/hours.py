"""Decide which hours a hand-over or a swap may move. Pure: the roster and the instant are arguments, instants are µs UTC."""

from __future__ import annotations

from referral.domain.durations import HOUR_US
from services.notifier.duty import Roster, on_duty, shifts_of, until
from services.notifier.spans import spans

WITHOUT_SHIFT = 12 * HOUR_US
"""Length of a hand-over where no shift says when it ends (ours): the longest usual shift."""
LONGEST = 7 * 24 * HOUR_US
"""Longest time that one swap may move (ours): the longest shift is a week."""


def handed_over(known: Roster, agency: str, rung: str, taker: str, at: int) -> tuple[tuple[str, ...], int]:
    """Return who is relieved by somebody who takes over now, and until when: the latest end of their shifts.

    Nobody is relieved if the taker alone is on duty, or nobody is.
    """
    there = [p.account for p in on_duty(known, agency, rung, at).people if p.account != taker]
    ends = [end for s in shifts_of(known, agency, rung) if s.account in there and (end := until(s.time, at)) is not None]
    return tuple(there), max(ends, default=at + WITHOUT_SHIFT)


def holds(known: Roster, agency: str, rung: str, account: str, starts: int, ends: int) -> bool:
    """Return whether somebody is on duty at a rung from one instant to another, without a break."""
    if not starts < ends <= starts + LONGEST:
        return False
    return all(account in span.people for span in spans(known, agency, rung, starts, ends))
