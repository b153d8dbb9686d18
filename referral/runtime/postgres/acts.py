"""Keep an administrator's act for the log: the row is written in the transaction of the change, and audit appends it within two seconds."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.postgres import locks

PUT = text("INSERT INTO audit.act (value) VALUES (:value)")
THERE = text("SELECT to_regclass('audit.act') IS NOT NULL")
USED = text("SELECT EXISTS (SELECT FROM audit.act WHERE position(CAST(:digest AS bytea) IN value) > 0)")
ANY = text("SELECT EXISTS (SELECT FROM audit.act)")


async def put(tx: AsyncConnection, value: bytes) -> None:
    """Store an act. value: of the ADMINISTRATION entry (referral/proof/act.py)."""
    await tx.execute(PUT, {"value": value})


async def kept(tx: AsyncConnection) -> bool:
    """Return whether this database keeps acts: False before `prepare` has made it, or of an older version."""
    return bool((await tx.execute(THERE)).scalar_one())


async def any_(tx: AsyncConnection) -> bool:
    """Return whether there is an act."""
    return bool((await tx.execute(ANY)).scalar_one())


async def used(tx: AsyncConnection, digest: str) -> bool:
    """Return whether an act has used a second operator's word. Until this transaction ends, no other asks. digest: the word's."""
    await locks.use_word(tx)
    return bool((await tx.execute(USED, {"digest": digest.encode()})).scalar_one())
