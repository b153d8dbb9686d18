"""Limits: clock units ignore holidays, working days end at midnight in Prishtinë, and the calendar is a true snapshot."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.durations import DAY_US, MINUTE_US
from referral.domain.policy.limits import Limit, due
from tests.stories.teller import policy

CALENDAR = policy().calendar
ZONE = ZoneInfo("Europe/Belgrade")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime(2025, 1, 2, tzinfo=UTC), datetime(2031, 6, 1, tzinfo=UTC)
instants = st.integers((FIRST - EPOCH) // timedelta(microseconds=1), (LAST - EPOCH) // timedelta(microseconds=1))


def micros(*moment: int) -> int:
    return (datetime(*moment, tzinfo=ZONE) - EPOCH) // timedelta(microseconds=1)  # type: ignore[misc,arg-type]


def local(at: int) -> datetime:
    return (EPOCH + timedelta(microseconds=at)).astimezone(ZONE)


def test_minutes_and_days_run_through_holidays() -> None:
    start = micros(2026, 12, 31, 23, 50)
    assert due(start, Limit(15, "min"), CALENDAR) == start + 15 * MINUTE_US
    assert due(start, Limit(2, "days"), CALENDAR) == start + 2 * DAY_US


def test_working_days_skip_weekend_and_holidays_and_end_at_midnight() -> None:
    friday = micros(2026, 2, 13, 16, 0)
    assert due(friday, Limit(1, "working days"), CALENDAR) == micros(2026, 2, 17, 0, 0)
    monday = micros(2026, 2, 16, 9, 0)  # the 17th is Independence Day
    assert due(monday, Limit(1, "working days"), CALENDAR) == micros(2026, 2, 19, 0, 0)


def test_the_clock_change_moves_midnight() -> None:
    before = micros(2026, 3, 27, 12, 0)  # the Friday before summer time
    assert due(before, Limit(1, "working days"), CALENDAR) == micros(2026, 3, 31, 0, 0)


@given(instants, st.integers(1, 30))
def test_a_limit_of_working_days_ends_at_local_midnight_after_that_many_working_days(start: int, amount: int) -> None:
    end = due(start, Limit(amount, "working days"), CALENDAR)
    assert end > start
    assert local(end).time() == datetime.min.time()
    first, last = local(start).date(), local(end - 1).date()
    worked = [first + timedelta(n) for n in range(1, (last - first).days + 1)]
    assert sum(CALENDAR.works((day - date(1970, 1, 1)).days) for day in worked) == amount


@given(instants, st.integers(1, 30), st.integers(1, 10**10))
def test_a_later_start_never_ends_earlier(start: int, amount: int, later: int) -> None:
    limit = Limit(amount, "working days")
    assert due(start + later, limit, CALENDAR) >= due(start, limit, CALENDAR)


def test_the_snapshot_is_what_the_package_says() -> None:
    said = holidays.country_holidays("XK", years=range(2025, 2032))
    assert CALENDAR.holidays == {(day - date(1970, 1, 1)).days for day in said}


@given(instants)
def test_the_clock_changes_are_those_of_the_zone(at: int) -> None:
    offset = local(at).utcoffset()
    assert offset is not None and CALENDAR.offset(at) == offset // timedelta(microseconds=1)
