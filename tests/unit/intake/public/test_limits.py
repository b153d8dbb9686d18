"""Limits of the public page: by place and in all, in bounded memory."""

from __future__ import annotations

import random

import pytest
from prometheus_client import REGISTRY

from services.intake.public import limits
from services.intake.public.limits import Limits, Verdict, places


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
        taken += report(made, address, municipality) is not Verdict.REFUSED
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
    assert next(iter(places(address))) == expected


def test_one_place_is_stopped_and_another_goes_on() -> None:
    clock = Clock()
    made = Limits(clock, most)
    assert accepted(made, [f"203.0.113.{n}" for n in range(99)], "prizren") == limits.SHORT_TIMES * limits.FROM_ONE_PLACE
    assert made.verdict("198.51.100.1", "prizren") is Verdict.WHOLE
    clock.now += limits.HOUR_S
    assert made.verdict("203.0.113.7", "prizren") is Verdict.WHOLE


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
    assert accepted(made, [f"203.0.{n % 8}.7" for n in range(10_000)], "prizren") == 8 * limits.SHORT_TIMES * limits.IN_A_CROWD
    assert accepted(made, ["198.51.100.1"] * 9, "prizren") == limits.SHORT_TIMES * limits.IN_A_CROWD


def test_of_ten_thousand_from_everywhere_each_is_heard_once_a_day_and_the_rest_is_bounded() -> None:
    clock = Clock()
    made = Limits(clock, most)
    everywhere = [f"10.{n // 256}.{n % 256}.1" for n in range(10_000)]
    assert accepted(made, everywhere, "prizren") == 10_000
    assert accepted(made, everywhere[::100], "peje") == 0, "the storage is full"
    assert report(made, "192.0.2.1", "peje") is Verdict.SHORT, "who has sent nothing is heard"
    clock.now += limits.HOUR_S
    assert made.verdict("10.0.0.1", "prizren") is Verdict.WHOLE
    assert made._windows == {}, "what is over is forgotten"


def test_a_refusal_does_not_tell_whether_somebody_else_has_reported() -> None:
    """Whoever counts how many of theirs are accepted, at home, finds between half of the limit and the limit."""
    alone, beside = set(), set()
    for drawn in range(100):
        for others, found in ((0, alone), (1, beside)):
            made = Limits(Clock(), lambda: drawn / 100)  # noqa: B023 - used at once
            accepted(made, ["203.0.113.1"] * others, "prizren")
            mine = accepted(made, ["203.0.113.2"] * 50, "peje")
            found.add(mine)
    limit = limits.SHORT_TIMES * limits.FROM_ONE_PLACE
    assert max(alone) <= limit and len(alone & beside) >= 0.9 * limit / 2, "nearly every count says nothing"


def test_an_operator_sees_what_was_refused() -> None:
    before, made = told(), Limits(Clock(), most)
    accepted(made, ["203.0.113.7"] * (limits.SHORT_TIMES * limits.FROM_ONE_PLACE + 3), "prizren")
    assert told() - before == 3


def told() -> float:
    return REGISTRY.get_sample_value("referral_public_refused_total") or 0.0


def networks(count: int, start: str = "2001:db8") -> list[str]:
    """An address in each of so many /48 of one /40."""
    return [f"{start}:{n:x}::1" for n in range(count)]


def test_seventeen_networks_shut_no_town_s_page_to_others() -> None:
    """Some sixty reports from 17 /48 shut the page of Prizren to everybody for an hour."""
    for seed in range(25):
        made = Limits(Clock(), random.Random(seed).random)
        for n in range(600):
            report(made, networks(17)[n // 30 % 17], "prizren")
        assert report(made, "2a00:1450::1", "prizren") is Verdict.WHOLE, seed
        assert report(made, "2001:db9::1", "prizren") is Verdict.WHOLE, seed
        assert report(made, "2a00:1450::2", "prizren") is not Verdict.REFUSED, seed


@pytest.mark.parametrize("drawn", [0.0, 1.0])
@pytest.mark.parametrize("spread", [1, 64])
def test_the_networks_of_one_provider_do_not_shut_the_country_s_page(drawn: float, spread: int) -> None:
    """591 reports from 187 /48, all of one /40, shut it for an hour. spread: of that many /40 of one /32."""
    made = Limits(Clock(), lambda: drawn)
    taken = 0
    for n in range(10_000):
        where = f"2001:db8:{(n % spread) << 8 | n % 187:x}::1"
        taken += report(made, where, ("prizren", "peje", "gjilan", "")[n % 4]) is not Verdict.REFUSED
    assert taken <= limits.IN_ALL
    assert all(report(made, f"2a00:{n:x}::1", town) is Verdict.WHOLE for n, town in enumerate(("prizren", "peje", "gjilan", "")))


def test_whoever_has_sent_nothing_today_is_never_refused() -> None:
    """However much came from elsewhere. What is above the storage is refused to everybody who has sent before."""
    clock = Clock()
    made = Limits(clock, most)
    found = [report(made, f"{16 + n // 65536}.{n // 256 % 256}.{n % 256}.1", "prizren") for n in range(0, 600_000, 300)]
    assert Verdict.REFUSED not in found
    assert found[limits.FOR_ONE_MUNICIPALITY + 1] is Verdict.WHOLE
    again = [report(made, "16.0.0.1", "peje") for _ in range(3)]
    assert Verdict.REFUSED in again, "the storage is full, and it has sent today"
    clock.now += limits.DAY_S
    assert report(made, "16.0.0.1", "peje") is Verdict.WHOLE


def report(made: Limits, address: str, municipality: str) -> Verdict:
    """Send one report."""
    verdict = made.verdict(address, municipality)
    if verdict is not Verdict.REFUSED:
        made.took(address, municipality)
    return verdict
