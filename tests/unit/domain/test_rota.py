"""The written form of shifts: as people write them, and nothing that could be read in two ways."""

from __future__ import annotations

import pytest

from referral.domain.rota import DAY, Single, Weekly, parse
from referral.errors import Rejected


@pytest.mark.parametrize(
    ("written", "shifts"),
    [
        ("mon 08:00-16:00", [(0, 480, 960)]),
        ("Mon-Wed 20:00-08:00", [(0, 1200, 1920), (1, 1200, 1920), (2, 1200, 1920)]),
        ("sat-mon 00:00-24:00", [(0, 0, 1440), (5, 0, 1440), (6, 0, 1440)]),
        ("fri 16:00-mon 08:00", [(4, 960, 960 + 64 * 60)]),
        ("mon 08:00-mon 08:00", [(0, 480, 480 + 7 * DAY)]),
        ("tue,thu 08:00-08:00", [(1, 480, 480 + DAY), (3, 480, 480 + DAY)]),
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
    ],
)
def test_what_is_no_shift_is_refused(written: str) -> None:
    with pytest.raises(Rejected):
        parse(written)
