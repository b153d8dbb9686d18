"""Decide when an exercise may be started from a page, and when its messages may wake somebody. Pure (docs/decisions/0037).

Every number is ours (P): no law speaks of exercises. Instants are µs UTC; hours are wall clock in Kosovo.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from referral.domain.durations import DAY_US
from referral.domain.local_time import LOCAL, local

EPOCH = date(1970, 1, 1)
OPENS, CLOSES = 8, 16
"""Hours of a working day in which exercises are loud without anybody's leave (P): offices' hours, in which nobody is woken."""
WORKING = range(5)
"""Days with such hours, 0 is Monday (P), but for public holidays."""
AHEAD = 31
"""Days that are searched for the next working day (ours): longer than any run of holidays. After a longer one an exercise is loud."""
NIGHTS_DAYS = 31
"""Most days for which a head agrees to be woken (P): leave that nobody remembers is no leave."""
WINDOW_US = 30 * DAY_US
"""Time over which exercises are counted (P)."""
MOST_HERE = 2
"""Exercises of one municipality within the window (P): one, and a repetition of what went badly. More would be noise that people learn to
ignore."""
MOST_ANYWHERE = 10
"""Exercises of the whole country within the window (P): each of 38 municipalities once a quarter. Shelters and the prosecutor serve many
municipalities, and are asked in each one's exercise."""


@dataclass(frozen=True, slots=True)
class Started:
    """An exercise that was started. ended: none of its cases is open."""

    municipality: str
    at: int
    ended: bool


def is_loud(at: int, agreed: Iterable[tuple[int, int]] = (), holidays: Collection[int] = ()) -> bool:
    """Return whether an exercise may call or text an agency at this instant.

    agreed: (begin, end) of its head's leave for other hours. holidays: days since 1970.
    """
    wall = local(at)
    return _leave(at, agreed) or (_works(wall.date(), holidays) and OPENS <= wall.hour < CLOSES)


def loud_from(at: int, agreed: Iterable[tuple[int, int]] = (), holidays: Collection[int] = ()) -> int:
    """Return the instant itself if an exercise may be loud then, else the next one at which it may. agreed, holidays: as for `is_loud`."""
    known = tuple(agreed)
    if is_loud(at, known, holidays):
        return at
    days = [local(at).date() + timedelta(days=n) for n in range(AHEAD)]
    openings = (_opening(day) for day in days if _works(day, holidays))
    next_opening = next((start for start in openings if start > at), _opening(days[-1]))
    return min((next_opening, *(begin for begin, _ in known if begin > at)))


def refusal(
    municipality: str,
    started: Iterable[Started],
    now: int,
    *,
    agreed: Collection[tuple[int, int]] = (),
    holidays: Collection[int] = (),
    by_day: bool = True,
) -> str:
    """Return why no exercise may be started now in a municipality; empty: it may.

    agreed: leave of the starter's own head for other hours. holidays: days since 1970. by_day: False where the clock may be moved, in a
    stack for drills alone: no hour is night there.

    `night`: outside of the hours. `running`: one is open here. `here`, `anywhere`: the month is full.
    """
    past = tuple(started)
    if by_day and not is_loud(now, agreed, holidays):
        return "night"
    if any(one.municipality == municipality and not one.ended for one in past):
        return "running"
    lately = [one for one in past if one.at > now - WINDOW_US]
    if sum(one.municipality == municipality for one in lately) >= MOST_HERE:
        return "here"
    return "anywhere" if len(lately) >= MOST_ANYWHERE else ""


def _leave(at: int, agreed: Iterable[tuple[int, int]]) -> bool:
    return any(begin <= at < end for begin, end in agreed)


def _works(day: date, holidays: Collection[int]) -> bool:
    return day.weekday() in WORKING and (day - EPOCH).days not in holidays


def _opening(day: date) -> int:
    return round(datetime.combine(day, time(OPENS), LOCAL).timestamp()) * 1_000_000
