"""Walk an archive from its first entry to its last: hash each leaf again and join its payload. The first failure ends the walk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from msgspec import DecodeError, msgpack

from referral.domain.events import Leaf
from referral.errors import Malformed, NewerVersion, Unproven
from referral.proof import archive
from referral.proof.archive import Archive, Joined
from referral.proof.entry import Entry, beside
from referral.proof.verify.report import ENDS, Finding, Report, Weight, finding
from referral.tlog import integrity, tile_layout, tiles
from referral.tlog.merkle import HASH, Nodes, leaf_hash
from referral.tlog.tile_layout import ENTRIES, FULL, HEIGHT, Tile
from referral.wire import leaf as wire

START = tiles.Edge()
COLUMNS = ("kind", "topic", "partition", "offset", "sha256", "event_id", "case_id", "case_seq", "recorded_at")
"""The search columns of a database: `columns/…` holds them for each entry, in this order."""


class Ended(Exception):
    """Nothing after this point can be judged. The exception carries no data, because the report already holds the finding."""


def walk(there: Archive, size: int, root: bytes, report: Report, since: tiles.Edge = START) -> Iterator[Joined]:
    """Yield every entry after `since` whose leaf is in the tree of this root. Ended."""
    at = since.size
    try:
        for first, leaves in integrity.entries(size, root, lambda tile: there.read(tile.path), since):
            yield from _joined(there, size, first, leaves, report)
            at = first + len(leaves)
    except Malformed as error:
        _end(report, error.reason.upper(), getattr(error, "leaf", at), str(error))


def before(
    there: Archive, old: int, size: int, nodes: Nodes, wanted: Callable[[Leaf], bool], report: Report
) -> Iterator[tuple[Joined, bool]]:
    """Yield the entries below `old` of a log stored at `size`. Ended.

    A wanted entry is hashed and joined (True). For the others only the stored leaf is read (False).
    """
    at = 0
    try:
        for number in range(-(-old // FULL)):
            beside_it = None
            for place, leaf in enumerate(archive.bundle(there, number, size)[: old - number * FULL]):
                at = number * FULL + place
                decoded = wire.decode(leaf)
                if not wanted(decoded):
                    yield Joined(beside(at, decoded, None, b"", ()), False, True), False
                    continue
                beside_it = beside_it or archive.payloads(there, number, size)
                if leaf_hash(leaf) != nodes(0, at):
                    raise Unproven("tile", f"leaf {at} is not the leaf in the tree")
                yield archive.join(at, leaf, beside_it[place]), True
    except Malformed as error:
        _end(report, error.reason.upper(), getattr(error, "leaf", at), str(error))
    except NewerVersion as error:
        _end(report, "NEWER_VERSION", at, str(error), Weight.UNCHECKED)


def picked(there: Archive, idxs: Iterable[int], edge: tiles.Edge, size: int) -> Iterator[Joined]:
    """Yield some entries below an older size, in rising order, of a log that is stored at `size`. Each is proven against that size's edge.

    Malformed, NewerVersion.
    """
    read, held = archive.reader(there, size), dict[Tile, bytes]()

    def proven(level: int, number: int) -> bytes:
        """Return the hashes of a tile that lead to the edge."""
        if number == edge.size >> HEIGHT * (level + 1):
            return edge.rows[level]
        tile = Tile(level, number)
        if tile not in held:
            data = read(tile)
            if tiles.reduce(data) != _at(proven(level + 1, number // FULL), number % FULL):
                raise Unproven("tile", f"{tile} is not the one of the older checkpoint")
            held[tile] = data
        return held[tile]

    at, leaves, beside, hashes = -1, list[bytes](), list[archive.Kept](), b""
    for idx in idxs:
        if idx // FULL != at:
            at = idx // FULL
            leaves, beside, hashes = archive.bundle(there, at, size), archive.payloads(there, at, size), proven(0, at)
            held.pop(Tile(0, at), None)
        if leaf_hash(leaves[idx % FULL]) != _at(hashes, idx % FULL):
            raise Unproven("tile", f"leaf {idx} is not the one of the older checkpoint")
        yield archive.join(idx, leaves[idx % FULL], beside[idx % FULL])


def _at(hashes: bytes, place: int) -> bytes:
    return hashes[place * HASH : (place + 1) * HASH]


def _joined(there: Archive, size: int, first: int, leaves: list[bytes], report: Report) -> Iterator[Joined]:
    number = first // FULL
    skipped = first - number * FULL
    try:
        kept = archive.payloads(there, number, size)[skipped:]
        columns = _columns(there, number, size)[skipped:]
    except Malformed as error:
        _end(report, "PAYLOAD", first, str(error))
    for place, leaf in enumerate(leaves):
        try:
            joined = archive.join(first + place, leaf, kept[place])
        except Malformed as error:
            _end(report, "LEAF", first + place, f"this program cannot read the leaf: {error}")
        except NewerVersion as error:
            _end(report, "NEWER_VERSION", first + place, str(error), Weight.UNCHECKED)
        if columns:
            _compare(joined.entry, columns[place], report)
        yield joined


def _columns(there: Archive, number: int, size: int) -> list[list[Any]]:
    """Return the search columns of each entry of a bundle; empty where the archive has none."""
    tile = tile_layout.at(ENTRIES, number, size)
    data = there.read(archive.path(tile).replace("payload/", "columns/", 1))
    if data is None:
        return []
    try:
        return msgpack.decode(data, type=list[list[Any]])
    except DecodeError as error:
        raise Malformed("columns", str(error)) from None


def _compare(entry: Entry, columns: list[Any], report: Report) -> None:
    for name, column in zip(COLUMNS, columns, strict=True):
        if getattr(entry, name) != column:
            what = f"the search column {name} differs from the leaf: a search for this entry does not find it"
            report.add_finding(finding(Weight.BAD, "COLUMN_DIFFERS", entry, what))


def _end(report: Report, code: str, idx: int, what: str, weight: Weight = Weight.BAD) -> NoReturn:
    report.add_finding(Finding(weight=weight, code=code, idx=idx, where=ENDS, what=what))
    raise Ended
