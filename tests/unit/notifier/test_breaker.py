"""Which provider is used: a dead one is left soon, tried again by one message at a time, and never a reason to send nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.breaker import FIRST_SECONDS, IN_A_ROW, MOST_SECONDS, RECENT, SECOND, Breaker, after, order


def told(results: str, gap: int = SECOND, start: Breaker | None = None) -> Breaker:
    """The state after results, y or n, one second apart."""
    now, known = 0, start or Breaker()
    for result in results:
        now += gap
        known = after(known, result == "y", now, 0.0)
    return known


@pytest.mark.parametrize(
    ("results", "opens"),
    [("nn", False), ("nnn", True), ("nnynn", False), ("nynynyny", False), ("nynynynyn", True), ("nnyyyyyyynn", False), ("ynnn", True)],
)
def test_three_in_a_row_or_five_of_ten_open_it(results: str, opens: bool) -> None:
    assert (told(results).open_until is not None) is opens


def test_it_stays_open_twice_as_long_each_time_up_to_a_limit_and_one_success_closes_it() -> None:
    known, now, spans = told("nnn"), 3 * SECOND, []
    for _ in range(8):
        assert known.open_until is not None
        spans.append((known.open_until - now) // SECOND)
        now = known.open_until
        known = after(known, False, now, 0.0)
    assert spans == [FIRST_SECONDS, 20, 40, 80, 160, MOST_SECONDS, MOST_SECONDS, MOST_SECONDS]
    closed = after(known, True, now, 0.0)
    assert closed == Breaker(since=now, recent=(True,), succeeded_at=now)


def test_chance_takes_up_to_half() -> None:
    spans = [after(told("nn"), False, 0, chance).open_until for chance in (0.0, 0.5, 0.999)]
    assert spans == [10 * SECOND, 7_500_000, 5_005_000]


def test_messages_that_were_under_way_when_it_opened_do_not_prolong_it() -> None:
    known = told("nnn")
    assert after(known, False, 4 * SECOND, 0.0) == known


def test_one_message_at_a_time_tries_an_open_one() -> None:
    known = told("nnn")
    assert known.open_until is not None
    assert not known.may_be_probed(known.open_until - 1)
    assert known.may_be_probed(known.open_until)
    assert not replace(known, probe_until=known.open_until + 5).may_be_probed(known.open_until + 4)
    assert replace(known, probe_until=known.open_until + 5).may_be_probed(known.open_until + 5)


def test_the_order() -> None:
    opened, later = told("nnn"), replace(told("nnn"), open_until=99 * SECOND)
    assert order(("a", "b"), {}, None) == ("a", "b")
    assert order(("a", "b"), {"a": opened}, None) == ("b",)
    assert order(("a", "b"), {"a": opened}, "a") == ("a", "b")
    assert order(("a", "b"), {"a": later, "b": opened}, None) == ("b",)
    assert order(("a",), {"a": opened}, None) == ("a",)


@given(st.lists(st.booleans(), max_size=60), st.floats(0, 0.999), st.integers(1, 60 * SECOND))
def test_whatever_happens_the_state_stays_bounded(results: list[bool], chance: float, gap: int) -> None:
    known, now = Breaker(), 0
    for reached in results:
        now += gap
        before, known = known, after(known, reached, now, chance)
        assert len(known.recent) <= RECENT
        assert known.open_until is None or known.open_until <= now + MOST_SECONDS * SECOND
        assert not reached or known.open_until is None
        assert (before.open_until is None and known.open_until is not None) <= (results[:] != [] and not reached)
        assert order(("a", "b"), {"a": known}, None)
    assert IN_A_ROW < RECENT
