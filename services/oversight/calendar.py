"""Months as oversight counts them: by the calendar of Kosovo, closed when their children have been followed for long enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Europe/Belgrade")
FOLLOW_UP = timedelta(days=30)
"""What happens to a month's children in this time after it still counts (ours), or a child of its last day would have got no help."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def month(at: int) -> str:
    """The month of a moment, e.g. 2027-01. at: µs UTC."""
    return _of_hour(at // 3_600_000_000)


@lru_cache(maxsize=4096)  # time zones change at full hours, and records come in order
def _of_hour(hour: int) -> str:
    return (EPOCH + timedelta(hours=hour)).astimezone(LOCAL).strftime("%Y-%m")


def after(name: str, count: int = 1) -> str:
    """The month that comes `count` months later."""
    year, number = divmod(int(name[:4]) * 12 + int(name[5:]) - 1 + count, 12)
    return f"{year:04}-{number + 1:02}"


def span(first: str, last: str) -> tuple[str, ...]:
    """The months from the first to the last, both of them."""
    found = [first]
    while found[-1] < last:
        found.append(after(found[-1]))
    return tuple(found)


@lru_cache(maxsize=256)
def begins(name: str) -> int:
    """Its first moment, µs UTC."""
    return _micros(datetime(int(name[:4]), int(name[5:]), 1, tzinfo=LOCAL))


def closes(name: str) -> int:
    """From when on it may be told, µs UTC; nothing that is recorded later counts for it."""
    return begins(after(name)) + FOLLOW_UP // timedelta(microseconds=1)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
