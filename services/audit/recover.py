"""Recover audit after a database restore: it reads on from the position of the copy, and so appends every missing entry again.

`python -m services.audit.recover`, called by `referral recover`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.recovery import recover
from referral.runtime.recovery.topic_snapshot import Tape
from referral.runtime.settings import Settings


async def hook(tx: AsyncConnection, settings: Settings, tapes: AsyncIterator[Tape]) -> dict[str, int]:
    """Restore nothing: entries follow from the topics alone. Return the number of entries in the copy."""
    return {"entries in the copy": (await tx.execute(text("SELECT count(*) FROM audit.entry"))).scalar_one()}


if __name__ == "__main__":
    recover.run("audit", hook)
