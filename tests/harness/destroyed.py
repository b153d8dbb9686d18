"""Cases as the eraser leaves them after its day, for tests that need none of its steps."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.eraser import store

KEYS = text("DELETE FROM keys.case_key WHERE case_id = ANY(CAST(:ids AS text[]))")


async def at_once(tx: AsyncConnection, cases: Iterable[str]) -> None:
    """Destroy keys and rows of these cases. tx: the administrator's."""
    ids = {"ids": list(cases)}
    for sql in (KEYS, *store._GONE, *store._DONE):
        await tx.execute(sql, ids)
