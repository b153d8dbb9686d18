"""Limit what the public page accepts, by place of the sender and in all. Above a limit a report is stored in short form; above the storage,
nothing more is stored of a place that has sent today, and the page says whom to call.

A flood must not shut the page for anybody else. So a place is counted by its network and by the provider's networks around it, and the
heaviest of them is limited first; a place that has sent nothing today is always heard.

A refusal must not tell a sender whether somebody else has reported: at home, or of the same municipality. So each count has a limit of its
own, drawn between half of the number below and the number when it begins.

Only what was accepted counts, so the memory is bounded by the limits themselves. It is in the memory of one instance and begins anew after
a restart, as the count of agencies' referrals does (`crowd`). No address is stored anywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from prometheus_client import Counter

HOUR_S = 3600.0
"""Seconds for which a referral counts (P)."""
DAY_S = 86_400.0
"""Seconds for which a network has sent something (P)."""
PREFIXES = {4: {24: 1, 16: 8}, 6: {48: 1, 40: 2, 32: 8}}
"""Bits of an address that count together → how many times the limit of the smallest (P): whoever rents a server has the rest of a /24 or
/48, a tunnel broker gives away a /40 in /48s, and a provider of the country has a /32 or a few /16."""
KNOWN = {4: 24, 6: 40}
"""Bits of the network that is never refused when it has sent nothing today (P)."""
FORGET_S = 1.0
"""Seconds between two looks for what is over (ours)."""
FROM_ONE_PLACE = 20
"""Referrals of one place in an hour (P): a school shares one address, and so do customers of a mobile network."""
IN_A_CROWD = 3
"""Referrals of one place in an hour, once one of the next two counts is reached (P): a report, and one or two more."""
CROWD_FOR_ONE = 40
"""Referrals for one municipality in an hour from which on they are a crowd (P): more than a desk can call back."""
CROWD_IN_ALL = 120
"""Referrals in an hour from which on they are a crowd (P): more than the country has trafficking cases in a year."""
FOR_ONE_MUNICIPALITY = 100
"""Referrals for one municipality in an hour above which they are short (P): four pages of the desk's list."""
SHORT_BYTES = 2 * 1024
"""Bytes of a report in short form (P): a page, enough to see whom to call back."""
SHORT_TIMES = 2
"""A place is refused at so many times its limit (P): the first half is whole, the second short."""
STORED = 75_000
"""Most bytes of the database that one of them takes: 67,900 measured where 113 were taken, each of a child in danger, which police and
social workers on duty are asked about too (tests/integration/line/test_public_flood.py), and a tenth more."""
IN_ALL = 600
"""Referrals in an hour above which only networks are heard that have sent nothing today (P). With STORED that is 1.1 gigabytes a day."""
REFUSED = Counter("referral_public_refused", "Reports of the public page that were above a limit and were not stored.")
# Worry when it grows: somebody floods the page, and whoever shares the sender's network is told to telephone.
SHORT = Counter("referral_public_short", "Reports of the public page of which only the beginning was stored: they came in a crowd.")
# Worry when it grows: somebody floods the page. The desk's list has them last.


class Verdict(Enum):
    """The part of a report that is stored."""

    WHOLE = auto()
    SHORT = auto()
    REFUSED = auto()


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
        self._today: dict[str, float] = {}
        self._next = 0.0

    def verdict(self, address: str, municipality: str) -> Verdict:
        """Return how much of a further referral from this address, for this municipality, is stored."""
        now = self._tick()
        self._forget(now)
        first = known(address) not in self._today
        crowd = self._full(("for", municipality), CROWD_FOR_ONE) or self._full(_ALL, CROWD_IN_ALL)
        most = IN_A_CROWD if crowd else FROM_ONE_PLACE
        around = places(address)
        if not first and (self._full(_ALL, IN_ALL) or any(self._full(("place", p), SHORT_TIMES * n * most) for p, n in around.items())):
            REFUSED.inc()
            return Verdict.REFUSED
        many = self._full(_ALL, IN_ALL) if first else self._full(("for", municipality), FOR_ONE_MUNICIPALITY)
        if many or any(self._full(("place", p), n * most) for p, n in around.items()):
            SHORT.inc()
            return Verdict.SHORT
        return Verdict.WHOLE

    def took(self, address: str, municipality: str) -> None:
        """Count a referral that was accepted."""
        now = self._tick()
        for name in (*(("place", place) for place in places(address)), ("for", municipality), _ALL):
            if name not in self._windows:
                self._windows[name] = Window(1 - self._draw() / 2, deque())
            self._windows[name].times.append(now)
        self._today[known(address)] = now

    def _forget(self, now: float) -> None:
        """Forget what is over, at most once in FORGET_S: a flood from everywhere would make each look long."""
        if now < self._next:
            return
        self._next = now + FORGET_S
        for name in [name for name, window in self._windows.items() if not window.count(now)]:
            del self._windows[name]
        self._today = {network: at for network, at in self._today.items() if at > now - DAY_S}

    def _full(self, name: tuple[str, str], most: int) -> bool:
        window = self._windows.get(name)
        return window is not None and window.count(self._tick()) >= window.share * most


_ALL = ("all", "")


def places(address: str) -> dict[str, int]:
    """Return the networks around an address, the smallest first → how many times the limit of the smallest each may send. All that is no
    address is one place: nobody gains by writing nonsense."""
    parsed = _parsed(address)
    if parsed is None:
        return {"": 1}
    return {str(ip_network((parsed, bits), strict=False)): times for bits, times in PREFIXES[parsed.version].items()}


def known(address: str) -> str:
    """Return the network of an address that is always heard when it has sent nothing today."""
    parsed = _parsed(address)
    return "" if parsed is None else str(ip_network((parsed, KNOWN[parsed.version]), strict=False))


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return parsed.ipv4_mapped if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None else parsed
