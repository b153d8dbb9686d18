"""Does an entry stand in the tree of a believed checkpoint? For many entries of one archive: each tile is led up to the root once."""

from __future__ import annotations

from referral.errors import Malformed
from referral.proof import archive, tile_path, tiles
from referral.proof.archive import Archive
from referral.proof.merkle import HASH, leaf_hash
from referral.proof.tile_path import FULL, Tile


class Proven:
    """The first `size` leaves of an archive that stands at `stands`. Malformed: the tiles of its right edge do not make the root."""

    def __init__(self, there: Archive, size: int, root: bytes, stands: int) -> None:
        self._size, self._read = size, archive.reader(there, stands)
        edge = archive.edge(there, size, stands)
        if edge.root != root:
            raise Malformed("tile", "the tiles at the log's right edge do not make the root of its checkpoint")
        self._known: dict[Tile, bytes] = dict(edge.tiles)

    def holds(self, index: int, leaf: bytes) -> bool:
        """Whether this leaf stands at this index. False above the size too, and where a tile on its way is damaged."""
        if not 0 <= index < self._size:
            return False
        try:
            return self._hash(0, index) == leaf_hash(leaf)
        except Malformed:
            return False

    def _hash(self, level: int, index: int) -> bytes:
        """A hash of a tile that leads to the root. Malformed."""
        tile = tile_path.at(level, index // FULL, self._size)
        if tile not in self._known:
            data = self._read(tile)
            if tiles.reduce(data) != self._hash(level + 1, tile.number):
                raise Malformed("tile", f"{tile} does not lead to the root")
            self._known[tile] = data
        start = index % FULL * HASH
        return self._known[tile][start : start + HASH]
