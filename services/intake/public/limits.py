"""Limit what the public page accepts, by place of the sender and in all. Above a limit nothing is stored, and the page says whom to call.

Only what was accepted counts, so the memory is bounded by the limits themselves. It is in the memory of one instance and begins anew after
a restart, as the count of agencies' referrals does (`crowd`). No address is stored anywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

HOUR_S = 3600.0
"""Seconds for which a referral or a try counts (P)."""
PREFIXES = {4: 24, 6: 48}
"""Bits of an address that count as one sender (P): whoever rents a server has the rest of them."""
FROM_ONE_PLACE = 10
"""Referrals of one place in an hour (P): a school shares one address, and so do customers of a mobile network."""
FOR_ONE_MUNICIPALITY = 20
"""Referrals for one municipality in an hour (P): more than a desk can call back; the other municipalities stay open."""
IN_ALL = 60
"""Referrals in an hour (P): as many as the country has trafficking cases in a year."""
TRIES = 30
"""Codes of receipts that one place may try in an hour (P). A code has 80 bits: the limit saves work, it protects nothing."""
PLACES = 10_000
"""Places of which tries are counted at once (ours); the oldest is forgotten. 10,000 of them take some 3 MB."""


@dataclass(slots=True)
class Window:
    """Times of what was counted within the last HOUR_S, the oldest first."""

    most: int
    times: deque[float]

    def full(self, now: float) -> bool:
        """Return True when the limit is reached."""
        while self.times and self.times[0] <= now - HOUR_S:
            self.times.popleft()
        return len(self.times) >= self.most


class Limits:
    """The counts of this instance. tick: seconds of a monotonic clock."""

    def __init__(self, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._windows: dict[tuple[str, str], Window] = {}
        self._tries: dict[str, Window] = {}

    def refuses(self, address: str, municipality: str) -> bool:
        """Return True when a further referral from this address, for this municipality, is above a limit."""
        now = self._tick()
        for name in [name for name, window in self._windows.items() if not window.full(now) and not window.times]:
            del self._windows[name]
        return any(window.full(now) for window in self._of(address, municipality))

    def took(self, address: str, municipality: str) -> None:
        """Count a referral that was accepted."""
        for window in self._of(address, municipality):
            window.times.append(self._tick())

    def tried(self, address: str) -> bool:
        """Count a try of a receipt's code. Return False when this place has tried too many."""
        now, name = self._tick(), place(address)
        window = self._tries.pop(name, None) or Window(TRIES, deque())
        self._tries[name] = window  # the newest last
        if len(self._tries) > PLACES:
            del self._tries[next(iter(self._tries))]
        if window.full(now):
            return False
        window.times.append(now)
        return True

    def _of(self, address: str, municipality: str) -> list[Window]:
        names = (("place", place(address), FROM_ONE_PLACE), ("for", municipality, FOR_ONE_MUNICIPALITY), ("all", "", IN_ALL))
        return [self._windows.setdefault((kind, name), Window(most, deque())) for kind, name, most in names]


def place(address: str) -> str:
    """Return the part of an address that counts as one sender."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return address[:50]
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, PREFIXES[parsed.version]), strict=False))
