"""Keep an administrator's act for the log: the row is written in the transaction of the change, and audit appends it within a second."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PUT = text("INSERT INTO audit.act (value) VALUES (:value) RETURNING pg_notify('audit_reading', '')")
THERE = text("SELECT to_regclass('audit.act') IS NOT NULL")

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
