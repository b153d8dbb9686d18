"""Map the hashes and entries of a log to files (C2SP tlog-tiles): coordinates, paths, and the tiles of a log of a given size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from referral.errors import Malformed
from referral.tlog.merkle import HASH, Span, nodes_of
from referral.tlog.strict_text import LIMIT

HEIGHT = 8
FULL = 1 << HEIGHT
"""The number of hashes in a full tile, and of entries in a full bundle."""
ENTRIES = -1
"""The level of entry bundles, which are below the leaf hashes of level 0."""

_PATH = re.compile(rb"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class Tile(NamedTuple):
    """One tile or entry bundle. level: 0 holds leaf hashes. number: its position in the level, from 0.

    width: hashes (or entries); FULL unless partial.
    """

    level: int
    number: int
    width: int = FULL

    @property
    def path(self) -> str:
        """The path below the log's folder or address."""
        groups = [self.number % 1000]
        while rest := self.number // 1000 ** len(groups):
            groups.append(rest % 1000)
        place = "/".join([f"x{group:03}" for group in groups[:0:-1]] + [f"{groups[0]:03}"])
        level = "entries" if self.level == ENTRIES else self.level
        return f"tile/{level}/{place}" + ("" if self.width == FULL else f".p/{self.width}")

    @property
    def leaves(self) -> tuple[int, int]:
        """The leaf indexes [start, end) that the tile covers."""
        each = HEIGHT * max(self.level, 0)
        start = self.number * FULL
        return start << each, start + self.width << each

    def __str__(self) -> str:
        start, end = self.leaves
        return f"{self.path} (leaves {start} to {end - 1})"


def parse(path: bytes) -> Tile:
    """Return the tile of a path; each tile has exactly one path. Malformed."""
    match = _PATH.fullmatch(path)
    if not match:
        raise Malformed("tile-path", "it is not tile/<level>/<number> or tile/entries/<number>, with .p/<width> where partial")
    level = ENTRIES if match[1] == b"entries" else int(match[1])
    tile = Tile(level, int(match[2].translate(None, b"x/")), int(match[3] or FULL))
    if level > 63 or tile.width > FULL or tile.number >= LIMIT // FULL:
        raise Malformed("tile-path", "level, number or width is too large")
    if tile.path.encode() != path:
        raise Malformed("tile-path", "the same tile has a shorter path")
    return tile


def at(level: int, number: int, size: int) -> Tile:
    """Return a tile with the width that it has in a log of `size`. ValueError: that log has no such tile."""
    width = min(FULL, (size >> HEIGHT * max(level, 0)) - number * FULL)
    if width < 1 or number < 0:
        raise ValueError(f"a log of {size} has no tile {number} at level {level}")
    return Tile(level, number, width)


def holding(node: tuple[int, int], size: int) -> Tile:
    """Return the tile from which a node of the tree is computed."""
    level, index = node
    return at(level // HEIGHT, index << level % HEIGHT >> HEIGHT, size)


def for_spans(spans: Iterable[Span], size: int) -> tuple[Tile, ...]:
    """Return the tiles that a proof needs, so that a caller can fetch them together before it builds the proof."""
    return tuple(dict.fromkeys(holding(node, size) for span in spans for node in nodes_of(span)))


def levels(size: int) -> int:
    """Return the number of tile levels of a log."""
    return -(-size.bit_length() // HEIGHT)


def partial(size: int) -> tuple[Tile, ...]:
    """Return the partial tile of each level that has one, lowest level first, without entry bundles."""
    counts = ((level, size >> HEIGHT * level) for level in range(levels(size)))
    return tuple(Tile(level, count // FULL, count % FULL) for level, count in counts if count % FULL)


def bundles(size: int, first: int = 0) -> Iterator[Tile]:
    """Yield every entry bundle of a log in order. first: the number of the first bundle."""
    return (at(ENTRIES, number, size) for number in range(first, -(-size // FULL)))


def every(size: int) -> Iterator[Tile]:
    """Yield every tile of a log, level by level, without entry bundles."""
    for level in range(levels(size)):
        yield from (at(level, number, size) for number in range(-(-(size >> HEIGHT * level) // FULL)))


def sized(tile: Tile, data: bytes) -> bytes:
    """Return the bytes of a hash tile after a check of their length against the tile's width. Malformed."""
    if len(data) != tile.width * HASH:
        raise Malformed("tile", f"{tile} has {len(data)} bytes instead of {tile.width * HASH}")
    return data
