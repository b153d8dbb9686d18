"""Add security events to `audit.security`, and look for what nobody has a use for (honey). The database gives time and service."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.random_secret import digest
from referral.wire.security_event import DIGITS, UNKNOWN, Event, Kind

PUT = text("INSERT INTO audit.security (kind, who, detail, place, times) VALUES (:kind, :who, :detail, :place, :times)")
PLANTED = text("SELECT kind FROM audit.honey WHERE digest = :digest AND ended_at IS NULL")


async def put(tx: AsyncConnection, *events: Event) -> None:
    """Add events in the caller's transaction: what they are about and they are there together, or neither is."""
    if events:
        await tx.execute(PUT, [{"kind": e.kind, "who": e.who, "detail": e.detail, "place": e.place, "times": e.times} for e in events])


async def touched(tx: AsyncConnection, bait: str | bytes, who: str = UNKNOWN, place: str = "") -> bool:
    """Return whether a token (as text or digest) or the number of a case is honey, and record then who used it."""
    hash_ = digest(bait) if isinstance(bait, str) else bait
    kind = (await tx.execute(PLANTED, {"digest": hash_})).scalar_one_or_none()
    if kind is None:
        return False
    await put(tx, Event(kind=Kind.HONEY, who=who, detail=f"{kind}-{hash_.hex()[:DIGITS]}", place=place))
    return True
