"""Limits of time: minutes, hours, days of 24 hours, and working days in the recipient's calendar. Pure arithmetic on microseconds UTC."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US

UNITS = {"min": MINUTE_US, "h": HOUR_US, "days": DAY_US, "working days": 0}
LONGEST = 1_827 * DAY_US
"""Five years: longer than any limit of a procedure, and as far ahead as a calendar is kept here."""


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of one unit of UNITS. source: S stated, D read in a document, P our default (docs/policy.md); it has no
    effect on the time. since: the entered time from which it counts; empty: the decision that starts it."""

    amount: int
    unit: str
    source: str = field(default="", compare=False)
    since: str = ""

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}{' ' if self.source else ''}{self.source}{' from ' if self.since else ''}{self.since}"

    @property
    def micros(self) -> int:
        """Its length in µs; 0 for working days, which only a calendar can count."""
        return self.amount * UNITS[self.unit]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days since 1970 that are holidays, and the clock changes (µs UTC from which an offset in µs applies), both a snapshot from a file."""

    id: str
    holidays: frozenset[int]
    changes: tuple[int, ...]
    offsets: tuple[int, ...]
    ends: int = 1 << 32
    """The first day after the calendar: limits in working days must end before it."""
    _ended: dict[tuple[int, int], int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def offset(self, at: int) -> int:
        """Return how far local time is ahead of UTC at this time, in µs."""
        return self.offsets[max(bisect.bisect_right(self.changes, at) - 1, 0)]

    def works(self, day: int) -> bool:
        """Return True when offices are open on this day (days since 1970-01-01, a Thursday)."""
        return (day + 3) % 7 < 5 and day not in self.holidays

    def midnight(self, day: int) -> int:
        """Return the instant at which this local day begins."""
        local = day * DAY_US
        return local - self.offset(local - self.offset(local))

    def ended(self, day: int, amount: int) -> int:
        """Return the instant at which the last of `amount` working days after this day ends."""
        key = (day, amount)
        if key not in self._ended:
            while amount:
                day += 1
                amount -= self.works(day)
            self._ended[key] = self.midnight(day + 1)
        return self._ended[key]


def countable(limit: Limit, start: int, calendar: Calendar) -> bool:
    """Return True when the calendar covers every day of a limit that starts now."""
    return limit.unit != "working days" or due(start, limit, calendar) <= calendar.midnight(calendar.ends)


def due(start: int, limit: Limit, calendar: Calendar) -> int:
    """Return the instant at which a limit that starts now has passed.

    N working days end with the N-th working day after the day of the start, at midnight local time; clock units ignore holidays.
    """
    if limit.unit != "working days":
        return start + limit.amount * UNITS[limit.unit]
    return calendar.ended((start + calendar.offset(start)) // DAY_US, limit.amount)
