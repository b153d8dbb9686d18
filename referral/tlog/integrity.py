"""Check the tiles and entry bundles of a log against its root by hashing every entry again; tree heads alone prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from referral.errors import Unproven
from referral.tlog import tile_layout, tiles
from referral.tlog.merkle import HASH, leaf_hash
from referral.tlog.tile_layout import Tile

Read = Callable[[Tile], bytes | None]
"""Return the stored bytes of a tile or bundle; None where it is missing."""


class Differs(Unproven):
    """A tile or bundle is missing or has other content. leaf: the first leaf that is affected."""

    def __init__(self, reason: str, detail: str, leaf: int) -> None:
        super().__init__(reason, detail)
        self.leaf = leaf


def entries(size: int, root: bytes, read: Read, since: tiles.Edge = tiles.Edge()) -> Iterator[tuple[int, list[bytes]]]:  # noqa: B008 (frozen)
    """Yield the entries of each bundle with the index of the first. A yielded bundle agrees with its leaf tile; the root is compared last.

    since: the edge of an older size. Then only the entries after it are yielded, and the walk proves that the new root continues it.
    Unproven (Differs) or Malformed at the first tile or bundle that differs, with its path and range of leaves.
    """
    edge = since
    for bundle in tile_layout.bundles(size, since.size // tile_layout.FULL):
        added = tiles.unpack(bundle, _there(bundle, read))[edge.size - bundle.leaves[0] :]
        first = edge.size
        edge, full = tiles.append(edge, map(leaf_hash, added))
        for tile, expected in (full | edge.tiles if edge.size == size else full).items():
            _same(tile, expected, read)
        if added:
            yield first, added
    if edge.root != root:
        raise Unproven("root", f"{size} entries lead to another root than the checkpoint's")


def check(size: int, root: bytes, read: Read) -> None:
    """Check a whole log as `entries` does, for callers that need only the verdict. Unproven (Differs), Malformed."""
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
