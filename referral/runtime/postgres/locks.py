"""Locks by which transactions take turns: each is held until its transaction ends, and guarded by the rights on a table.

An advisory lock is guarded by none: whoever may take one takes any number of them, and keeps everybody waiting (decision 0068).
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PREPARE = 7_236_541
"""Number of the one advisory lock, which the administrator alone may take (arbitrary, ours): before `prepare` there is no table."""
TURNS = 256
"""Rows of intake.turn (ours): two logins that share one wait a few milliseconds for each other."""
_PREPARE = text(f"SELECT pg_advisory_xact_lock({PREPARE})")
# Locks of a table are granted in order. Of a row, one sharer after another would pass a change that waits.
_SHARED = text("LOCK TABLE notifier.turn IN ROW SHARE MODE")
_ALONE = text("LOCK TABLE notifier.turn IN EXCLUSIVE MODE")
_SIGN_IN = text("SELECT id FROM intake.turn WHERE id = :id FOR UPDATE")
_WORD = text("LOCK TABLE audit.act IN SHARE UPDATE EXCLUSIVE MODE")


async def prepare(tx: AsyncConnection) -> None:
    """Keep two runs of `referral prepare` in one database apart."""
    await tx.execute(_PREPARE)


async def share_roster(tx: AsyncConnection) -> None:
    """Wait until nobody changes the roster, and let nobody change it meanwhile: a batch of the notifier and a change miss nothing."""
    await tx.execute(_SHARED)


async def change_roster(tx: AsyncConnection) -> None:
    """Wait until no batch of the notifier and no other change goes on, and let none begin."""
    await tx.execute(_ALONE)


async def sign_in(tx: AsyncConnection, login: bytes) -> None:
    """Keep attempts to sign in with one login apart, so that they are counted one by one. login: its digest."""
    await tx.execute(_SIGN_IN, {"id": login[0] % TURNS})


async def use_word(tx: AsyncConnection) -> None:
    """Keep two acts on one second operator's word apart. Acts are written and read meanwhile."""
    await tx.execute(_WORD)
