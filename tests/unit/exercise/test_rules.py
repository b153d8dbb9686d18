"""Hours and numbers of exercises: which instant is loud, when the next one is, and what stands in the way of a start."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from referral.domain.durations import DAY_US
from referral.domain.local_time import LOCAL, local
from referral.exercise import rules
from referral.exercise.rules import Started, is_loud, loud_from, refusal


def at(written: str) -> int:
    """A wall clock in Kosovo, µs UTC. The days of the tests: 24 November 2026 is a Tuesday."""
    return round(datetime.fromisoformat(written).replace(tzinfo=LOCAL).timestamp()) * 1_000_000


NOON = at("2026-11-24T12:00")
NIGHT = (at("2026-11-24T20:00"), at("2026-11-25T06:00"))


@pytest.mark.parametrize(
    ("when", "then"),
    [
        ("2026-11-24T08:00", "2026-11-24T08:00"),
        ("2026-11-24T15:59", "2026-11-24T15:59"),
        ("2026-11-24T16:00", "2026-11-25T08:00"),
        ("2026-11-24T07:59", "2026-11-24T08:00"),
        ("2026-11-27T16:00", "2026-11-30T08:00"),
        ("2026-11-28T12:00", "2026-11-30T08:00"),
        ("2026-03-27T23:00", "2026-03-30T08:00"),
    ],
)
def test_an_exercise_is_loud_by_day_and_waits_for_the_next_working_day(when: str, then: str) -> None:
    assert f"{local(loud_from(at(when))):%Y-%m-%dT%H:%M}" == then
    assert is_loud(at(when)) == (when == then)


def test_on_a_public_holiday_an_exercise_waits_for_the_next_working_day() -> None:
    days = [(date(2026, 12, day) - rules.EPOCH).days for day in (24, 25)]
    for when in ("2026-12-24T09:00", "2026-12-25T12:00"):
        assert not is_loud(at(when), holidays=days) and loud_from(at(when), holidays=days) == at("2026-12-28T08:00")
    leave = (at("2026-12-25T12:00"), at("2026-12-25T13:00"))
    assert is_loud(leave[0], [leave], days), "whoever has agreed to an hour has agreed to it on a holiday"
    assert loud_from(at("2026-12-24T09:00"), [leave], days) == leave[0]
    every = range(days[0], days[0] + rules.AHEAD)
    assert loud_from(at("2026-12-24T09:00"), holidays=every) > at("2027-01-20T00:00"), "a calendar of nothing but holidays ends somewhere"


def test_leave_of_the_head_makes_its_hours_loud_and_no_others() -> None:
    assert is_loud(at("2026-11-24T23:00"), [NIGHT]) and not is_loud(NIGHT[1], [NIGHT])
    assert loud_from(at("2026-11-24T18:00"), [NIGHT]) == NIGHT[0], "what waits leaves when the leave begins"
    assert loud_from(at("2026-11-25T07:00"), [NIGHT]) == at("2026-11-25T08:00")


def begun(days: int, municipality: str = "prizren", *, ended: bool = True) -> Started:
    return Started(municipality, NOON - days * DAY_US, ended)


def test_who_may_start_when() -> None:
    assert refusal("prizren", [], NOON) == ""
    assert refusal("prizren", [], at("2026-11-24T20:00")) == "night"
    assert refusal("prizren", [], at("2026-11-24T20:00"), agreed=[NIGHT]) == ""
    assert refusal("prizren", [], NOON, holidays=[(date(2026, 11, 24) - rules.EPOCH).days]) == "night"
    assert refusal("prizren", [], at("2026-11-24T20:00"), by_day=False) == "", "the clock of a stack for drills alone has no night"


def test_how_many() -> None:
    assert refusal("prizren", [begun(60, ended=False)], NOON) == "running"
    assert refusal("prizren", [begun(60, "dragash", ended=False)], NOON) == ""
    assert refusal("prizren", [begun(1)] * (rules.MOST_HERE - 1), NOON) == ""
    assert refusal("prizren", [begun(1)] * rules.MOST_HERE, NOON) == "here"
    assert refusal("prizren", [begun(31)] * rules.MOST_HERE, NOON) == ""
    elsewhere = [begun(1, f"place-{n}") for n in range(rules.MOST_ANYWHERE)]
    assert refusal("prizren", elsewhere, NOON) == "anywhere" and refusal("prizren", elsewhere[1:], NOON) == ""
