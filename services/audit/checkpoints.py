"""Store signed checkpoints and read the tree's rows: heads, tiles, leaves and proofs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Unproven
from referral.tlog import merkle, tile_layout, tiles
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.merkle import HASH, Span
from referral.tlog.tile_layout import ENTRIES, FULL, Tile

HEAD = text(
    "SELECT head.size, head.root, last.size AS signed, last.root AS signed_root FROM audit.head"
    " LEFT JOIN LATERAL (SELECT size, root FROM audit.checkpoint ORDER BY size DESC LIMIT 1) AS last ON true"
)
SIGNED = text("SELECT coalesce(max(size), 0) FROM audit.checkpoint")
OWNER = text("SELECT owner FROM audit.lease WHERE unit = 'all'")
INSERT = text("INSERT INTO audit.checkpoint (size, root, note, at) VALUES (:size, :root, :note, :at) ON CONFLICT (size) DO NOTHING")
OF_SIZE = text("SELECT size, root, note, at, collected, cosigned FROM audit.checkpoint WHERE size = :size")
COSIGNED = text(
    "SELECT size, root, note, at, collected, cosigned FROM audit.checkpoint WHERE cosigned IS NOT NULL ORDER BY size DESC LIMIT 1"
)
LOCKED = text(f"{OF_SIZE.text} FOR UPDATE")
COLLECT = text(
    "UPDATE audit.checkpoint SET collected = :note, cosigned = CASE WHEN :quorum THEN CAST(:note AS bytea) END WHERE size = :size"
)
TILES = text(
    "SELECT level, number, data FROM audit.tile JOIN unnest(CAST(:levels AS int[]), CAST(:numbers AS bigint[]))"
    " AS k(level, number) USING (level, number)"
)
LEAVES = text("SELECT leaf FROM audit.entry WHERE idx BETWEEN :start AND :last ORDER BY idx")
EVENT = text(
    "SELECT idx, leaf FROM audit.entry WHERE event_id = :event_id AND kind IN ('EVENT', 'DECISION', 'DISCLOSURE', 'ERASURE')"
    " ORDER BY idx LIMIT 1"
)


class Head(Struct, frozen=True):
    """The committed tree.

    size, root: present. signed, signed_root: of the largest checkpoint that was ever signed; None before the first.
    """

    size: int
    root: bytes
    signed: int | None
    signed_root: bytes | None


class Signed(Struct, frozen=True):
    """A signed checkpoint.

    at: µs UTC. note: with the log's signature alone. collected: with the witnesses' signatures so far. cosigned: None until they are a
    quorum.
    """

    size: int
    root: bytes
    note: bytes
    at: int
    collected: bytes | None
    cosigned: bytes | None


async def head(tx: AsyncConnection) -> Head:
    """Return the committed tree and the last signed checkpoint."""
    return Head(*(await tx.execute(HEAD)).one())


async def carried(tx: AsyncConnection, head: Head) -> None:
    """Check that the tiles lead from the signed tree to the committed one.

    Unproven, Malformed: they do not; somebody changed one of the three.
    """
    if head.signed and head.signed_root is not None:
        proof = await consistency(tx, head.signed, head.size)
        merkle.check_consistency(head.signed, head.size, proof, head.signed_root, head.root)
    elif merkle.root(await _nodes(tx, [(0, head.size)] if head.size else [], head.size), head.size) != head.root:
        raise Unproven("tiles", "they do not make the committed root")


async def signed(tx: AsyncConnection) -> int:
    """Return the size of the largest signed checkpoint."""
    return int((await tx.execute(SIGNED)).scalar_one())


async def owner(tx: AsyncConnection) -> str | None:
    """Return the instance that appends."""
    return (await tx.execute(OWNER)).scalar_one_or_none()


async def insert(tx: AsyncConnection, checkpoint: Checkpoint, note: bytes, at: int) -> Signed:
    """Store a signed checkpoint. Return the stored one of this size, which is another instance's if that one was faster."""
    await tx.execute(INSERT, {"size": checkpoint.size, "root": checkpoint.root, "note": note, "at": at})
    return await of_size(tx, checkpoint.size)


async def cosigned(tx: AsyncConnection) -> Signed | None:
    """Return the newest checkpoint with a quorum of witnesses: the published one."""
    row = (await tx.execute(COSIGNED)).one_or_none()
    return _signed(row) if row else None


async def of_size(tx: AsyncConnection, size: int) -> Signed:
    """Return the signed checkpoint of this size."""
    return _signed((await tx.execute(OF_SIZE, {"size": size})).one())


async def locked(tx: AsyncConnection, size: int) -> Signed:
    """Return the signed checkpoint of this size, locked until the transaction ends."""
    return _signed((await tx.execute(LOCKED, {"size": size})).one())


async def collect(tx: AsyncConnection, size: int, note: bytes, *, quorum: bool) -> None:
    """Store the witnesses' signatures so far. quorum: they suffice, so the checkpoint is published."""
    await tx.execute(COLLECT, {"size": size, "note": note, "quorum": quorum})


async def fetch(tx: AsyncConnection, wanted: Iterable[Tile]) -> dict[Tile, bytes]:
    """Return hash tiles, each as wide as requested; leave out tiles that do not exist or are narrower."""
    asked = list(wanted)
    rows = await tx.execute(TILES, {"levels": [t.level for t in asked], "numbers": [t.number for t in asked]})
    stored = {(level, number): data for level, number, data in rows}
    held = {tile: stored.get((tile.level, tile.number), b"")[: tile.width * HASH] for tile in asked}
    return {tile: data for tile, data in held.items() if len(data) == tile.width * HASH}


async def bundle(tx: AsyncConnection, tile: Tile) -> bytes | None:
    """Return an entry bundle; None if the log has fewer entries."""
    start = tile.number * FULL
    leaves = (await tx.execute(LEAVES, {"start": start, "last": start + tile.width - 1})).scalars().all()
    return tiles.pack(leaves) if tile.level == ENTRIES and len(leaves) == tile.width else None


async def consistency(tx: AsyncConnection, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `new` continues that of `old`; empty from 0 or to itself. Malformed: a tile is torn."""
    return [] if old in (0, new) else merkle.consistency(await _nodes(tx, merkle.consistency_spans(old, new), new), old, new)


async def inclusion(tx: AsyncConnection, index: int, size: int) -> list[bytes]:
    """Return the proof that the leaf is in the tree. Malformed: a tile is torn."""
    return merkle.inclusion(await _nodes(tx, merkle.inclusion_spans(index, size), size), index, size)


async def inclusions(tx: AsyncConnection, indexes: Iterable[int], size: int) -> dict[int, list[bytes]]:
    """Return the proofs of several leaves of one tree, with one read of its tiles. Malformed: a tile is torn."""
    wanted = {index: merkle.inclusion_spans(index, size) for index in indexes}
    nodes = await _nodes(tx, (span for spans in wanted.values() for span in spans), size)
    return {index: merkle.inclusion(nodes, index, size) for index in wanted}


async def event(tx: AsyncConnection, event_id: str) -> tuple[int, bytes] | None:
    """Return index and leaf of an event; None: not logged."""
    row = (await tx.execute(EVENT, {"event_id": event_id})).one_or_none()
    return (row.idx, row.leaf) if row else None


async def _nodes(tx: AsyncConnection, spans: Iterable[Span], size: int) -> merkle.Nodes:
    held = await fetch(tx, tile_layout.for_spans(spans, size))
    return tiles.nodes(lambda tile: held.get(tile, b""), size)


def _signed(row: Row[Any]) -> Signed:
    return Signed(**row._mapping)
