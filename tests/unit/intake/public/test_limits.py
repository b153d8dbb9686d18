"""Limits of the public page: by place and in all, in bounded memory."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from services.intake.public import limits
from services.intake.public.limits import Limits, place


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def most() -> float:
    """Draws the highest limits."""
    return 0.0


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
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
        ("x" * 99, ""),
        ("203.0.113.7, 198.51.100.1", ""),
    ],
)
def test_a_place_is_what_one_sender_holds(address: str, expected: str) -> None:
    assert place(address) == expected


def test_one_place_is_stopped_and_another_goes_on() -> None:
    clock = Clock()
    made = Limits(clock, most)
    assert accepted(made, [f"203.0.113.{n}" for n in range(99)], "prizren") == limits.FROM_ONE_PLACE
    assert not made.refuses("198.51.100.1", "prizren")
    clock.now += limits.HOUR_S
    assert not made.refuses("203.0.113.7", "prizren")


@pytest.mark.parametrize("places", [1, 2, 6, 20])
def test_a_flood_from_some_places_shuts_nobody_else_out(places: int) -> None:
    """Two senders with ten each made a crowd of one municipality, and six of them one of the country: everybody else was refused."""
    made = Limits(Clock(), most)
    towns = ("prizren", "peje", "gjilan", "")
    taken = sum(accepted(made, [f"203.0.{n % places}.{n % 250}"], towns[n % 4]) for n in range(10_000))
    assert taken <= limits.CROWD_IN_ALL + limits.IN_A_CROWD * places
    for n, town in enumerate(towns):
        assert accepted(made, [f"198.51.{n}.1"], town) == 1, "a teacher from anywhere else"


def test_all_to_one_municipality_leave_it_open_for_others_too() -> None:
    made = Limits(Clock(), most)
    assert accepted(made, [f"203.0.{n % 8}.7" for n in range(10_000)], "prizren") == limits.CROWD_FOR_ONE
    assert accepted(made, ["198.51.100.1"] * 5, "prizren") == limits.IN_A_CROWD


def test_ten_thousand_from_everywhere_are_bounded() -> None:
    clock = Clock()
    made = Limits(clock, most)
    everywhere = [f"10.{n // 256}.{n % 256}.1" for n in range(10_000)]
    assert accepted(made, everywhere, "prizren") == limits.FOR_ONE_MUNICIPALITY
    assert not made.refuses("192.0.2.1", "peje"), "another municipality stays open"
    rest = sum(accepted(made, everywhere[n::9], f"town {n}") for n in range(9))
    assert rest == limits.IN_ALL - limits.FOR_ONE_MUNICIPALITY
    assert len(made._windows) <= limits.IN_ALL + 11, "a refused sender is not remembered"
    clock.now += limits.HOUR_S
    assert not made.refuses("10.0.0.1", "prizren")
    assert made._windows == {}, "what is over is forgotten"


def test_a_refusal_does_not_tell_whether_somebody_else_has_reported() -> None:
    """Whoever counts how many of theirs are accepted, at home or for a municipality, finds between half of the limit and the limit."""
    alone, beside = set(), set()
    for drawn in range(100):
        for others, found in ((0, alone), (1, beside)):
            made = Limits(Clock(), lambda: drawn / 100)  # noqa: B023 - used at once
            accepted(made, ["203.0.113.1"] * others, "prizren")
            mine = accepted(made, ["203.0.113.2"] * 50, "peje")
            for_one = accepted(made, [f"198.51.{n}.1" for n in range(250)], "prizren")
            found.add((mine, for_one))
    for n, limit in enumerate((limits.FROM_ONE_PLACE, limits.FOR_ONE_MUNICIPALITY)):
        counts = [{one[n] for one in found} for found in (alone, beside)]
        assert max(counts[0]) <= limit and len(counts[0] & counts[1]) >= 0.9 * limit / 2, "nearly every count says nothing"


def test_an_operator_sees_what_was_refused() -> None:
    before, made = told(), Limits(Clock(), most)
    accepted(made, ["203.0.113.7"] * (limits.FROM_ONE_PLACE + 3), "prizren")
    assert told() - before == 3


def told() -> float:
    return REGISTRY.get_sample_value("referral_public_refused_total") or 0.0
