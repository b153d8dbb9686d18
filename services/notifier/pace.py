"""Limit how often one person is knocked by one channel. Claim and grouping share these limits: what has to wait, a later message carries.

A message says "look at your inbox": more of them in a short time wake nobody any better, and a carrier blocks who calls too often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Limits of one channel, for one person.

    many: messages within `window` seconds that are sent singly. gather: seconds between two messages after that; each carries everything
    that waits. gap: least seconds between two messages at any time; with a gap, never two at once.
    """

    many: int = 5
    window: int = 600
    gather: int = 60
    gap: int = 0


OTHERWISE = Pace()
PACES: Mapping[str, Pace] = {"sms": Pace(5, 900, 180, 60), "voice": Pace(5, 3600, 720, 120)}
"""SMS: one in a minute, five in a quarter of an hour. Calls: one in two minutes, five in an hour, then one in twelve minutes; carriers
block a number that calls somebody more than about sixteen times an hour (goalert#1084). All others: five in ten minutes (P)."""


def pace(channel: str) -> Pace:
    """Return the limits of a channel."""
    return PACES.get(channel, OTHERWISE)
