"""The written form of shifts: as people write them, and nothing that could be read in two ways."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from referral.domain.rota import DAY_MIN, FIRST, LAST, Single, Weekly, parse, planned
from referral.errors import Rejected
from services.notifier import duty


@pytest.mark.parametrize(
    ("written", "shifts"),
    [
        ("mon 08:00-16:00", [(0, 480, 960)]),
        ("Mon-Wed 20:00-08:00", [(0, 1200, 1920), (1, 1200, 1920), (2, 1200, 1920)]),
        ("sat-mon 00:00-24:00", [(0, 0, 1440), (5, 0, 1440), (6, 0, 1440)]),
        ("fri 16:00-mon 08:00", [(4, 960, 960 + 64 * 60)]),
        ("mon 08:00-mon 08:00", [(0, 480, 480 + 7 * DAY_MIN)]),
        ("tue,thu 08:00-08:00", [(1, 480, 480 + DAY_MIN), (3, 480, 480 + DAY_MIN)]),
    ],
)
def test_a_rota_is_written_as_people_write_it(written: str, shifts: list[tuple[int, int, int]]) -> None:
    assert parse(written) == tuple(Weekly(*shift) for shift in shifts)


def test_a_single_shift_is_two_moments() -> None:
    shift = parse("2026-12-24 20:00/2026-12-25 08:00")
    assert shift == Single(1798138800000000, 1798182000000000)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "mon",
        "mon 25:00-26:00",
        "xyz 08:00-09:00",
        "2026-12-25 08:00/2026-12-24 20:00",
        "2026-03-29 02:30/2026-03-29 08:00",
        "mon 08:61-9:00",
        "0001-01-01 00:00/2026-12-24 20:00",
        "2026-12-24 20:00/9999-12-31 23:59",
    ],
)
def test_what_is_no_shift_is_refused(written: str) -> None:
    with pytest.raises(Rejected):
        parse(written)


@pytest.mark.parametrize("day", [date(1, 1, 1), FIRST - timedelta(days=1), LAST + timedelta(days=1), date(9999, 12, 31)])
def test_a_day_of_another_century_is_refused_because_it_has_no_zone_at_some_point(day: date) -> None:
    with pytest.raises(Rejected) as why:
        planned(day, "until")
    assert (why.value.code, why.value.where) == ("too-far", "until")


@pytest.mark.parametrize("day", [FIRST, LAST])
def test_duty_can_be_computed_on_the_first_and_the_last_day(day: date) -> None:
    person = duty.Person("account", "agency", ("rung",), ("email",))
    known = duty.Roster((person,), (duty.Shift("account", "agency", "rung", Weekly(day.weekday(), 1200, 1920, planned(day, ""), day)),))
    at = duty.instant(day, 1300)
    assert duty.on_duty(known, "agency", "rung", at).people == (person,)
    assert duty.next_change(known, "agency", "rung", at) is not None
