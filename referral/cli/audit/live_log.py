"""Serve audit's database as an archive: the paths of an export, answered from its rows in one snapshot."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from msgspec import msgpack
from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection
from referral.cli.audit.source import Keys, Opened
from referral.proof import archive
from referral.proof.archive import CHECKPOINT, HEAD, POLICY, Payload
from referral.proof.entry import Kind
from referral.proof.reading import OPERATOR, How, Reading
from referral.proof.scan import COLUMNS
from referral.runtime import settings
from referral.runtime.postgres import database, readings
from referral.runtime.settings import Settings
from referral.tlog import strict_text, tile_layout, tiles
from referral.tlog.merkle import HASH
from referral.tlog.tile_layout import ENTRIES, Tile

T = TypeVar("T")
COSIGNED = text("SELECT cosigned FROM audit.checkpoint WHERE cosigned IS NOT NULL ORDER BY size DESC LIMIT 1")
SIZE = text("SELECT size, root FROM audit.head")
TILE = text("SELECT data FROM audit.tile WHERE level = :level AND number = :number")
ROWS = text("SELECT * FROM audit.entry WHERE idx >= :start AND idx < :end ORDER BY idx")
KEYS = text(
    f"SELECT value FROM audit.entry WHERE kind = '{Kind.KEYS.value}'"  # noqa: S608 (a constant of ours)
    " AND idx < (SELECT coalesce(max(size), 0) FROM audit.checkpoint WHERE cosigned IS NOT NULL) ORDER BY idx DESC LIMIT 1"
)
FIND = {
    "case_id": text("SELECT idx FROM audit.entry WHERE case_id = :word ORDER BY idx"),
    "kind": text("SELECT idx FROM audit.entry WHERE kind IN ('SCHEMA', 'KEYS') AND kind = :word ORDER BY idx"),  # as its index
    "event_id": text("SELECT idx FROM audit.entry WHERE event_id = :word ORDER BY idx"),
}
_BESIDE = re.compile("(payload|columns)/(.*)")


class Rows:
    """One snapshot of the log's tables. ask: runs a coroutine over its connection."""

    def __init__(self, ask: Callable[[Callable[[AsyncConnection], Coroutine[Any, Any, Any]]], Any], found: Settings) -> None:
        self.ask, self.settings = ask, found
        self._held: tuple[int, Sequence[Row[Any]]] = (-1, ())

    def __str__(self) -> str:
        return "the database of audit"

    def read(self, path: str) -> bytes | None:
        """Return the bytes at a path, as `archive.Archive` defines; None where nothing is stored."""
        first, _, word = path.partition("/")
        if path in (CHECKPOINT, POLICY):
            return self._scalar(COSIGNED if path == CHECKPOINT else KEYS)
        if path == HEAD:
            (row,) = self._rows(SIZE)
            return b"%d\n%s\n" % (row.size, strict_text.base64(row.root))
        if first in FIND:
            return msgpack.encode([row.idx for row in self._rows(FIND[first], word=word)])
        if found := _BESIDE.fullmatch(path):
            tile = tile_layout.parse(f"tile/entries/{found[2]}".encode())
            rows = self._bundle(tile)
            if found[1] == "columns":
                return msgpack.encode([[getattr(row, name) for name in COLUMNS] for row in rows])
            return archive.pack([_payload(row) for row in rows])
        if first != "tile":
            return None
        tile = tile_layout.parse(path.encode())
        if tile.level == ENTRIES:
            return tiles.pack(row.leaf for row in self._bundle(tile))
        data = self._scalar(TILE, level=tile.level, number=tile.number)
        return None if data is None else data[: tile.width * HASH]

    def _bundle(self, tile: Tile) -> list[Row[Any]]:
        """Return the rows of a bundle up to the first missing one."""
        start, end = tile.leaves
        if self._held[0] != tile.number or len(self._held[1]) < tile.width:
            self._held = tile.number, self._rows(ROWS, start=start, end=end)
        return [row for number, row in enumerate(self._held[1][: tile.width], start) if row.idx == number]

    def _rows(self, statement: TextClause, **given: object) -> Sequence[Row[Any]]:
        async def run(tx: AsyncConnection) -> Sequence[Row[Any]]:
            return (await tx.execute(statement, given)).all()

        rows: Sequence[Row[Any]] = self.ask(run)
        return rows

    def _scalar(self, statement: TextClause, **given: object) -> bytes | None:
        rows = self._rows(statement, **given)
        return bytes(rows[0][0]) if rows else None


def _payload(row: Row[Any]) -> archive.Kept:
    if row.value is None:
        return None
    return Payload(row.key, row.value, msgpack.decode(row.headers, type=tuple[tuple[str, bytes], ...]))


@contextmanager
def opened(where: Settings | None = None) -> Iterator[Rows]:
    """Open one read-only snapshot of a stack. where: by default the stack of the environment. Unavailable: the database is down."""
    found = where or settings.load()
    with asyncio.Runner() as runner, ExitStack() as ended:

        def run(coroutine: Coroutine[Any, Any, T]) -> T:
            with connection.reached():
                return runner.run(coroutine)

        snapshot = connection.snapshot(found)
        tx = run(snapshot.__aenter__())
        ended.callback(lambda: run(snapshot.__aexit__(None, None, None)))
        yield Rows(lambda question: run(question(tx)), found)


def recorded(there: Opened, how: How, case: str = "") -> Keys:
    """Return the keys of a log so that the first use of one on the running system is an entry. case: the only one; empty: all.

    The function raises Unavailable where audit does not log the reading.
    """
    rows = there.archive
    if not isinstance(rows, Rows):
        return there.keys
    done = False

    def keys(ids: Iterable[str] | None) -> Mapping[str, bytes]:
        nonlocal done
        held = there.keys(ids)
        if held and not done:
            record(rows.settings, Reading(reader=OPERATOR, how=how, cases=(case,) if case else ()))
            done = True
        return held

    return keys


def record(found: Settings, reading: Reading) -> None:
    """Wait until the log has an entry of this reading. Unavailable: it has none, so nothing may be shown or lent."""

    async def whole() -> None:
        engine = database.admin(found)
        try:
            await readings.record(engine, reading.encode())
        finally:
            await engine.dispose()

    with connection.reached():
        asyncio.run(whole())
