"""Look up the readers of the pages, and cache the published releases."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.postgres import figure_releases
from referral.wire.figure_release import Published

READER = text("SELECT name, role FROM oversight.reader WHERE hash = :hash AND ended_at IS NULL")


class Reader(Struct, frozen=True):
    """An office that may read the pages. name: the office in one word. role: committee or adviser."""

    name: str
    role: str


async def reader(tx: AsyncConnection, digest: bytes | None) -> Reader | None:
    """Return the office whose token has this digest; None: the token is unknown or was revoked."""
    row = (await tx.execute(READER, {"hash": digest})).one_or_none()
    return Reader(row.name, row.role) if row else None


class Shelf:
    """Cache of all releases: a release never changes, so each is read once."""

    def __init__(self) -> None:
        self._kept: dict[int, Published] = {}

    async def all(self, tx: AsyncConnection) -> tuple[Published, ...]:
        """Return all releases in the order of their numbers. Malformed: one of them was changed in the database."""
        for published in await figure_releases.published(tx, self._kept):
            self._kept[published.number] = published
        return tuple(published for _, published in sorted(self._kept.items()))
