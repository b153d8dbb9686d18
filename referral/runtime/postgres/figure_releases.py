"""Read the figure releases that oversight has published."""

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
"""Name of a row of runtime.settings: an operator declared that no release was ever made. A lost database loses it, so it works once."""


async def published(tx: AsyncConnection, known: Iterable[int] = ()) -> list[Published]:
    """Return the published releases by number. known: numbers to leave out. Malformed: a row was changed."""
    rows = await tx.execute(OUT, {"known": list(known)})
    return [opened(row.number, bytes(row.made), bytes(row.figures), row.published_at) for row in rows]
