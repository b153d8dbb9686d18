"""Convert instants to the clock in Kosovo."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    pass


LOCAL = ZoneInfo("Europe/Belgrade")


EDGE_US = 2**34 * 1_000_000
"""The years 1425 and 2514 (ours): a record may claim any time, and what no calendar holds is shown at its edge."""


def local(at: int) -> datetime:
    """µs UTC, as a time in Kosovo."""
    return datetime.fromtimestamp(max(-EDGE_US, min(at, EDGE_US)) / 1e6, UTC).astimezone(LOCAL)


def moment(at: int | str | None) -> str:
    """µs UTC, or RFC 3339, as a time in Kosovo."""
    if not at:
        return ""
    when = datetime.fromisoformat(at).astimezone(LOCAL) if isinstance(at, str) else local(at)
    return when.strftime("%d.%m.%Y %H:%M:%S %Z")
