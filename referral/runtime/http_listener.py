"""Accept connections within limits: refuse those of whoever comes too often, count the others from the first packet on, and end those of
whoever holds the most.

A connection that has said nothing costs its client nothing, and a server one of its files. So strangers are counted by network, and
whoever has shown a certificate or a session is counted apart: a ministry behind one address is not locked out by its neighbour.

Limits of what is *held* do not bound how *often* somebody comes: a thousand connections a second, or 130 pages a second by one copied
cookie, stopped a line that kept every limit. So each network, address, session and system has so many a second, too.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import socket
import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from time import monotonic
from typing import Any

from referral.ca.names import Plane
from referral.runtime import observe
from referral.runtime.http_message import PROBLEM, document

CONNECTIONS = 512
"""Connections of one server, from their first packet on (ours): half of the 1,024 files that a process may open by default, and the inner
server of the same process has few. Each agency uses a few."""
NETWORK = 64
"""Connections that strangers of one network may hold (ours): an office behind one address that reads a public page at once."""
HOLDER = 64
"""Connections that one holder of a certificate, or one account, may hold (ours): one system's pool; httpx and Java keep fewer."""
IPV4_NETWORK, IPV6_NETWORK = 24, 48
"""Prefixes that count as one network: the smallest that are routed between providers; whoever rents one has all of its addresses."""
IPV4_SUBSCRIBER, IPV6_SUBSCRIBER = 32, 64
"""Prefixes that count as one subscriber: what a provider gives to one connection."""
TURN = 32
"""Connections that are accepted before the event loop turns (ours): those that were ended meanwhile give their files back then."""
STRANGERS = "network "
"""Begins the group of whoever has shown nothing; no holder's name has a space."""
PROXY = "proxy"
"""The group of a proxy that ends TLS, and of everybody without TLS of ours: one connection speaks for many."""
OURS = (PROXY, f"{Plane.SERVICES.value}/", f"{Plane.OPERATORS.value}/")
"""Begin the groups whose requests are not counted: a proxy's are those of many, and ours are the line's work."""
AGENCIES = f"{Plane.AGENCIES.value}/"
SENDS = "/v1/"
"""Path below which an agency's system sends: `services.intake.crowd` bounds that by what it is."""
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER of a connection that is not taken: it is reset, and leaves nothing behind."""
HTTPS_ONLY = document(
    400, "https-only", "this port speaks https: write https:// instead of http://, and trust this line's authority (curl: --cacert FILE)"
)
IN_CLEAR = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: %b\r\ncontent-length: %d\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n%b"
    % (PROBLEM.encode(), len(HTTPS_ONLY), HTTPS_ONLY)
)
"""The whole answer to a request in clear at a port that speaks TLS: made before anybody asks, so it holds no data."""
METHOD = range(ord("A"), ord("Z") + 1)
"""First bytes of a request in clear; a record of TLS begins with 20 to 23."""
UNREAD = 1 << 16
"""Bytes that are thrown away after that answer (ours): a connection that is closed with bytes unread is reset, and the answer lost."""
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


class Slot:
    """The place of one open connection among those of its server.

    address: of its client. group: who is counted: a network of strangers, or a holder. abort: ends it at once.
    idle_since: when it last became idle; infinite while a request is answered.
    """

    def __init__(self, address: str, group: str, at: float, abort: Callable[[], None]) -> None:
        self.address, self.group, self.idle_since, self.abort = address, group, at, abort


class Slots:
    """The open connections of one server."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[Slot, None]] = defaultdict(dict)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def take(self, slot: Slot) -> None:
        """Count a connection, and end those that are too many: of its own group first, then of the group that holds the most."""
        self._groups[slot.group][slot] = None
        self._count += 1
        self._settle(slot.group)
        if self._count > CONNECTIONS:
            self._end_one(max(self._groups, key=lambda group: len(self._groups[group])))

    def give_back(self, slot: Slot) -> None:
        """Count a connection no longer. One that was ended is not counted already."""
        members = self._groups.get(slot.group, {})
        if slot in members:
            del members[slot]
            self._count -= 1
        if not members:
            self._groups.pop(slot.group, None)

    def move(self, slot: Slot, holder: str) -> None:
        """Count a connection for whoever it has shown: a certificate's holder or an account."""
        if slot.group != holder and slot in self._groups.get(slot.group, {}):
            self.give_back(slot)
            slot.group = holder
            self._groups[holder][slot] = None
            self._count += 1
            self._settle(holder)

    def _settle(self, group: str) -> None:
        most = CONNECTIONS if group == PROXY else NETWORK if group.startswith(STRANGERS) else HOLDER
        if len(self._groups[group]) > most:
            self._end_one(group)

    def _end_one(self, group: str) -> None:
        """End the connection that has been idle the longest, of the address that holds the most."""
        members = self._groups[group]
        held = Counter(slot.address for slot in members)
        gone = min(members, key=lambda slot: (math.isinf(slot.idle_since), -held[slot.address], slot.idle_since))
        self.give_back(gone)
        gone.abort()


