"""Compute the months in which oversight counts: calendar months of Kosovo, closed after their children were followed for 30 days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from referral.domain.durations import HOUR_US
from referral.domain.local_time import LOCAL

FOLLOW_UP = timedelta(days=30)
"""Time after a month in which events of its children still count (ours); without it, a child of the last day would seem to get no help."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""µs. Months begin and close at full hours."""


def month(at: int) -> str:
    """Return the month of an instant, e.g. 2027-01. at: µs UTC."""
    return _of_hour(at // HOUR_US)


@lru_cache(maxsize=4096)  # time zones change at full hours, and records come in order
def _of_hour(hour: int) -> str:
    return (EPOCH + timedelta(hours=hour)).astimezone(LOCAL).strftime("%Y-%m")


def after(name: str, count: int = 1) -> str:
    """Return the month `count` months later."""
    year, number = divmod(int(name[:4]) * 12 + int(name[5:]) - 1 + count, 12)
    return f"{year:04}-{number + 1:02}"


def span(first: str, last: str) -> tuple[str, ...]:
    """Return the months from the first to the last, both included."""
    months = [first]
    while months[-1] < last:
        months.append(after(months[-1]))
    return tuple(months)


@lru_cache(maxsize=256)
def begins(name: str) -> int:
    """Return the first instant of a month, µs UTC."""
    return _micros(datetime(int(name[:4]), int(name[5:]), 1, tzinfo=LOCAL))


def closes(name: str) -> int:
    """Return the instant from which a month may be released, µs UTC; nothing recorded later counts for it."""
    return begins(after(name)) + FOLLOW_UP // timedelta(microseconds=1)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
