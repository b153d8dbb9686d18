"""Store releases as rows: each written whole, in one transaction, before it is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import FigureReleased, ReleaseMade
from referral.runtime.loop.units import Place
from referral.runtime.postgres.figure_releases import BEGINS
from referral.wire import codec
from services.oversight.release import Release

ALL = text("SELECT number, month, made, figures, published_at FROM oversight.release ORDER BY number")
CUT = text('SELECT topic, partition, "offset" FROM oversight.cut WHERE number = :number')
KEEP = text(
    "INSERT INTO oversight.release (number, month, made, figures, published_at) VALUES (:number, :month, :made, :figures, :published_at)"
    " ON CONFLICT (number) DO NOTHING"
)
KEEP_CUT = text(
    "INSERT INTO oversight.cut SELECT CAST(:number AS int), * FROM unnest(CAST(:topics AS text[]),"
    " CAST(:partitions AS int[]), CAST(:offsets AS bigint[]))"
)
BEGUN = text("SELECT count(*) FROM runtime.settings WHERE name = :name")
PUBLISHED = text("UPDATE oversight.release SET published_at = :at WHERE number = :number AND published_at IS NULL")


async def releases(tx: AsyncConnection) -> tuple[list[Release], set[int]]:
    """Return all releases in order, and the numbers of those that are not on the feed yet."""
    rows = (await tx.execute(ALL)).all()
    return [_release(row) for row in rows], {row.number for row in rows if row.published_at is None}


async def cut(tx: AsyncConnection, number: int) -> dict[Place, int]:
    """Return the offset up to which each partition was read for this release; empty if unknown."""
    return {(topic, partition): offset for topic, partition, offset in await tx.execute(CUT, {"number": number})}


async def keep(tx: AsyncConnection, release: Release, read: Mapping[Place, int], published_at: int | None = None) -> bool:
    """Write a release. False: this number is taken. read: offset up to which each partition was read for it."""
    made = release.made
    figures = msgspec.msgpack.encode([codec.encode(figure) for figure in release.figures])
    row = {"number": made.release, "month": made.month, "made": codec.encode(made), "figures": figures, "published_at": published_at}
    if (await tx.execute(KEEP, row)).rowcount == 0:
        return False
    places = list(read)
    at = {"topics": [t for t, _ in places], "partitions": [p for _, p in places], "offsets": [read[place] for place in places]}
    await tx.execute(KEEP_CUT, {"number": made.release, **at})
    return True


async def begun(tx: AsyncConnection) -> bool:
    """Return whether an operator ran `referral oversight begin`: the releases begin now, although months have closed long ago."""
    return bool((await tx.execute(BEGUN, {"name": BEGINS})).scalar_one())


async def published(tx: AsyncConnection, number: int, at: int) -> None:
    """Mark a release as published: all of it is on the feed."""
    await tx.execute(PUBLISHED, {"number": number, "at": at})


def _release(row: Row[Any]) -> Release:
    return Release(
        made=_body(ReleaseMade, row.made),
        figures=tuple(_body(FigureReleased, body) for body in msgspec.msgpack.decode(row.figures, type=list[bytes])),
    )


def _body(kind: type[Any], data: bytes) -> Any:
    return codec.decode(kind.TYPE, codec.fingerprint(kind.TYPE), data)
