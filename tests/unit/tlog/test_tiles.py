"""A log stands in tiles and bundles as tlog-tiles says, whatever portions it was appended in, and no changed byte goes unnoticed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.errors import Malformed, Unproven
from referral.tlog import integrity, merkle, tile_layout, tiles
from referral.tlog.merkle import Frontier
from referral.tlog.tile_layout import ENTRIES, Tile
from tests.harness.made_log import Log, made


@cache
def large() -> Log:
    return made(70_000)


@cache
def small() -> Log:
    return made(600)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 999, 17), "tile/1/999.p/17"),
        (Tile(63, 1000, 255), "tile/63/x001/000.p/255"),
        (Tile(ENTRIES, 273, 112), "tile/entries/273.p/112"),
        (Tile(ENTRIES, 10**15), "tile/entries/x001/x000/x000/x000/x000/000"),
    ],
)
def test_a_tile_stands_under_the_path_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tile_layout.parse(path.encode()) == tile


@given(st.integers(-1, 5), st.integers(0, 2**14), st.integers(1, 256))
def test_every_tile_has_one_path_and_is_found_by_it(level: int, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert tile_layout.parse(tile.path.encode()) == tile


WRONG = r"""
tile/0/x000/067|tile/0/67|tile/0/0067|tile/0/001/067|tile/0/x067|tile/00/067|tile/64/067|tile/-1/067|tile/data/067|tile/0/067.p/0
tile/0/067.p/256|tile/0/067.p/07|tile/0/067.p/|tile/0/067/|/tile/0/067|tile/0/067.p/1/2|tile/0/x1/067|tile/0/x0001/067|tile/8/0/067
tile/0/０６７|tile/0/+67|tile/0/ 67|tile/entries/67|tile/Entries/067|tile/0/x001.p/5/067|tile/63/x999/x999/x999/x999/x999/x999/999
tile/0/x999/x999/x999/x999/x999/x999/999|tile/0/../067|tile/0//067|tile/0/067\n|checkpoint|
"""


@pytest.mark.parametrize("path", WRONG.strip("\n").replace("\n", "|").replace("\\n", "\n").split("|"))
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(Malformed):
        tile_layout.parse(path.encode())


def test_a_number_of_thousands_of_digits_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed):
        tile_layout.parse(b"tile/0/" + b"x001/" * 1500 + b"000")


def test_seventy_thousand_leaves_are_the_tiles_of_the_specification() -> None:
    every = list(tile_layout.every(70_000))
    assert sum(tile.level == 0 and tile.width == 256 for tile in every) == 273
    assert [tile for tile in every if tile.level or tile.width < 256] == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert large().tiles.keys() == set(every)
    assert [tile.width for tile in tile_layout.bundles(70_000)] == [256] * 273 + [112]
    assert list(tile_layout.every(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert not list(tile_layout.every(0)) + list(tile_layout.bundles(0))


def test_a_hash_of_a_tile_is_the_root_of_the_leaves_below_it() -> None:
    log = large()
    for tile, place in ((Tile(0, 273, 112), 111), (Tile(1, 0), 0), (Tile(1, 0), 255), (Tile(1, 1, 17), 16), (Tile(2, 0, 1), 0)):
        each = 256**tile.level
        start = tile.leaves[0] + place * each
        below = merkle.append(Frontier(), log.leaves[start : start + each])
        assert log.tiles[tile][32 * place : 32 * place + 32] == below.root


@given(st.lists(st.integers(0, 700), min_size=1, max_size=6))
def test_tiles_are_the_same_in_whatever_portions_they_were_made(portions: list[int]) -> None:
    leaves, stored, edge = large().leaves, dict[Tile, bytes](), tiles.Edge()
    for portion in portions:
        edge, full = tiles.append(edge, leaves[edge.size : edge.size + portion])
        stored |= full | edge.tiles
        assert edge == tiles.edge(edge.size, stored)
        assert edge.root == merkle.append(Frontier(), leaves[: edge.size]).root
    assert all(stored[tile] == large().tiles[tile] for tile in stored if tile.width == 256)
    assert set(tile_layout.every(edge.size)) <= stored.keys()


def test_an_edge_goes_over_from_one_level_to_the_next() -> None:
    leaves = large().leaves
    edge, _ = tiles.append(tiles.Edge(), leaves[:65_535])
    assert [len(row) // 32 for row in edge.rows] == [255, 255]
    edge, full = tiles.append(edge, leaves[65_535:65_536])
    assert set(full) == {Tile(0, 255), Tile(1, 0)}
    assert edge.tiles == {Tile(2, 0, 1): edge.root}


def test_an_edge_is_refused_where_a_tile_is_missing_or_torn() -> None:
    stored = large().edge.tiles
    assert tiles.edge(70_000, stored) == large().edge
    for tile, data in stored.items():
        for torn in (data[:-1], data[32:], b""):
            with pytest.raises(Malformed, match=tile.path):
                tiles.edge(70_000, stored | {tile: torn})


@given(st.integers(1, 70_000), st.data())
def test_proofs_are_made_of_few_tiles_that_are_known_beforehand(size: int, data: st.DataObject) -> None:
    log, index = large(), data.draw(st.integers(0, size - 1))
    spans = merkle.inclusion_spans(index, size) + merkle.consistency_spans(index + 1, size)
    wanted = tile_layout.for_spans([(0, size), (0, index + 1), *spans], 70_000)
    assert len(wanted) <= 13
    nodes = tiles.nodes({tile: log.tiles[tile] for tile in wanted}.__getitem__, 70_000)
    root, old = merkle.root(nodes, size), merkle.root(nodes, index + 1)
    merkle.check_inclusion(log.leaves[index], index, size, merkle.inclusion(nodes, index, size), root)
    merkle.check_consistency(index + 1, size, merkle.consistency(nodes, index + 1, size), old, root)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_a_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    tile, data = Tile(ENTRIES, 0, len(entries)), tiles.pack(entries)
    assert tiles.unpack(tile, data) == entries
    for torn in (data[:-1], data + b"\0", data + b"\0\0", data[1:]):
        try:
            found = tiles.unpack(tile, torn)
        except Malformed:
            continue
        assert found != entries  # cut in front, lengths shift: other entries, and so other leaves
        assert torn == data[1:]


def test_a_bundle_takes_entries_up_to_its_length_field() -> None:
    entry = bytes(65_535)
    assert tiles.unpack(Tile(ENTRIES, 0, 1), tiles.pack([entry])) == [entry]
    with pytest.raises(ValueError, match=r"65,535"):
        tiles.pack([entry + b"\0"])
    for data, what in ((b"", "within entry 0"), (b"\0", "within"), (b"\0\2x", "within"), (b"\0\0\0\0", "2 bytes after")):
        with pytest.raises(Malformed, match=what):
            tiles.unpack(Tile(ENTRIES, 0, 1), data)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 600])
def test_a_whole_log_is_read_entry_by_entry(size: int) -> None:
    log = Log(small().entries[:size])
    found = [(first, entry) for first, entries in integrity.entries(size, log.edge.root, log.stored().get) for entry in entries]
    assert [entry for _, entry in found] == list(log.entries)
    assert all(first == number // 256 * 256 for number, (first, _) in enumerate(found))


def test_no_changed_byte_of_a_tile_or_bundle_goes_unnoticed() -> None:
    log, stored = small(), small().stored()
    for tile, data in stored.items():
        for place in {0, 1, len(data) // 2, len(data) - 1}:
            changed = bytearray(data)
            changed[place] ^= 1
            refused(log, stored | {tile: bytes(changed)}, tile)
        refused(log, stored | {tile: data[:-1]}, tile)
        refused(log, {other: data for other, data in stored.items() if other != tile}, tile)


def refused(log: Log, stored: Mapping[Tile, bytes], tile: Tile) -> None:
    """The message names the tile, or the leaf tile above a bundle whose entries are others."""
    with pytest.raises(Malformed) as found:
        integrity.check(len(log.entries), log.edge.root, stored.get)
    assert tile.path in str(found.value) or tile._replace(level=0).path in str(found.value)


def test_entries_that_moved_or_a_shorter_log_are_noticed() -> None:
    log, stored = small(), small().stored()
    first, second, last = tile_layout.bundles(600)
    swapped = {first: stored[second], second: stored[first]} | {Tile(0, 0): stored[Tile(0, 1)], Tile(0, 1): stored[Tile(0, 0)]}
    with pytest.raises(Unproven, match=r"tile/1/000.p/2 .*first at leaf 0"):
        integrity.check(600, log.edge.root, (stored | swapped).get)
    shorter = Log(log.entries[:599])
    with pytest.raises(Unproven, match="root"):
        integrity.check(599, log.edge.root, shorter.stored().get)
    entries = tiles.unpack(last, stored[last])
    with pytest.raises(Unproven, match=r"tile/0/002.p/88 .*first at leaf 515"):
        integrity.check(600, log.edge.root, (stored | {last: tiles.pack([*entries[:3], entries[4], entries[3], *entries[5:]])}).get)
