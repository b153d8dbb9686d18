"""Which provider is used: a dead one is left soon, tried again by one message at a time, and never a reason to send nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.durations import SECOND_US
from services.notifier.breaker import (
    FIRST_SECONDS,
    IN_A_ROW,
    MOST_SECONDS,
    QUICK,
    RECEIPTS,
    RECENT,
    SLOW_SECONDS,
    Breaker,
    after,
    delivered,
    order,
)


def told(results: str, gap: int = SECOND_US, start: Breaker | None = None) -> Breaker:
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
    known, now, spans = told("nnn"), 3 * SECOND_US, []
    for _ in range(8):
        assert known.open_until is not None
        spans.append((known.open_until - now) // SECOND_US)
        now = known.open_until
        known = after(known, False, now, 0.0)
    assert spans == [FIRST_SECONDS, 20, 40, 80, 160, MOST_SECONDS, MOST_SECONDS, MOST_SECONDS]
    closed = after(known, True, now, 0.0)
    assert closed == Breaker(since=now, recent=(True,), succeeded_at=now)


def test_chance_takes_up_to_half() -> None:
    spans = [after(told("nn"), False, 0, chance).open_until for chance in (0.0, 0.5, 0.999)]
    assert spans == [10 * SECOND_US, 7_500_000, 5_005_000]


def test_messages_that_were_under_way_when_it_opened_do_not_prolong_it() -> None:
    known = told("nnn")
    assert after(known, False, 4 * SECOND_US, 0.0) == known


def test_one_message_at_a_time_tries_an_open_one() -> None:
    known = told("nnn")
    assert known.open_until is not None
    assert not known.may_be_probed(known.open_until - 1)
    assert known.may_be_probed(known.open_until)
    assert not replace(known, probe_until=known.open_until + 5).may_be_probed(known.open_until + 4)
    assert replace(known, probe_until=known.open_until + 5).may_be_probed(known.open_until + 5)


def test_the_order() -> None:
    opened, later = told("nnn"), replace(told("nnn"), open_until=99 * SECOND_US)
    assert order(("a", "b"), {}, None) == ("a", "b")
    assert order(("a", "b"), {"a": opened}, None) == ("b",)
    assert order(("a", "b"), {"a": opened}, "a") == ("a", "b")
    assert order(("a", "b"), {"a": later, "b": opened}, None) == ("b",)
    assert order(("a",), {"a": opened}, None) == ("a",)


def took(*seconds: float, start: Breaker | None = None) -> Breaker:
    """The state after receipts."""
    known = start or Breaker()
    for one in seconds:
        known = delivered(known, one)
    return known


@pytest.mark.parametrize(
    ("late", "slow"), [([], False), ([61.0], False), ([61.0, 61.0], True), ([60.0, 60.0], False), ([3600.0, 60.1], True)], ids=str
)
def test_two_late_receipts_of_twenty_make_it_slow(late: list[float], slow: bool) -> None:
    assert took(*late, *[1.0] * (RECEIPTS - len(late))).slow is slow
    assert not took(*late, *[1.0] * (RECEIPTS - len(late) - 1)).slow, "nineteen say nothing"


def test_a_slow_one_is_tried_last_and_first_by_one_message_now_and_then() -> None:
    slow = took(*[90.0] * RECEIPTS)
    assert order(("a", "b"), {"a": slow}, None) == ("b", "a")
    assert order(("a", "b"), {"a": slow}, "a") == ("a", "b")
    assert order(("a", "b"), {"a": slow, "b": told("nnn")}, None) == ("a",), "slow is better than away"
    assert slow.may_be_probed(5) and not replace(slow, probe_until=6).may_be_probed(5)
    assert not took(*[1.0] * RECEIPTS).may_be_probed(5), "a quick one needs no trial"
    held = replace(slow, probe_until=6)
    assert after(held, True, 4, 0.0).probe_until == 6, "what it takes meanwhile makes no more of them"


def test_a_slow_one_is_quick_again_after_five_receipts_in_time() -> None:
    known = took(*[90.0] * RECEIPTS)
    for n in range(QUICK):
        assert known.slow, n
        known = delivered(known, 2.0)
    assert not known.slow and not took(*[90.0] * (QUICK + 1), start=known).slow, "and needs twenty to be slow again"


@pytest.mark.parametrize("results", ["y", "n", "nnn", "nnny"])
def test_success_and_failure_forget_no_receipt(results: str) -> None:
    assert told(results, start=took(1.0, 2.0)).took == (1.0, 2.0)


@given(st.lists(st.floats(0, 200), max_size=60))
def test_slow_is_the_percentile_of_the_last_twenty_until_five_are_quick(seconds: list[float]) -> None:
    known, since = Breaker(), list[float]()
    for one in seconds:
        since.append(one)
        last = since[-RECEIPTS:]
        late = sum(x > SLOW_SECONDS for x in last) >= 2 and len(last) == RECEIPTS
        if known.slow and all(x <= SLOW_SECONDS for x in last[-QUICK:]):
            since, late = last[-QUICK:], False
        known = delivered(known, one)
        assert known.slow is late and list(known.took) == since[-RECEIPTS:]


@given(st.lists(st.booleans(), max_size=60), st.floats(0, 0.999), st.integers(1, 60 * SECOND_US))
def test_whatever_happens_the_state_stays_bounded(results: list[bool], chance: float, gap: int) -> None:
    known, now = Breaker(), 0
    for reached in results:
        now += gap
        before, known = known, after(known, reached, now, chance)
        assert len(known.recent) <= RECENT
        assert known.open_until is None or known.open_until <= now + MOST_SECONDS * SECOND_US
        assert not reached or known.open_until is None
        assert (before.open_until is None and known.open_until is not None) <= (results[:] != [] and not reached)
        assert order(("a", "b"), {"a": known}, None)
    assert IN_A_ROW < RECENT
