"""Limits of the public page: by place and in all, in bounded memory."""

from __future__ import annotations

import pytest

from services.intake.public import limits
from services.intake.public.limits import Limits, place


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def accepted(made: Limits, addresses: list[str], municipality: str) -> int:
    """How many of them are taken."""
    taken = 0
    for address in addresses:
        if not made.refuses(address, municipality):
            made.took(address, municipality)
            taken += 1
    return taken


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::5", "2001:db8:1::/48"),
        ("", ""),
        ("x" * 99, "x" * 50),
    ],
)
def test_a_place_is_what_one_sender_holds(address: str, expected: str) -> None:
    assert place(address) == expected


def test_one_place_is_stopped_and_another_goes_on() -> None:
    clock = Clock()
    made = Limits(clock)
    assert accepted(made, [f"203.0.113.{n}" for n in range(99)], "prizren") == limits.FROM_ONE_PLACE
    assert not made.refuses("198.51.100.1", "prizren")
    clock.now += limits.HOUR_S
    assert not made.refuses("203.0.113.7", "prizren")


def test_ten_thousand_from_everywhere_are_sixty() -> None:
    clock = Clock()
    made = Limits(clock)
    everywhere = [f"10.{n // 256}.{n % 256}.1" for n in range(10_000)]
    assert accepted(made, everywhere, "prizren") == limits.FOR_ONE_MUNICIPALITY
    assert not made.refuses("192.0.2.1", "peje"), "another municipality stays open"
    assert sum(accepted(made, everywhere, town) for town in ("peje", "gjilan", "decan", "")) == limits.IN_ALL - limits.FOR_ONE_MUNICIPALITY
    clock.now += limits.HOUR_S
    assert not made.refuses("10.0.0.1", "prizren")
    assert len(made._windows) <= 3, "what is over is forgotten"


def test_tries_of_codes_are_bounded_in_number_and_memory() -> None:
    made = Limits(Clock())
    assert [made.tried("203.0.113.7") for _ in range(limits.TRIES + 1)] == [True] * limits.TRIES + [False]
    for n in range(limits.PLACES + 10):
        made.tried(f"2001:db8:{n:x}::1")
    assert len(made._tries) == limits.PLACES
