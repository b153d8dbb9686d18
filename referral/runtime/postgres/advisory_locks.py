"""Advisory locks of PostgreSQL: their numbers in one place, so that no two are equal. Each is held until its transaction ends."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PREPARE = 7_236_541
"""Keeps two runs of `referral prepare` apart (arbitrary, ours)."""
ROSTER = 7_236_542
"""A batch of the notifier takes it shared, a change of the roster exclusively, so that neither misses the other (arbitrary, ours)."""
ACT = 7_236_543
"""Keeps two acts on one second operator's word apart (arbitrary, ours)."""
SIGN_IN_SEED = 7
"""Seed of the hash that makes a login the number of its lock: attempts to sign in with one login are counted one by one (ours)."""
_EXCLUSIVE = text("SELECT pg_advisory_xact_lock(:lock)")
_SHARED = text("SELECT pg_advisory_xact_lock_shared(:lock)")
_SIGN_IN = text(f"SELECT pg_advisory_xact_lock(hashtextextended(encode(:login, 'hex'), {SIGN_IN_SEED}))")


async def exclusive(tx: AsyncConnection, lock: int) -> None:
    """Wait until nobody else holds the lock, then take it."""
    await tx.execute(_EXCLUSIVE, {"lock": lock})


async def shared(tx: AsyncConnection, lock: int) -> None:
    """Wait until nobody holds the lock exclusively, then take it beside other sharers."""
    await tx.execute(_SHARED, {"lock": lock})


async def sign_in(tx: AsyncConnection, login: bytes) -> None:
    """Take the lock of one login exclusively. login: its digest."""
    await tx.execute(_SIGN_IN, {"login": login})
