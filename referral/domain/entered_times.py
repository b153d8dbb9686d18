"""Instants that a person enters, e.g. since when the police hold a child. Limits of a procedure may count from them. Pure.

A time that is absent is not known, and who does not name one says nothing about it: it is never taken away, only replaced.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from referral.domain.durations import MINUTE_US
from referral.domain.events import EnteredTime, Traits

AHEAD = frozenset({"order-until"})
"""Times that may lie ahead: the end of an order. All others have been."""
SKEW_US = 5 * MINUTE_US
"""The most by which a time that has been may lie ahead of our clock (ours): clocks of offices differ."""
EARLIEST = 946_684_800_000_000
"""The first instant of the year 2000 (UTC): an earlier one is a mistake of a form or a clock."""
LATEST_US = 20 * 366 * 24 * 60 * MINUTE_US
"""The most by which the end of an order may lie ahead (ours): longer than a childhood."""


def times_of(traits: Traits) -> dict[str, int]:
    """Return the instants that are known, by code."""
    return {one.code: one.at for one in traits.times}


def entered(times: Mapping[str, int]) -> tuple[EnteredTime, ...]:
    """Return instants as traits hold them: sorted by code, so that equal traits are equal."""
    return tuple(EnteredTime(code=code, at=times[code]) for code in sorted(times))


def beside(traits: Traits, known: Traits) -> Traits:
    """Return the traits with the times of `known` that they do not name."""
    if not known.times:
        return traits
    return replace(traits, times=entered({**times_of(known), **times_of(traits)}))


def is_possible(code: str, at: int, now: int) -> bool:
    """Return True if this time can be meant: not before the year 2000, and, but for the end of an order, not later than now."""
    return EARLIEST <= at <= now + (LATEST_US if code in AHEAD else SKEW_US)


def prolongs(traits: Traits, known: Traits) -> bool:
    """Return True if a time that is known would become later: whatever counts from it would end later."""
    was = times_of(known)
    return any(one.at > was[one.code] for one in traits.times if one.code in was)


def since(traits: Traits, code: str, now: int, began: int) -> int:
    """Return the start of a limit that counts from an entered time: never later than the event itself.

    now: the event's. began: the start of the procedure, which counts where the time is not known.
    """
    return min(times_of(traits).get(code, began), now)
