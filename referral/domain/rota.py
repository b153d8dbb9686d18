"""Times of a rota, and the form in which people write them: `mon-fri 20:00-08:00`, `2026-12-24 20:00/2026-12-25 08:00`.

Weekly times are wall clock in Europe/Belgrade, the time of every agency of the directory; instants are µs UTC; intervals are half-open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from referral.domain.local_time import LOCAL
from referral.errors import Rejected

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60
"""Minutes of a day."""
WEEK_MIN = 7 * DAY_MIN
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)
"""First and last day that a rota may name (ours): nobody plans beyond them, so another year is a slip. Near the ends of the calendar, the
years 1 and 9999, time zones cannot be computed: one such shift would stop whoever asks who is on duty."""
HINT = (
    "write `mon-fri 20:00-08:00`, `mon,wed 08:00-16:00`, `daily 00:00-24:00`, `fri 16:00-mon 08:00` or `2026-12-24 20:00/2026-12-25 08:00`"
)

_CLOCK = r"(\d{1,2}:\d{2})"
_SAME = re.compile(rf"([a-z,-]+) {_CLOCK}-{_CLOCK}")
_OVER = re.compile(rf"([a-z]{{3}}) {_CLOCK}-([a-z]{{3}}) {_CLOCK}")


@dataclass(frozen=True, slots=True)
class Weekly:
    """A time that repeats every week.

    weekday: 0 is Monday. start, end: minutes after that day's midnight; end may fall on a later day.
    since, until: first and last day on which it begins; None is unlimited.
    """

    weekday: int
    start: int
    end: int
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Single:
    """One time, between two instants."""

    starts: int
    ends: int


def parse(written: str) -> tuple[Weekly, ...] | Single:
    """Parse shifts in their written form. Rejected: not a shift."""
    words = " ".join(written.lower().split())
    if "/" in words:
        return between(*words.split("/", 1))
    if found := _OVER.fullmatch(words):
        first, last = _day(found[1]), _day(found[3])
        start, end = _minute(found[2]), _minute(found[4])
        length = (last - first) % 7 * DAY_MIN + end - start
        return (Weekly(first, start, start + (length if length > 0 else length + WEEK_MIN)),)
    if found := _SAME.fullmatch(words):
        start, end = _minute(found[2]), _minute(found[3])
        return tuple(Weekly(day, start, end if end > start else end + DAY_MIN) for day in _days(found[1]))
    raise Rejected("malformed", "shift", HINT)


def between(begin: str, end: str) -> Single:
    """Parse two moments, in RFC 3339 or by the wall clock in Belgrade. Rejected: malformed, or the end is before the begin."""
    starts, ends = moment(begin), moment(end)
    if ends <= starts:
        raise Rejected("backwards", "shift", "the end must lie after the begin")
    return Single(starts, ends)


def moment(written: str) -> int:
    """Parse a moment to µs UTC. Without an offset it is the wall clock in Belgrade; a time that occurs twice means the first.

    Rejected: malformed, skipped by the clocks, or too far.
    """
    try:
        when = datetime.fromisoformat(written.strip().upper())
    except ValueError:
        raise Rejected("malformed", "moment", "write 2026-12-24 20:00 or 2026-12-24T20:00:00+01:00") from None
    planned(when.date(), "moment")
    if when.tzinfo is None:
        local = when.replace(tzinfo=LOCAL)
        if local.astimezone(UTC).astimezone(LOCAL).replace(tzinfo=None) != when:
            raise Rejected("no-such-time", "moment", "the clocks skip this time in that night; write one hour later")
        when = local
    return round(when.timestamp()) * 1_000_000


def planned(day: date, where: str) -> date:
    """Return a day unchanged. Rejected: it lies outside FIRST and LAST."""
    if not FIRST <= day <= LAST:
        raise Rejected("too-far", where, f"name a day from {FIRST.year} to {LAST.year}; leave the last day empty for a rota without an end")
    return day


def _days(written: str) -> list[int]:
    if written == "daily":
        return list(range(7))
    days: list[int] = []
    for part in written.split(","):
        first, _, last = part.partition("-")
        low = _day(first)
        days += [(low + n) % 7 for n in range((_day(last) - low) % 7 + 1 if last else 1)]
    return sorted(set(days))


def _day(word: str) -> int:
    if word not in DAYS:
        raise Rejected("malformed", "shift", HINT)
    return DAYS.index(word)


def _minute(clock: str) -> int:
    hour, minute = (int(part) for part in clock.split(":"))
    if minute > 59 or hour * 60 + minute > DAY_MIN:
        raise Rejected("malformed", "shift", "a time of day lies between 00:00 and 24:00")
    return hour * 60 + minute
