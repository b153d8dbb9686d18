"""Rules of signing in, without SQL or clock: password check, session lifetime, and limits on failed attempts.

Times are microseconds UTC. Every limit below is ours (P) unless it names another source.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network

from argon2.exceptions import InvalidHashError, VerificationError

from referral.domain.durations import SECOND_US
from referral.runtime import passwords

IDLE_US = 60 * 60 * SECOND_US
"""A session ends after an hour without a page. An officer on night duty opens pages more often than that; a lost phone does not."""
ABSOLUTE_US = 13 * 60 * 60 * SECOND_US
"""A session ends after one shift of twelve hours and its handover, however busy it was."""
WINDOW_US = 15 * 60 * SECOND_US
"""Failures older than this do not count."""
PAIR_LIMIT = 5
"""Failures of one login from one address, after which that address is refused for this login. Other addresses are not refused: nobody locks
an officer out by guessing."""
ADDRESS_LIMIT = 50
"""Failures from one address, after which it is refused. An agency's staff often share one address, so the limit is wide."""
SLOW_AFTER = 5
"""Failures of one login from all addresses, after which its attempts wait in one line."""
GAP_US = 2 * SECOND_US
"""Time between two passwords of one line: however many addresses a guesser has, 1,800 attempts an hour are checked, against twelve
characters."""
LINE_MOST = 20
"""Attempts of one login that wait in its line. One more from a browser that we do not know is refused, so that no page waits longer than a
proxy does (nginx: 60 s)."""
LINE_US = LINE_MOST * GAP_US
SPRAYED = 50
"""Logins that were refused within WINDOW_US, from whatever addresses, from which on somebody tries one password at many of them."""
DEVICE_US = 90 * 24 * 60 * 60 * SECOND_US
"""Time for which a browser stays known after a person signed in with it: guesses from elsewhere neither slow nor refuse that browser."""
PREFIX_V6, SITE_V6 = 64, 48
"""Bits of an IPv6 address that one subscriber holds, and one site (RFC 6177): whoever has a site has 65,536 subscribers' networks."""
SITE_TIMES = 4
"""Failures from one site, as a multiple of those from one address: a provider's homes may share it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The keys under which failures are counted. All are digests: the table holds neither a name nor an address.

    site_pair, site: of the IPv6 site around the address; empty for other addresses.
    known: the caller is known already (a browser or a session of the login): it does not wait in the login's line.
    """

    pair: bytes
    login: bytes
    address: bytes
    site_pair: bytes = b""
    site: bytes = b""
    known: bool = False

    @property
    def place(self) -> str:
        """Return the part of the address's keyed digest that is logged: enough to tell two addresses apart."""
        return self.address.hex()[:12]

    @property
    def counted(self) -> dict[str, bytes]:
        """Return the kinds of failures, and the digest under which each is counted."""
        kinds = {"pair": self.pair, "login": self.login, "address": self.address, "site-pair": self.site_pair, "site": self.site}
        return {kind: digest for kind, digest in kinds.items() if digest}


@dataclass(frozen=True, slots=True)
class Failures:
    """Times of the failures inside the window, each in any order. login: from all addresses; these make a line and never refuse."""

    pair: tuple[int, ...] = ()
    login: tuple[int, ...] = ()
    address: tuple[int, ...] = ()
    site_pair: tuple[int, ...] = ()
    site: tuple[int, ...] = ()


def matches(stored: str | None, password: str) -> bool:
    """Return True if this is the password. stored None (no such account): do the same work, then return False, so that the time reveals
    nothing."""
    try:
        if len(password) > passwords.PASSWORD_MAX:  # no account has one so long; never check a part of it
            stored, password = None, ""
        return passwords.hasher().verify(stored or _nobody(), passwords.composed(password)) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return passwords.hashed("no account has this password, and none can sign in with it")


def wait(failures: Failures, now: int) -> int:
    """Return the seconds until this attempt is allowed; 0 when it is allowed at once."""
    limits = (
        (failures.pair, PAIR_LIMIT),
        (failures.address, ADDRESS_LIMIT),
        (failures.site_pair, PAIR_LIMIT * SITE_TIMES),
        (failures.site, ADDRESS_LIMIT * SITE_TIMES),
    )
    return max(_wait(times, limit, now) for times, limit in limits)


def turn(failures: Failures, free_at: int, now: int) -> tuple[int, int]:
    """Return when the password of this attempt is checked, and from when on that of the next one. free_at: the latter, of the attempt
    before."""
    recent = 1 + sum(at > now - WINDOW_US for at in failures.login)
    at = max(now, free_at)
    return at, at + GAP_US if recent >= SLOW_AFTER or at > now else at


def refused(at: int, now: int) -> int:
    """Return the seconds for which an attempt with this turn is refused, because the line before it is full; 0: it may wait."""
    return max(0, -((now + LINE_US - at) // SECOND_US))


def network(address: str) -> str:
    """Return the part of an address that counts as one: the whole of IPv4, the subscriber's part of IPv6."""
    return _within(address, PREFIX_V6) or _plain(address)


def site(address: str) -> str:
    """Return the site of an IPv6 address; empty for another."""
    return _within(address, SITE_V6)


def _within(address: str, prefix: int) -> str:
    """Return the network of an IPv6 address; empty for another."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, prefix), strict=False))
    return ""


def _plain(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def _wait(times: Iterable[int], limit: int, now: int) -> int:
    recent = sorted(at for at in times if at > now - WINDOW_US)
    if len(recent) < limit:
        return 0
    free_at = recent[-limit] + WINDOW_US
    return max(1, -((now - free_at) // SECOND_US))


def alive(created_at: int, seen_at: int, now: int) -> bool:
    """Return True if a session is inside both limits."""
    return now - created_at < ABSOLUTE_US and now - seen_at < IDLE_US


def rests(created_at: int, now: int) -> bool:
    """Return True if a session that is not alive ended by rest alone: the shift in which its owner signed in goes on."""
    return now - created_at < ABSOLUTE_US


def form_token(token: str) -> str:
    """Return the CSRF token of every form of a visit: only a page that we wrote for the owner of the cookie contains it."""
    return hmac.new(token.encode(), b"referral form", "sha256").hexdigest()


def seen_mark(seal: bytes, seen_at: int) -> str:
    """Return the time at which the owner of a session last saw a page, with its MAC, for the cookie: so reading a page writes no row. seal:
    the session's secret."""
    mac = hmac.new(seal, f"seen {seen_at}".encode(), "sha256").hexdigest()
    return f"{seen_at}-{mac}"


def seen_at(seal: bytes, mark: str) -> int | None:
    """Return the time in a mark; None when we did not write the mark."""
    text, _, _ = mark.partition("-")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        return None
    return int(text) if hmac.compare_digest(seen_mark(seal, int(text)), mark) else None


def same(first: str, second: str) -> bool:
    """Return True for equal texts, in the same time wherever they differ."""
    return hmac.compare_digest(first.encode(), second.encode())
