"""Work on several processes: results in the order of the shares, all progress told, and a process that dies is no hang."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from multiprocessing import active_children

import pytest

from referral.parallel import Advance, shared


def squares(first: int, jobs: int, last: int, advance: Advance) -> Iterator[int]:
    for number in range(first, last, jobs):
        advance(number)
        yield number * number


def dies(number: int, advance: Advance) -> Iterator[int]:
    advance(1)
    if number:
        os._exit(1)
    yield number


def endless(advance: Advance) -> Iterator[int]:
    yield from count()


def test_results_come_in_the_order_of_the_shares_and_progress_comes_whole() -> None:
    steps: list[int] = []
    assert list(shared(squares, [(0, 2, 7), (1, 2, 7)], 7, steps.append)) == [number * number for number in range(7)]
    assert sum(steps) == sum(range(7))


def test_a_process_that_dies_is_an_error_with_a_way_out() -> None:
    with pytest.raises(RuntimeError, match="--jobs 1"):
        list(shared(dies, [(0,), (1,)], 2, lambda _: None))


def test_whoever_leaves_early_leaves_no_process_behind() -> None:
    before = set(active_children())
    results = shared(endless, [(), ()], 1_000_000, lambda _: None)
    assert [next(results) for _ in range(4)] == [0, 0, 1, 1]
    results.close()  # type: ignore[attr-defined]
    assert set(active_children()) <= before
