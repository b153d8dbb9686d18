"""Grow the tree by the leaves of a batch. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from referral.errors import Unproven
from referral.tlog import tiles
from referral.tlog.merkle import leaf_hash
from referral.tlog.tile_layout import Tile
from referral.tlog.tiles import Edge


class Head(Struct, frozen=True):
    """The committed tree. root: as it was written. at: logged_at of the last entry, µs UTC."""

    edge: Edge
    root: bytes
    at: int


class Grown(Struct, frozen=True):
    """The grown tree. head: the new one. tiles: those that became full, and the new right edge."""

    head: Head
    tiles: dict[Tile, bytes]


def grow(head: Head, leaves: Iterable[bytes], at: int) -> Grown:
    """Append leaves. Unproven: the stored right edge does not make the root that was written with it; nothing may follow a damaged tree."""
    if head.edge.root != head.root:
        named = ", ".join(str(tile) for tile in head.edge.tiles) or "no tile"
        raise Unproven("tiles", f"the tree's right edge was changed: {named}")
    edge, full = tiles.append(head.edge, map(leaf_hash, leaves))
    return Grown(Head(edge, edge.root, at), full | edge.tiles)
