"""Microseconds UTC ↔ RFC 3339: inside we count, in JSON we write what people read. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def when(at: int) -> str:
    """µs UTC as RFC 3339."""
    return (EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def micros(at: datetime) -> int:
    """A moment with a time zone as µs UTC."""
    return (at - EPOCH) // timedelta(microseconds=1)
