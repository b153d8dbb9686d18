"""Entries of an archive in any order: where each case stands, and single entries with their leaves.

Does an entry stand in the tree of a believed checkpoint? For many entries of one archive: each tile is led up to the root once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from referral.domain.events import Leaf
from referral.errors import Malformed, NewerVersion
from referral.proof import archive
from referral.proof.archive import Archive, Kept
from referral.proof.entry import Entry, digest
from referral.tlog import tile_layout, tiles
from referral.tlog.merkle import HASH, leaf_hash
from referral.tlog.tile_layout import FULL, Tile
from referral.wire import leaf as wire

HELD = 128
"""Bundles with their payloads that are held (ours): some 20 MB."""
VERIFIED, UNVERIFIED, BAD = "verified", "unverified", "bad"


class Casebook:
    """size: of the archive. proven: by which entries are verified; None where no checkpoint is believed."""

    def __init__(self, there: Archive, size: int, proven: Proven | None) -> None:
        self._there, self.size, self._proven = there, size, proven
        self._held: OrderedDict[int, tuple[list[bytes], list[Kept]]] = OrderedDict()

    def entry(self, index: int) -> tuple[Entry, str]:
        """An entry, and whether it is VERIFIED (led to a believed checkpoint, and its payload fits) or BAD (that does not). Malformed."""
        leaves, beside = self._bundle(index // FULL)
        leaf, kept = leaves[index % FULL], beside[index % FULL]
        joined = archive.join(index, leaf, kept)
        if joined.here and not (joined.fits and digest(joined.entry.value) == joined.entry.sha256):
            return joined.entry, BAD
        return joined.entry, VERIFIED if self._proven is not None and self._proven.holds(index, leaf) else UNVERIFIED

    def of(self, indexes: Iterable[int]) -> tuple[list[Entry], dict[int, str]]:
        """Some entries, and by index whether each is VERIFIED. Malformed, NewerVersion."""
        found = [self.entry(index) for index in indexes]
        return [entry for entry, _ in found], {entry.idx: mark for entry, mark in found}

    def case(self, case_id: str) -> list[int]:
        """Where the entries of a case stand."""
        return archive.find(self._there, self.size, "case_id", case_id)

    def cases(self, wanted: Callable[[int, Leaf], bool]) -> dict[str, list[int]]:
        """Where each case stands of which an entry is wanted; "" for entries of no case, these as far as they are wanted. Malformed."""
        places, asked = dict[str, list[int]](), set[str]()
        for index, said in self.leaves():
            case_id = said.case_id or ""
            if wanted(index, said):
                asked.add(case_id)
            elif not case_id:
                continue
            places.setdefault(case_id, []).append(index)
        return {case_id: where for case_id, where in places.items() if case_id in asked}

    def leaves(self) -> Iterator[tuple[int, Leaf]]:
        """Every leaf that this program can read. Malformed: a bundle."""
        for number in range(-(-self.size // FULL)):
            for place, leaf in enumerate(archive.bundle(self._there, number, self.size)):
                try:
                    yield number * FULL + place, wire.decode(leaf)
                except (Malformed, NewerVersion):
                    continue

    def _bundle(self, number: int) -> tuple[list[bytes], list[Kept]]:
        if number not in self._held:
            self._held[number] = archive.bundle(self._there, number, self.size), archive.payloads(self._there, number, self.size)
            if len(self._held) > HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(number)
        return self._held[number]


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
        tile = tile_layout.at(level, index // FULL, self._size)
        if tile not in self._known:
            data = self._read(tile)
            if tiles.reduce(data) != self._hash(level + 1, tile.number):
                raise Malformed("tile", f"{tile} does not lead to the root")
            self._known[tile] = data
        start = index % FULL * HASH
        return self._known[tile][start : start + HASH]
