"""Decide how often somebody may come, without a clock or a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.runtime import http_listener
from referral.runtime.http_listener import Allowances, Arrivals

GAPS = st.lists(st.floats(0, 5), min_size=1, max_size=200)


@given(GAPS, st.floats(0.5, 50))
def test_no_sequence_takes_more_than_its_rate(gaps: list[float], a_second: float) -> None:
    allowed, at, taken = Allowances(), 0.0, 0
    for gap in gaps:
        at += gap
        taken += not allowed.take("one", a_second, at)
        assert taken <= a_second * (http_listener.AT_ONCE_S + at) + 1e-6


@given(GAPS, st.floats(0.5, 50))
def test_who_waits_as_long_as_it_was_told_is_served(gaps: list[float], a_second: float) -> None:
    allowed, at = Allowances(), 0.0
    while not allowed.take("one", a_second, at):
        pass
    for gap in gaps:
        at += gap
        if wait := allowed.take("one", a_second, at):
            at += wait + 1e-6
            assert not allowed.take("one", a_second, at)


def test_one_that_floods_takes_nothing_of_another() -> None:
    allowed = Allowances()
    assert [bool(allowed.take("flood", 1, 0)) for _ in range(11)] == [False] * 10 + [True]
    assert not allowed.take("other", 1, 0)


def test_the_longest_unused_one_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_listener, "REMEMBERED", 3)
    allowed = Allowances()
    for _ in range(11):
        allowed.take("flood", 1, 0)
    for other in "abcdef":
        allowed.take(other, 1, 0)
        assert allowed.take("flood", 1, 0), "it is used, so it is remembered"
    for other in "abcd":
        allowed.take(other, 1, 0)
    assert not allowed.take("flood", 1, 0)


def test_an_address_that_has_shown_something_is_admitted_while_its_network_floods() -> None:
    arrivals = Arrivals()
    arrivals.show("192.0.2.7", 0)
    admitted = [arrivals.admit("192.0.2.8", "network 192.0.2.0/24", 1) for _ in range(1000)]
    assert sum(admitted) == http_listener.AT_ONCE_S * http_listener.NETWORK_COMES_S
    assert arrivals.admit("192.0.2.7", "network 192.0.2.0/24", 1)
    assert not arrivals.admit("192.0.2.9", "network 192.0.2.0/24", 1)


def test_a_day_later_it_has_to_show_something_again() -> None:
    arrivals, network = Arrivals(), "network 192.0.2.0/24"
    arrivals.show("192.0.2.7", 0)
    day = http_listener.SHOWN_FOR_S
    while arrivals.admit("192.0.2.8", network, day):
        pass
    assert arrivals.admit("192.0.2.7", network, day - 1) and not arrivals.admit("192.0.2.7", network, day)
    arrivals.show("192.0.2.7", day)
    assert arrivals.admit("192.0.2.7", network, day)
