"""Read the releases of figures that oversight has published."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.wire.figure_release import Published, opened

OUT = text(
    "SELECT number, made, figures, published_at FROM oversight.release"
    " WHERE published_at IS NOT NULL AND number <> ALL(CAST(:known AS int[])) ORDER BY number"
)


BEGINS = "oversight-begins"
"""A row of runtime.settings: somebody said that no release was ever made. It is lost with the database, so it allows this once."""


async def published(tx: AsyncConnection, known: Iterable[int] = ()) -> list[Published]:
    """Every release that is out but these, by number. Malformed: a row is not what was written."""
    rows = await tx.execute(OUT, {"known": list(known)})
    return [opened(row.number, bytes(row.made), bytes(row.figures), row.published_at) for row in rows]
