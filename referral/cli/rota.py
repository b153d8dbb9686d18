"""How a rota is written on the command line: `mon-fri 20:00-08:00`, `fri 16:00-mon 08:00`, `2026-12-24 20:00/2026-12-25 08:00`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from referral.errors import Rejected

ZONE = ZoneInfo("Europe/Belgrade")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, WEEK = 24 * 60, 7 * 24 * 60
HINT = (
    "write `mon-fri 20:00-08:00`, `mon,wed 08:00-16:00`, `daily 00:00-24:00`, `fri 16:00-mon 08:00` or `2026-12-24 20:00/2026-12-25 08:00`"
)

_CLOCK = r"(\d{1,2}:\d{2})"
_SAME = re.compile(rf"([a-z,-]+) {_CLOCK}-{_CLOCK}")
_OVER = re.compile(rf"([a-z]{{3}}) {_CLOCK}-([a-z]{{3}}) {_CLOCK}")


@dataclass(frozen=True, slots=True)
class Weekly:
    """weekday: 0 is Monday. start, end: minutes after its midnight by the wall clock; end may lie on a later day."""

    weekday: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Single:
    """µs UTC, half-open."""

    starts: int
    ends: int


def parse(written: str) -> tuple[Weekly, ...] | Single:
    """Shifts as a person writes them. Rejected: it is no shift."""
    words = " ".join(written.lower().split())
    if "/" in words:
        return between(*words.split("/", 1))
    if found := _OVER.fullmatch(words):
        first, last = _day(found[1]), _day(found[3])
        start, end = _minute(found[2]), _minute(found[4])
        length = (last - first) % 7 * DAY + end - start
        return (Weekly(first, start, start + (length if length > 0 else length + WEEK)),)
    if found := _SAME.fullmatch(words):
        start, end = _minute(found[2]), _minute(found[3])
        return tuple(Weekly(day, start, end if end > start else end + DAY) for day in _days(found[1]))
    raise Rejected("malformed", "shift", HINT)


def between(begin: str, end: str) -> Single:
    """Two moments, as RFC 3339 or by the wall clock in Belgrade. Rejected: no such moments, or they end before they begin."""
    starts, ends = moment(begin), moment(end)
    if ends <= starts:
        raise Rejected("backwards", "shift", "the end must lie after the begin")
    return Single(starts, ends)


def moment(written: str) -> int:
    """µs UTC. Without an offset it is the wall clock in Belgrade; a time that comes twice means its first coming."""
    try:
        when = datetime.fromisoformat(written.strip().upper())
    except ValueError:
        raise Rejected("malformed", "moment", "write 2026-12-24 20:00 or 2026-12-24T20:00:00+01:00") from None
    if when.tzinfo is None:
        local = when.replace(tzinfo=ZONE)
        if local.astimezone(UTC).astimezone(ZONE).replace(tzinfo=None) != when:
            raise Rejected("no-such-time", "moment", "the clocks skip this time in that night; write one hour later")
        when = local
    return round(when.timestamp()) * 1_000_000


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
    if minute > 59 or hour * 60 + minute > DAY:
        raise Rejected("malformed", "shift", "a time of day lies between 00:00 and 24:00")
    return hour * 60 + minute
