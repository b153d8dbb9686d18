"""Words of a line of a told story: `name=value`, and lengths of time."""

from __future__ import annotations

from collections.abc import Iterable

from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US


def options(words: Iterable[str]) -> dict[str, str]:
    """Return name → value of the words `name=value`; the others are left out."""
    return {name: value for word in words if "=" in word for name, _, value in [word.partition("=")]}


def length(text: str) -> int:
    """Return `2 h`, `15 min` or `30d` in µs."""
    number, unit = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz").strip(), text.strip().lstrip("0123456789 ")
    return int(number) * {"min": MINUTE_US, "h": HOUR_US, "d": DAY_US}[unit]
