"""Are the tiles and entry bundles of a log what its root says? Every leaf is hashed again; heads alone prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from referral.errors import Unproven
from referral.proof import tile_path, tiles
from referral.proof.merkle import HASH, leaf_hash
from referral.proof.tile_path import Tile

Read = Callable[[Tile], bytes | None]
"""The stored bytes of a tile or bundle; None where it is missing."""


def entries(size: int, root: bytes, read: Read) -> Iterator[tuple[int, list[bytes]]]:
    """The entries of each bundle, with the index of the first. What has come out agrees with its leaf tile; the root is compared last.

    Unproven or Malformed at the first tile or bundle that differs, with its path and range of leaves.
    """
    edge = tiles.Edge()
    for bundle in tile_path.bundles(size):
        found = tiles.unpack(bundle, _there(bundle, read))
        edge, full = tiles.append(edge, map(leaf_hash, found))
        for tile, expected in (full | edge.tiles if edge.size == size else full).items():
            _same(tile, expected, read)
        yield bundle.leaves[0], found
    if edge.root != root:
        raise Unproven("root", f"{size} entries lead to another root than the checkpoint's")


def check(size: int, root: bytes, read: Read) -> None:
    """The same, where only the verdict counts."""
    for _ in entries(size, root, read):
        pass


def _there(tile: Tile, read: Read) -> bytes:
    data = read(tile)
    if data is None:
        raise Unproven("tile", f"{tile} is missing")
    return data


def _same(tile: Tile, expected: bytes, read: Read) -> None:
    data = tile_path.sized(tile, _there(tile, read))
    if data != expected:
        first = next(at for at in range(tile.width) if data[at * HASH : (at + 1) * HASH] != expected[at * HASH : (at + 1) * HASH])
        start, each = tile.leaves[0], 1 << tile_path.HEIGHT * tile.level
        raise Unproven("tile", f"{tile} differs from the entries, first at leaf {start + first * each}")
