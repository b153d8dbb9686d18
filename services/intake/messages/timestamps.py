"""Convert microseconds UTC, which the program counts in, to RFC 3339, which the JSON contains, and back. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def when(at: int) -> str:
    """Return µs UTC as RFC 3339."""
    return (EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def micros(at: datetime) -> int:
    """Return a time with a time zone as µs UTC."""
    return (at - EPOCH) // timedelta(microseconds=1)
