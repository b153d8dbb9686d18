"""Cache the published releases for the pages."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.postgres import figure_releases
from referral.wire.figure_release import Published


class ReleaseCache:
    """All releases that were read: a release never changes, so each is read once."""

    def __init__(self) -> None:
        self._kept: dict[int, Published] = {}

    async def all(self, tx: AsyncConnection) -> tuple[Published, ...]:
        """Return all releases in the order of their numbers. Malformed: one of them was changed in the database."""
        for published in await figure_releases.published(tx, self._kept):
            self._kept[published.number] = published
        return tuple(published for _, published in sorted(self._kept.items()))
