"""Limit what the public page accepts, by place of the sender and in all. Above a limit nothing is stored, and the page says whom to call.

A flood must not shut the page for everybody else. So the limits have two steps: once very many have come, a place that has sent little in
this hour is still heard, and every other place is not. Only dozens of places together reach the upper limit of one municipality, and
hundreds that of the country; these bound the storage.

A refusal must not tell a sender whether somebody else has reported: at home, or of the same municipality. So each count has a limit of its
own, drawn between half of the number below and the number when it begins.

Only what was accepted counts, so the memory is bounded by the limits themselves. It is in the memory of one instance and begins anew after
a restart, as the count of agencies' referrals does (`crowd`). No address is stored anywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from prometheus_client import Counter

HOUR_S = 3600.0
"""Seconds for which a referral counts (P)."""
PREFIXES = {4: 24, 6: 48}
"""Bits of an address that count as one sender (P): whoever rents a server has the rest of them."""
FROM_ONE_PLACE = 20
"""Referrals of one place in an hour (P): a school shares one address, and so do customers of a mobile network."""
IN_A_CROWD = 3
"""Referrals of one place in an hour, once one of the next two counts is reached (P): a report, and one or two more."""
CROWD_FOR_ONE = 40
"""Referrals for one municipality in an hour from which on they are a crowd (P): more than a desk can call back."""
CROWD_IN_ALL = 120
"""Referrals in an hour from which on they are a crowd (P): more than the country has trafficking cases in a year."""
FOR_ONE_MUNICIPALITY = 100
"""Referrals for one municipality in an hour (P): four pages of the desk's list. A flood reaches it from dozens of places; the others stay
open."""
STORED = 36_000
"""Most bytes of the database that one of them takes: 33,000 measured (tests/integration/line/test_public_flood.py), and a tenth more."""
IN_ALL = 600
"""Referrals in an hour (P): hundreds of places together reach it. With STORED that is half a gigabyte a day at most."""
REFUSED = Counter("referral_public_refused", "Reports of the public page that were above a limit and were not stored.")
# Worry when it grows: somebody floods the page, and whoever shares the sender's network is told to telephone.


@dataclass(slots=True)
class Window:
    """Times of what was counted within the last HOUR_S, the oldest first. share: of each limit, from a half to 1, that holds here."""

    share: float
    times: deque[float]

    def count(self, now: float) -> int:
        """Return how many still count."""
        while self.times and self.times[0] <= now - HOUR_S:
            self.times.popleft()
        return len(self.times)


class Limits:
    """The counts of this instance. tick: seconds of a monotonic clock. draw: a random number from 0 to 1."""

    def __init__(self, tick: Callable[[], float], draw: Callable[[], float]) -> None:
        self._tick, self._draw = tick, draw
        self._windows: dict[tuple[str, str], Window] = {}

    def refuses(self, address: str, municipality: str) -> bool:
        """Return True when a further referral from this address, for this municipality, is above a limit."""
        now = self._tick()
        for name in [name for name, window in self._windows.items() if not window.count(now)]:
            del self._windows[name]
        here, there, all_ = _names(address, municipality)
        crowd = self._full(there, CROWD_FOR_ONE) or self._full(all_, CROWD_IN_ALL)
        most = IN_A_CROWD if crowd else FROM_ONE_PLACE
        refused = self._full(here, most) or self._full(there, FOR_ONE_MUNICIPALITY) or self._full(all_, IN_ALL)
        if refused:
            REFUSED.inc()
        return refused

    def took(self, address: str, municipality: str) -> None:
        """Count a referral that was accepted."""
        for name in _names(address, municipality):
            if name not in self._windows:
                self._windows[name] = Window(1 - self._draw() / 2, deque())
            self._windows[name].times.append(self._tick())

    def _full(self, name: tuple[str, str], most: int) -> bool:
        window = self._windows.get(name)
        return window is not None and len(window.times) >= window.share * most


def _names(address: str, municipality: str) -> tuple[tuple[str, str], ...]:
    return ("place", place(address)), ("for", municipality), ("all", "")


def place(address: str) -> str:
    """Return the part of an address that counts as one sender. All that is no address is one place: nobody gains by writing nonsense."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, PREFIXES[parsed.version]), strict=False))
