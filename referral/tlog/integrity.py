"""Are the tiles and entry bundles of a log what its root says? Every leaf is hashed again; heads alone prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from referral.errors import Unproven
from referral.tlog import tile_layout, tiles
from referral.tlog.merkle import HASH, leaf_hash
from referral.tlog.tile_layout import Tile

Read = Callable[[Tile], bytes | None]
"""The stored bytes of a tile or bundle; None where it is missing."""


class Differs(Unproven):
    """A tile or a bundle is missing or another one. leaf: the first that is concerned."""

    def __init__(self, reason: str, detail: str, leaf: int) -> None:
        super().__init__(reason, detail)
        self.leaf = leaf


def entries(size: int, root: bytes, read: Read, since: tiles.Edge = tiles.Edge()) -> Iterator[tuple[int, list[bytes]]]:  # noqa: B008 (frozen)
    """The entries of each bundle, with the index of the first. What has come out agrees with its leaf tile; the root is compared last.

    since: the edge of an older size; then only the entries after it, and that the root leads on from it is proven too.
    Unproven (Differs) or Malformed at the first tile or bundle that differs, with its path and range of leaves.
    """
    edge = since
    for bundle in tile_layout.bundles(size, since.size // tile_layout.FULL):
        found = tiles.unpack(bundle, _there(bundle, read))[edge.size - bundle.leaves[0] :]
        first = edge.size
        edge, full = tiles.append(edge, map(leaf_hash, found))
        for tile, expected in (full | edge.tiles if edge.size == size else full).items():
            _same(tile, expected, read)
        if found:
            yield first, found
    if edge.root != root:
        raise Unproven("root", f"{size} entries lead to another root than the checkpoint's")


def check(size: int, root: bytes, read: Read) -> None:
    """The same, where only the verdict counts."""
    for _ in entries(size, root, read):
        pass


def _there(tile: Tile, read: Read) -> bytes:
    data = read(tile)
    if data is None:
        raise Differs("tile", f"{tile} is missing", tile.leaves[0])
    return data


def _same(tile: Tile, expected: bytes, read: Read) -> None:
    data = tile_layout.sized(tile, _there(tile, read))
    if data != expected:
        first = next(at for at in range(tile.width) if data[at * HASH : (at + 1) * HASH] != expected[at * HASH : (at + 1) * HASH])
        start, each = tile.leaves[0], 1 << tile_layout.HEIGHT * tile.level
        leaf = start + first * each
        raise Differs("tile", f"{tile} differs from the entries, first at leaf {leaf}", leaf)
