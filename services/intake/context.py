"""Dependencies of every entry point (door) of intake: the database, the keys, the policy in force and the source of ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.errors import Unavailable
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import database
from referral.runtime.security_journal import Journal
from referral.wire.signed.erasure_approval import Approvers
from services.intake.crowd import Crowd, FullLines
from services.intake.policy_view import Lists

T = TypeVar("T")
STRANGERS = 2
"""Most connections, of the pool of eight, that callers without a known token or session hold (ours): a lookup takes a millisecond, and the
other six are for known callers."""
ANSWER_S = 4.5
"""Seconds that an entry point waits for the database: the caller gets an answer within the 5 s of DESIGN §8."""


@dataclass(frozen=True, slots=True)
class IntakeContext:
    """The dependencies of an entry point.

    engine: the database.
    keys: the key of each case, and keyed digests.
    lists: returns the code lists of the policy in force. Unavailable: no policy is in force yet.
    new_id: returns a random uuid as text.
    seconds: returns the true Unix time, with which the clocks of agencies' systems are compared; a drill does not move it.
    key: intake's own signing key, for receipts and erasures.
    log: HTTP client of audit; None where this stack has none.
    authority: host by which agencies reach this service over https; empty in a trial.
    notifier: HTTP client of the notifier; None where this stack does not name it.
    crowd: counts the recent referrals of each agency.
    approvers: those whose signatures an erasure needs; none where `trust.toml` puts them off.
    lanes: limits the connections that unknown callers hold at once.
    full_lines: logins whose line was full a moment ago.
    journal: collects security events.
    """

    engine: AsyncEngine
    keys: Keys
    lists: Callable[[], Lists]
    new_id: Callable[[], str]
    seconds: Callable[[], int]
    key: Ed25519PrivateKey
    log: httpx.AsyncClient | None = None
    authority: str = ""
    notifier: httpx.AsyncClient | None = None
    crowd: Crowd = field(default_factory=lambda: Crowd(tick))
    approvers: Approvers = field(default_factory=dict)
    lanes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STRANGERS))
    full_lines: FullLines = field(default_factory=FullLines)
    journal: Journal = field(default_factory=lambda: Journal("intake"))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open one transaction. Unavailable: the database is away, or could not commit; assume that nothing is stored."""
        try:
            async with self.engine.begin() as tx:
                yield tx
        except Exception as error:
            if database.away(error) or _clash(error):
                raise Unavailable("the database") from error
            raise

    @asynccontextmanager
    async def stranger(self) -> AsyncIterator[AsyncConnection]:
        """Open one transaction for a caller who is not identified yet: all of these together hold at most STRANGERS connections."""
        async with self.lanes, self.begin() as tx:
            yield tx


def tick() -> float:
    """Return seconds of a monotonic clock."""
    return asyncio.get_running_loop().time()


def _clash(error: Exception) -> bool:
    """Return True for two transactions that conflict (SQLSTATE class 40): the caller may repeat the same request."""
    state: Any = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(error, DBAPIError) and str(state).startswith("40")


async def in_time(work: Awaitable[T], within: float = ANSWER_S) -> T:
    """Return the result of `work`. Unavailable: it took longer than `within` seconds; a server that hangs is not waited for, and neither is
    the cancelled work."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=within)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        raise Unavailable("the database")
    return task.result()
