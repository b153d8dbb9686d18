"""When the log is signed, and how far it is filled up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.durations import SECOND_US
from services.audit import beat
from services.audit.beat import BLOCK

MINUTE = 60 * SECOND_US


@pytest.mark.parametrize(
    ("size", "signed", "filled"),
    [
        (0, 0, BLOCK),
        (1, 0, BLOCK),
        (96, 0, BLOCK),
        (97, 0, 2 * BLOCK),
        (96, 96, 192),
        (100, 96, 192),
        (500, 96, 576),
        (61_234, 61_234, 61_248),
    ],
)
def test_a_checkpoint_ends_a_block_and_is_above_the_last_one(size: int, signed: int, filled: int) -> None:
    assert size + beat.cover(size, signed) == filled


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_no_size_tells_more_than_its_number_of_blocks(signed: int, more: int) -> None:
    filled = signed + more + beat.cover(signed + more, signed)
    assert filled % BLOCK == 0 and filled > signed and 0 <= filled - (signed + more) <= BLOCK
    assert filled - max(signed + more, signed + 1) < BLOCK, "never a block more than is needed"


def test_a_beat_comes_whether_anything_was_logged_or_not_and_never_twice() -> None:
    assert beat.due(5, 5, 1 * MINUTE, 5 * MINUTE, 300) and beat.due(9, 5, 1 * MINUTE, 5 * MINUTE, 300)
    assert not beat.due(9, 5, 5 * MINUTE, 9 * MINUTE, 300), "however much was logged meanwhile"
    assert beat.due(5, 5, 90 * MINUTE, 5 * MINUTE, 300), "a clock that was set back does not stop the log"


def test_without_a_beat_it_is_signed_when_anything_was_logged() -> None:
    assert beat.due(6, 5, 0, 0, 0) and not beat.due(5, 5, 0, 60 * MINUTE, 0)


def test_the_next_beat_is_where_the_clock_says_it_for_everybody() -> None:
    assert beat.left(9 * MINUTE, 300) == 60 and beat.left(10 * MINUTE, 300) == 300 and beat.left(10 * MINUTE - 1, 300) == 1e-6
