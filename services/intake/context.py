"""What every door of this service holds: the database, the keys, the policy in force, and where ids come from. Made in wiring."""

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
from services.intake.crowd import Crowd
from services.intake.policy_view import Lists

T = TypeVar("T")
STRANGERS = 2
"""Connections of the doors' pool of eight that strangers hold at most (ours): a look takes a millisecond, and the others are for whoever is
known."""
ANSWER_S = 4.5
"""Longest a door waits for the database: the caller hears of it within the 5 s of DESIGN §8."""


@dataclass(frozen=True, slots=True)
class Door:
    """lists: the policy's words now; Unavailable until a policy is in force. new_id: a random uuid text. seconds: the true Unix time, by
    which the clocks of agencies' systems are compared; a drill does not move it. key: intake's own, which signs receipts and erasures.
    log: to audit's HTTP; None where this stack has none. authority: host by which agencies reach it over https, empty in a trial.
    crowd: how much each agency sent of late. lanes: what strangers may hold of the pool at once."""

    engine: AsyncEngine
    keys: Keys
    lists: Callable[[], Lists]
    new_id: Callable[[], str]
    seconds: Callable[[], int]
    key: Ed25519PrivateKey
    log: httpx.AsyncClient | None = None
    authority: str = ""
    crowd: Crowd = field(default_factory=lambda: Crowd(_tick))
    lanes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STRANGERS))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction. Unavailable: the database is away, or could not commit; nothing is known to be kept."""
        try:
            async with self.engine.begin() as tx:
                yield tx
        except Exception as error:
            if database.away(error) or _clash(error):
                raise Unavailable("the database") from error
            raise

    @asynccontextmanager
    async def stranger(self) -> AsyncIterator[AsyncConnection]:
        """One transaction for somebody whom we do not know yet: of all of these only STRANGERS hold a connection."""
        async with self.lanes, self.begin() as tx:
            yield tx


def _tick() -> float:
    return asyncio.get_running_loop().time()


def _clash(error: Exception) -> bool:
    """Two transactions in each other's way (SQLSTATE class 40): the same again will do."""
    state: Any = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(error, DBAPIError) and str(state).startswith("40")


async def in_time(work: Awaitable[T], within: float = ANSWER_S) -> T:
    """The result, or Unavailable after so many seconds: a hung server is not waited for, nor is the end of the work that it holds up."""
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
