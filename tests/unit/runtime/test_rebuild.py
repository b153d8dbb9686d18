"""Fill an empty topic from the log: one record for each offset, the one before where none is known, and positions that fit it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.errors import Malformed
from referral.runtime.loop.outbox import Blob, Record, rounds
from referral.runtime.loop.units import digest
from referral.runtime.recovery.old_offsets import Filler, Kept, Old, settled, tail


def old(offset: int) -> Old:
    return Old(b"case", f"record {offset}".encode(), [], offset)


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 80))
def test_each_record_gets_its_offset_and_a_hole_the_record_before(offsets: set[int], end: int) -> None:
    filler, written = Filler(), list[Old]()
    for offset in sorted(offsets):
        written += filler.take(offset, old(offset))
    written += filler.until(end)
    assert len(written) == filler.next == max(end, max(offsets) + 1)
    assert all(written[offset] == old(offset) for offset in offsets)
    first = min(offsets)
    assert all(one == old(first) for one in written[:first]), "at the beginning it is the first"
    assert all(b in (a, old(n)) for n, (a, b) in enumerate(itertools.pairwise(written), 1) if n > first)


def test_a_partition_of_which_nothing_is_logged_stays_empty() -> None:
    assert Filler().until(9) == []


def test_an_offset_that_is_there_twice_is_no_log() -> None:
    filler = Filler()
    filler.take(3, old(3))
    with pytest.raises(Malformed, match="twice"):
        filler.take(3, old(3))


def test_positions_are_those_of_the_records_that_are_there_now() -> None:
    found = {4: digest(b"case", b"record 4")}
    assert settled((5, found[4]), 9, found) == (5, found[4]), "unchanged"
    assert settled((5, digest(b"case", b"a repeat")), 9, found) == (5, found[4]), "another record stands for the repeat"
    assert settled((0, ""), 9, found) == (0, "") and settled((5, ""), 9, found) == (5, "")
    assert settled((7, "x"), 5, found) == (5, found[4]) and settled((3, "x"), 0, {}) == (0, ""), "what it read is published again"
    assert settled((7, "x"), 7, None) == (7, "x") and settled((7, "x"), 0, None) == (0, ""), "an agency's own topic"


def record(number: int) -> Record:
    return Record(b"case", f"record {number}".encode(), [])


def numbers(again: dict[int, list[Record]]) -> list[list[int]]:
    return [[int(one.value.split()[1]) for one in records] for records in again.values()]


def test_what_the_log_had_not_read_gets_its_old_offsets() -> None:
    one, two, three = Kept(1, 12, [record(10), record(11)]), Kept(2, 15, [record(12), record(13), record(14)]), Kept(3, None, [record(15)])
    assert numbers(tail(10, "", [one, two, three])) == [[10, 11], [12, 13, 14], [15]]
    assert numbers(tail(13, "", [one, two, three])) == [[], [13, 14], [15]], "the log had read into the second"
    twice = Kept(2, 18, two.records)
    assert numbers(tail(10, "", [one, twice, three])) == [[10, 11], [11, 11, 11, 12, 13, 14], [15]], "it had been stored twice"


def test_what_was_never_confirmed_is_published_from_where_the_log_ends() -> None:
    blob = Kept(1, None, [record(10), record(11), record(12)])
    assert numbers(tail(10, digest(b"case", b"record 9"), [blob])) == [[10, 11, 12]]
    assert numbers(tail(12, digest(b"case", b"record 11"), [blob])) == [[12]], "the log had read two of three"
    assert numbers(tail(13, digest(b"case", b"record 12"), [blob])) == [[]]


def test_blobs_of_one_partition_are_published_one_after_another() -> None:
    blobs = [Blob(partition, number, []) for number, partition in enumerate((1, 2, 1, 3, 1, 2))]
    turns = rounds(blobs)
    assert [[blob.id for blob in turn] for turn in turns] == [[0, 1, 3], [2, 5], [4]]
    assert all(len({blob.partition for blob in turn}) == len(turn) for turn in turns)
