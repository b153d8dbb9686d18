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

from referral.runtime import passwords

SECOND_US = 1_000_000
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
"""Failures of one login from all addresses, after which each further attempt of it waits."""
SLOWEST_S = 2.0
"""Seconds of the longest such wait: a guesser with many addresses has 1,800 attempts an hour, against twelve characters; an officer is
never refused."""
DEVICE_US = 90 * 24 * 60 * 60 * SECOND_US
"""Time for which a browser stays known after a person signed in with it: guesses from elsewhere neither slow nor refuse that browser."""
PREFIX_V6 = 64
"""Bits of an IPv6 address that one subscriber holds (RFC 6177): the subscriber controls all addresses behind them."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The keys under which failures are counted. All are digests: the table holds neither a name nor an address."""

    pair: bytes
    login: bytes
    address: bytes

    @property
    def place(self) -> str:
        """Return the part of the address's keyed digest that is logged: enough to tell two addresses apart."""
        return self.address.hex()[:12]


@dataclass(frozen=True, slots=True)
class Failures:
    """Times of the failures inside the window, each in any order. login: from all addresses; these slow an attempt and never refuse it."""

    pair: tuple[int, ...] = ()
    login: tuple[int, ...] = ()
    address: tuple[int, ...] = ()


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
    return max(_wait(failures.pair, PAIR_LIMIT, now), _wait(failures.address, ADDRESS_LIMIT, now))


def delay(failures: Failures, now: int) -> float:
    """Return the seconds that an attempt waits before its password is checked: they double with each failure of the login, up to
    SLOWEST_S."""
    recent = sum(at > now - WINDOW_US for at in failures.login)
    return 0.0 if recent < SLOW_AFTER else min(SLOWEST_S, 0.125 * 2 ** min(recent - SLOW_AFTER, 10))


def network(address: str) -> str:
    """Return the part of an address that counts as one: the whole of IPv4, the subscriber's part of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, PREFIX_V6), strict=False))
    return str(parsed)


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
