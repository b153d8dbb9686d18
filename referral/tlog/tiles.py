"""Store a log as tiles: compute the tiles that appended leaves produce, and read tree nodes and entries back from tiles."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from referral.errors import Malformed
from referral.tlog import tile_layout
from referral.tlog.merkle import HASH, Nodes, fold
from referral.tlog.tile_layout import FULL, HEIGHT, Tile

BYTES = FULL * HASH


class Torn(Malformed):
    """An entry bundle ends too early or too late. leaf: the entry at which that shows."""

    def __init__(self, detail: str, leaf: int) -> None:
        super().__init__("bundle", detail)
        self.leaf = leaf


class Edge(Struct, frozen=True):
    """The right edge of a log, which is the state that appending needs: at most 255 hashes per level.

    rows: level → the hashes of its partial tile, empty where it has none. The log stores these tiles anyway.
    """

    size: int = 0
    rows: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The root of the whole log."""
        peaks = []
        for row in reversed(self.rows):
            start = 0
            for level in range(HEIGHT - 1, -1, -1):
                if len(row) // HASH >> level & 1:
                    end = start + (HASH << level)
                    peaks.append(reduce(row[start:end]))
                    start = end
        return fold(peaks)

    @property
    def tiles(self) -> dict[Tile, bytes]:
        """The partial tiles that a checkpoint of this size needs."""
        return {tile: self.rows[tile.level] for tile in tile_layout.partial(self.size)}


def edge(size: int, stored: Mapping[Tile, bytes]) -> Edge:
    """Build the edge of a log from its stored tiles, those of tile_layout.partial(size). Malformed: one is missing or torn."""
    rows = [b""] * tile_layout.levels(size)
    for tile in tile_layout.partial(size):
        rows[tile.level] = tile_layout.sized(tile, stored.get(tile, b""))
    return Edge(size, tuple(rows))


def append(before: Edge, leaves: Iterable[bytes]) -> tuple[Edge, dict[Tile, bytes]]:
    """Return the edge after these leaf hashes, and the tiles that became full. The edge itself holds the partial ones."""
    rising, level, rows, full = b"".join(leaves), 0, [], {}
    after = Edge(before.size + len(rising) // HASH)
    while level < tile_layout.levels(after.size):
        row = (before.rows[level] if level < len(before.rows) else b"") + rising
        first, above = before.size >> HEIGHT * (level + 1), []
        whole = len(row) // BYTES
        for number in range(whole):
            data = row[number * BYTES : (number + 1) * BYTES]
            full[Tile(level, first + number)] = data
            above.append(reduce(data))
        rows.append(row[whole * BYTES :])
        rising, level = b"".join(above), level + 1
    return Edge(after.size, tuple(rows)), full


def reduce(row: bytes) -> bytes:
    """Return the node over 1, 2, 4 … neighbouring hashes."""
    sha256 = hashlib.sha256
    while len(row) > HASH:
        row = b"".join([sha256(b"\x01" + row[at : at + 2 * HASH]).digest() for at in range(0, len(row), 2 * HASH)])
    return row


def nodes(read: Callable[[Tile], bytes], size: int) -> Nodes:
    """Return a function that reads the nodes of a log of `size` from its tiles.

    The function raises Malformed: a tile has the wrong length.
    """

    def node(level: int, index: int) -> bytes:
        tile = tile_layout.holding((level, index), size)
        data, count = tile_layout.sized(tile, read(tile)), 1 << level % HEIGHT
        start = index * count % FULL
        return reduce(data[start * HASH : (start + count) * HASH])

    return node


def pack(entries: Iterable[bytes]) -> bytes:
    """Encode entries as a bundle. ValueError: an entry has more than 65,535 bytes."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > 0xFFFF:
            raise ValueError(f"an entry has {len(entry)} bytes, a bundle takes 65,535")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def unpack(tile: Tile, data: bytes) -> list[bytes]:
    """Return the entries of a bundle, exactly as many as its width states. Malformed (Torn)."""
    entries, at, end = [], 0, len(data)
    for number in range(tile.width):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > end or start > end:
            raise Torn(f"{tile} ends within entry {tile.leaves[0] + number}", tile.leaves[0] + number)
        entries.append(data[start:at])
    if at != end:
        raise Torn(f"{tile} has {end - at} bytes after its last entry", tile.leaves[1] - 1)
    return entries
