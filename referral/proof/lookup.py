"""Read entries of an archive in any order: the indexes of each case, and single entries verified against an accepted checkpoint.

Verification of many entries of one archive follows each tile up to the root only once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property

from referral.domain.events import Leaf
from referral.errors import Malformed, NewerVersion
from referral.proof import archive
from referral.proof.archive import Archive, Kept
from referral.proof.entry import Entry, Kind, digest
from referral.proof.forgeries import Believed
from referral.tlog import tile_layout, tiles
from referral.tlog.merkle import HASH, leaf_hash
from referral.tlog.tile_layout import FULL, Tile
from referral.wire import leaf as wire
from referral.wire.signed import trust_lines, writer_signature
from referral.wire.signed.policy_signature import Trusted

HELD = 128
"""Bundles with their payloads that are cached (ours): some 20 MB."""
LOGGED, SAID, PROVEN, UNVERIFIED, BAD = "logged", "said by routing", "proven", "unverified", "bad"
"""Marks. SAID: a decision, whose bytes are the logged ones too. PROVEN: `verify` has held its facts and the rules against the log."""


def mark(entry: Entry) -> str:
    """Return the mark of an entry whose bytes are the logged ones."""
    return SAID if entry.kind is Kind.DECISION else LOGGED


class Casebook:
    """Random access to an archive of this size.

    proven: verifies entries; None where no checkpoint is accepted. pinned: the reader's own policy file; None without.
    """

    def __init__(self, there: Archive, size: int, proven: ProvenTree | None, pinned: bytes | None = None) -> None:
        self._there, self.size, self._proven, self._pinned = there, size, proven, pinned or b""
        self._held: OrderedDict[int, tuple[list[bytes], list[Kept]]] = OrderedDict()

    @cached_property
    def believed(self) -> Believed:
        """Return the services whose signature a record needs, as `verify` takes them. Malformed: the reader's own policy file."""
        pinned, said = trust_lines.writers(self._pinned), list[tuple[int, writer_signature.Writers]]()
        for index in archive.find(self._there, self.size, "kind", Kind.KEYS) if pinned == writer_signature.NO_WRITERS else ():
            with suppress(Malformed, NewerVersion):  # `verify` names it
                said.append((index, trust_lines.writers(self.entry(index)[0].value)))
        return Believed(pinned, tuple(said))

    @property
    def signers(self) -> Trusted:
        """Return the policy's signers whom the reader's own file names; none: those whom the log names count. Malformed: that file."""
        return trust_lines.policy_keepers(self._pinned)

    def entry(self, index: int) -> tuple[Entry, str]:
        """Return an entry and its mark.

        LOGGED: it leads to an accepted checkpoint, and its payload fits; SAID: the same, of a decision. BAD: its payload does not fit.
        UNVERIFIED: otherwise. Malformed.
        """
        leaves, beside = self._bundle(index // FULL)
        leaf, kept = leaves[index % FULL], beside[index % FULL]
        joined = archive.join(index, leaf, kept)
        if joined.here and not (joined.fits and digest(joined.entry.value) == joined.entry.sha256):
            return joined.entry, BAD
        return joined.entry, mark(joined.entry) if self._proven is not None and self._proven.holds(index, leaf) else UNVERIFIED

    def of(self, indexes: Iterable[int]) -> tuple[list[Entry], dict[int, str]]:
        """Return some entries, and the mark of each by index. Malformed, NewerVersion."""
        marked = [self.entry(index) for index in indexes]
        return [entry for entry, _ in marked], {entry.idx: mark for entry, mark in marked}

    def case(self, case_id: str) -> list[int]:
        """Return the indexes of the entries of a case."""
        return archive.find(self._there, self.size, "case_id", case_id)

    def cases(self, wanted: Callable[[int, Leaf], bool]) -> dict[str, list[int]]:
        """Return the indexes of each case of which at least one entry is wanted. Malformed.

        "" holds the wanted entries that belong to no case.
        """
        places, chosen = dict[str, list[int]](), set[str]()
        for index, leaf in self.leaves():
            case_id = leaf.case_id or ""
            if wanted(index, leaf):
                chosen.add(case_id)
            elif not case_id:
                continue
            places.setdefault(case_id, []).append(index)
        return {case_id: where for case_id, where in places.items() if case_id in chosen}

    def leaves(self) -> Iterator[tuple[int, Leaf]]:
        """Yield every leaf that this program can read. Malformed: a bundle is damaged."""
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


class ProvenTree:
    """The first `size` leaves of an archive that is stored at size `stands`, verified against a root.

    Malformed: the tiles of its right edge do not make the root.
    """

    def __init__(self, there: Archive, size: int, root: bytes, stands: int) -> None:
        self._size, self._read = size, archive.reader(there, stands)
        edge = archive.edge(there, size, stands)
        if edge.root != root:
            raise Malformed("tile", "the tiles at the log's right edge do not make the root of its checkpoint")
        self._known: dict[Tile, bytes] = dict(edge.tiles)

    def holds(self, index: int, leaf: bytes) -> bool:
        """Return True if this leaf is at this index. False also at or above the size, and where a tile on its path is damaged."""
        if not 0 <= index < self._size:
            return False
        try:
            return self._hash(0, index) == leaf_hash(leaf)
        except Malformed:
            return False

    def _hash(self, level: int, index: int) -> bytes:
        """Return a hash from a tile that leads to the root. Malformed: the tile does not."""
        tile = tile_layout.at(level, index // FULL, self._size)
        if tile not in self._known:
            data = self._read(tile)
            if tiles.reduce(data) != self._hash(level + 1, tile.number):
                raise Malformed("tile", f"{tile} does not lead to the root")
            self._known[tile] = data
        start = index % FULL * HASH
        return self._known[tile][start : start + HASH]
