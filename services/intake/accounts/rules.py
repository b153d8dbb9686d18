"""Rules of signing in, without SQL or clock: how a password is kept, when a session ends, when the door slows a guesser down.

Times are microseconds UTC. Every limit below is ours (P) unless it names another source.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network

from argon2.exceptions import InvalidHashError, VerificationError

from referral.runtime import passwords

SECOND_US = 1_000_000
IDLE_US = 60 * 60 * SECOND_US
"""A session ends after an hour without a page. An officer on night duty looks more often than that; a lost phone does not."""
ABSOLUTE_US = 13 * 60 * 60 * SECOND_US
"""A session ends after one shift of twelve hours and its handover, however busy it was."""
WINDOW_US = 15 * 60 * SECOND_US
"""Failures older than this are forgotten."""
PAIR_LIMIT = 5
"""Failures of one login from one address. Another address is not refused: nobody locks an officer out by guessing."""
ADDRESS_LIMIT = 50
"""Failures from one address. An agency's staff often share one, so this is wide."""
SLOW_AFTER = 5
"""Failures of one login from everywhere, after which each further try of it waits."""
SLOWEST_S = 2.0
"""The longest such wait: a guesser with many addresses has 1,800 tries an hour, against twelve characters; an officer is never refused."""
DEVICE_US = 90 * 24 * 60 * 60 * SECOND_US
"""A browser in which somebody has signed in is known for so long: guesses from elsewhere neither slow nor refuse it."""
PREFIX_V6 = 64
"""Bits of an IPv6 address that one subscriber holds (RFC 6177): whoever has them has all addresses behind them."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What failures are counted under. Both are digests: the table holds neither a name nor an address."""

    pair: bytes
    login: bytes
    address: bytes

    @property
    def place(self) -> str:
        """Return what a log line keeps of the address: enough of its keyed digest to tell two apart."""
        return self.address.hex()[:12]


@dataclass(frozen=True, slots=True)
class Failures:
    """Times of the failures still in the window, each list in any order. login: from everywhere; it slows and never refuses."""

    pair: tuple[int, ...] = ()
    login: tuple[int, ...] = ()
    address: tuple[int, ...] = ()


def matches(stored: str | None, password: str) -> bool:
    """Whether this is the password. stored None (no such account): the same work, then False, so that time tells nothing."""
    try:
        if len(password) > passwords.PASSWORD_MAX:  # nobody has one so long, and a part of it is another password
            stored, password = None, ""
        return passwords.hasher().verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return passwords.hashed("no account has this password, and none can sign in with it")


def wait(failures: Failures, now: int) -> int:
    """Seconds until this sign-in may be tried; 0 when it may be tried at once."""
    return max(_wait(failures.pair, PAIR_LIMIT, now), _wait(failures.address, ADDRESS_LIMIT, now))


def delay(failures: Failures, now: int) -> float:
    """Seconds that a try waits before its password is looked at: it doubles with each failure of the login, up to SLOWEST_S."""
    recent = sum(at > now - WINDOW_US for at in failures.login)
    return 0.0 if recent < SLOW_AFTER else min(SLOWEST_S, 0.125 * 2 ** min(recent - SLOW_AFTER, 10))


def network(address: str) -> str:
    """Return what counts as one address: IPv4 whole, of IPv6 the subscriber's part."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((found, PREFIX_V6), strict=False))
    return str(found)


def _wait(times: Iterable[int], limit: int, now: int) -> int:
    recent = sorted(at for at in times if at > now - WINDOW_US)
    if len(recent) < limit:
        return 0
    free_at = recent[-limit] + WINDOW_US
    return max(1, -((now - free_at) // SECOND_US))


def alive(created_at: int, seen_at: int, now: int) -> bool:
    """Whether a session still stands: inside both limits."""
    return now - created_at < ABSOLUTE_US and now - seen_at < IDLE_US


def token_digest(token: str) -> bytes:
    """What table intake.session keeps of a cookie; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def form_token(token: str) -> str:
    """The CSRF token of every form of a visit: only a page that we wrote for the owner of the cookie knows it."""
    return hmac.new(token.encode(), b"referral form", "sha256").hexdigest()


def seen_mark(seal: bytes, seen_at: int) -> str:
    """When the owner of a session last saw a page, as its cookie carries it: reading a page writes nothing. seal: the session's secret."""
    mac = hmac.new(seal, f"seen {seen_at}".encode(), "sha256").hexdigest()
    return f"{seen_at}-{mac}"


def seen_at(seal: bytes, mark: str) -> int | None:
    """What a mark says, or None when we did not write it."""
    text, _, _ = mark.partition("-")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        return None
    return int(text) if hmac.compare_digest(seen_mark(seal, int(text)), mark) else None


def same(one: str, other: str) -> bool:
    """Equality that takes the same time wherever they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
