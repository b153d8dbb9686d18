"""Where HiGHS gives up nothing is sure: less is told, or the months wait, and oversight goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import scipy.optimize

from services.oversight.disclosure import integer_program
from services.oversight.disclosure.integer_program import System, solve
from services.oversight.disclosure.releases import make
from tests.unit.oversight.test_releases import COURSES, MEASURES, MONTHS, blocks, released

Solver = Callable[..., Any]


@pytest.fixture
def gives_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Any], bool]], None]]:
    """Let HiGHS give up on each problem of which this is so."""
    true: Solver = scipy.optimize.milp

    def solver(which: Callable[[Any], bool], *problem: Any, **told: Any) -> Any:
        found = true(*problem, **told)
        if which(problem[0]):
            found.status, found.fun = 4, None
        return found

    def let(which: Callable[[Any], bool]) -> None:
        monkeypatch.setattr(scipy.optimize, "milp", partial(solver, which))
        integer_program._solve.cache_clear()

    yield let
    integer_program._solve.cache_clear()


def test_a_sum_that_it_gives_up_on_has_one_value(gives_up: Callable[[Callable[[Any], bool]], None]) -> None:
    """Be it the smallest or the largest that cannot be found."""
    asked = System()
    asked.row({"a": 1, "b": 1}, 40, 40)
    asked.ask("a", {"a": 1})
    assert solve(asked) == ([("a", 0, 40)], True)
    for sign in (1, -1):
        gives_up(lambda aim, sign=sign: sign * aim.sum() > 0)
        ([(_, low, high)], _) = solve(asked)
        assert low == high


def test_months_wait_while_it_gives_up_and_are_told_once_it_does_not(gives_up: Callable[[Callable[[Any], bool]], None]) -> None:
    assert any(value for _, _, value in blocks(released(COURSES, MONTHS[:4]), "busy"))
    gives_up(lambda aim: True)
    waited = released(COURSES, MONTHS[:4])
    assert [(first, last, value) for first, last, value in blocks(waited, "busy")] == [(MONTHS[0], last, None) for last in MONTHS[:4]]
    gives_up(lambda aim: False)
    [(first, last, value)] = blocks([make(MONTHS[4], COURSES, [], waited, {}, MEASURES)], "busy")
    assert (first, last) == (MONTHS[0], MONTHS[4]) and value
