"""Entries of an archive in any order: where each case stands, and single entries with their leaves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from referral.domain.events import Leaf
from referral.errors import Malformed, NewerVersion
from referral.proof import archive, payload
from referral.proof.archive import Archive
from referral.proof.entry import Entry, digest
from referral.proof.payload import Kept
from referral.proof.proven import Proven
from referral.proof.tile_path import FULL
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
        joined = payload.join(index, leaf, kept)
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