def network(address: str) -> str:
    """Return the group of a stranger's address. One that is none, as of a socket of this machine, is a network by itself."""
    return STRANGERS + _within(address, IPV4_NETWORK, IPV6_NETWORK)


def subscriber(address: str) -> str:
    """Return whose an address is. Whoever has one of IPv6 has all of its network's, and would be known at each."""
    return _within(address, IPV4_SUBSCRIBER, IPV6_SUBSCRIBER)


def _within(address: str, ipv4: int, ipv6: int) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, ipv4 if found.version == 4 else ipv6), strict=False))


class Place:
    """The place of one connection at its listener, as its requests know it."""

    def __init__(self, listener: Listener, slot: Slot) -> None:
        self._listener, self._slot = listener, slot

    def show(self, holder: str) -> None:
        """Count the connection for whoever it has shown: a certificate's holder, an account or an office."""
        if self._slot.group != PROXY:
            self._listener.arrivals.show(subscriber(self._slot.address), monotonic())
            self._listener.slots.move(self._slot, holder)

    def ask(self, method: str, path: str) -> float:
        """Count a request, whatever session it may show. Return 0; or the seconds until its network or its agency may ask again."""
        group = self._slot.group
        if group.startswith(OURS):
            return 0.0
        if group.startswith(AGENCIES):
            sends = method == "POST" and path.startswith(SENDS)
            return 0.0 if sends else self._listener.asked.take(group, SYSTEM_READS_S, monotonic())
        # Whoever has shown a session may send requests without it on the same connection.
        key = group if group.startswith(STRANGERS) else f"{group} {network(self._slot.address)}"
        return self._listener.asked.take(key, STRANGERS_ASK_S, monotonic())

    def use(self, session: str) -> float:
        """Count a request of a session. Return 0; or the seconds until it may ask again."""
        return self._listener.asked.take(session, SESSION_ASKS_S, monotonic())


class Listener(socket.socket):
    """A listening socket that counts what it accepts.

    speaks_tls: what it accepts is handed to TLS, which a request in clear never reaches.
    proxy: the address of a proxy, behind which everybody is: its connections are limited all together alone.
    """

    speaks_tls = False
    proxy = ""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.slots, self.arrivals, self.asked = Slots(), Arrivals(), Allowances()
        self._by_peer: dict[Any, Slot] = {}
        self._accepted_in_turn = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection. BlockingIOError: none waits, or the event loop must turn first."""
        made, peer, group = self._next()
        while group != PROXY and not self.arrivals.admit(subscriber(str(peer[0])), group, monotonic()):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            made.close()
            observe.TURNED_AWAY.labels("connection").inc()
            made, peer, group = self._next()
        accepted = _Accepted(fileno=made.detach())
        accepted.speaks_tls = self.speaks_tls
        slot = Slot(str(peer[0]) if isinstance(peer, tuple) else "", group, monotonic(), accepted.cut)
        self._by_peer[peer] = slot
        accepted.on_close = lambda: self._forget(peer, slot)
        self.slots.take(slot)
        return accepted, peer

    def _next(self) -> tuple[socket.socket, Any, str]:
        """Return the next connection that waits, with its group. BlockingIOError: as `accept`."""
        if self._accepted_in_turn >= TURN:
            self._accepted_in_turn = 0
            raise BlockingIOError
        try:
            made, peer = super().accept()
        except BlockingIOError:
            self._accepted_in_turn = 0
            raise
        self._accepted_in_turn += 1
        # Without TLS of ours only this machine or a proxy connects, and speaks for many.
        stranger = self.speaks_tls and isinstance(peer, tuple) and peer[0] != self.proxy
        return made, peer, network(str(peer[0])) if stranger else PROXY

    def slot(self, peer: Any) -> Slot | None:
        """Return the slot of a connection by the address and port of its client; None: it was not accepted here."""
        return self._by_peer.get(peer)

    def _forget(self, peer: Any, slot: Slot) -> None:
        self.slots.give_back(slot)
        if self._by_peer.get(peer) is slot:
            del self._by_peer[peer]


class _Accepted(socket.socket):
    """An accepted connection. At a port that speaks TLS, its first byte is looked at as TLS reads it."""

    speaks_tls = False
    on_close: Callable[[], None] | None = None
    _known = False

    def cut(self) -> None:
        """End the connection before anybody speaks for it: whoever reads next finds its end."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close, and give the slot back."""
        if self.on_close is not None:
            self.on_close()
            self.on_close = None
        super().close()

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Read. A request in clear is refused in words, and its connection looks ended to TLS."""
        size = super().recv_into(buffer, nbytes, flags)
        if not self.speaks_tls or self._known or not size or memoryview(buffer)[0] not in METHOD:
            self._known = self._known or size > 0
            return size
        self._known = True
        left = UNREAD
        with contextlib.suppress(OSError):  # the client is gone, or has sent no more
            self.send(IN_CLEAR)
            self.shutdown(socket.SHUT_WR)
            while left > 0 and (gone := len(self.recv(min(left, 4096)))):
                left -= gone
        return 0


def listen(host: str, port: int) -> Listener:
    """Bind a socket before anything starts, so that a taken port fails at once and a free one can be printed. OSError: taken."""
    bound = Listener(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound
