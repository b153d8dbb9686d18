"""Convert instants to the clock in Kosovo."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Europe/Belgrade")
"""Wall clock of every agency of the directory: Kosovo has no zone of its own in the tz database."""
EDGE_US = 2**34 * 1_000_000
"""The years 1425 and 2514 (ours): a record may carry any time; a time outside is shown as the nearest of the two."""


def local(at: int) -> datetime:
    """Return µs UTC as a time in Kosovo."""
    return datetime.fromtimestamp(max(-EDGE_US, min(at, EDGE_US)) / 1e6, UTC).astimezone(LOCAL)


def moment(at: int | str | None) -> str:
    """Return µs UTC, or RFC 3339 text, as the text of a time in Kosovo; empty where there is none."""
    if not at:
        return ""
    when = datetime.fromisoformat(at).astimezone(LOCAL) if isinstance(at, str) else local(at)
    return when.strftime("%d.%m.%Y %H:%M:%S %Z")
