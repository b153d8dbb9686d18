"""Allow each network, address, session and system so many connections and requests a second.

Limits of what is *held* do not bound how *often* somebody comes: a thousand connections a second, or 130 pages a second by one copied
cookie, stopped a line that kept every limit. The caller brings the clock, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict

AT_ONCE_S = 10.0
"""Seconds' worth that somebody may take at once (ours): a page with its files, a system that starts, a class that opens one page."""
REMEMBERED = 10_000
"""Allowances, and addresses, that one server remembers (ours, 2 MB); the longest unused one is forgotten, and begins full."""
NETWORK_COMES_S = 8.0
"""Connections a second of one network in which nobody has shown anything (ours): a browser opens one or two, and keeps them."""
ADDRESS_COMES_S = 32.0
"""Connections a second from an address where somebody has shown a certificate or a session (ours): a ministry behind one address, whose
programs open one for each request. So many handshakes take a tenth of a processor."""
SHOWN_FOR_S = 86_400.0
"""Seconds for which an address counts as such a one (ours): a day, so that each shift is known to the next."""
STRANGERS_ASK_S = 30.0
"""Requests a second by the strangers of one network, and by one account there (ours): ten people who load a public page, a telephone
company that reports calls."""
SESSION_ASKS_S = 3.0
"""Pages a second of one session (ours): nobody reads so fast, and a full inbox takes 70 ms. A new sign-in has its own."""
SYSTEM_READS_S = 50.0
"""Requests a second by one agency's certificate that send nothing to its door (ours). What it sends there is bounded by what it is
(`services.intake.crowd`)."""


class Allowances:
    """Remember what each key has left of its rate: a bucket of AT_ONCE_S seconds' worth, which fills all the time."""

    def __init__(self) -> None:
        self._left = OrderedDict[str, tuple[float, float]]()

    def take(self, key: str, a_second: float, at: float) -> float:
        """Take one. Return 0; or the seconds until there is one again, and nothing is taken."""
        left, since = self._left.pop(key, (AT_ONCE_S * a_second, at))
        left = min(AT_ONCE_S * a_second, left + (at - since) * a_second)
        wait = max(0.0, (1 - left) / a_second)
        self._left[key] = (left if wait else left - 1, at)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return wait


class Arrivals:
    """Decide who may open a connection now."""

    def __init__(self) -> None:
        self._allowed, self._shown = Allowances(), OrderedDict[str, float]()

    def admit(self, address: str, network: str, at: float) -> bool:
        """Return whether a connection is taken. An address that has shown something is no part of its network."""
        if at - self._shown.get(address, -SHOWN_FOR_S) < SHOWN_FOR_S:
            return not self._allowed.take(address, ADDRESS_COMES_S, at)
        return not self._allowed.take(network, NETWORK_COMES_S, at)

    def show(self, address: str, at: float) -> None:
        """Remember that somebody at this address has shown a certificate or a session."""
        self._shown.pop(address, None)
        self._shown[address] = at
        if len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
