"""What the agency's pages say of a rota: every hour of a week once, also when the clocks change; and a calendar that others read."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.runtime import i18n
from referral.wire.roster import Row, Span
from services.intake.pages import relative_time, render
from services.intake.pages.agency import calendar, week

SAY = i18n.load(render.WORDS)["en"]
ZONE = ZoneInfo("Europe/Belgrade")
HOUR = 3600 * 1_000_000
WEEKS = (date(2026, 10, 19), date(2027, 3, 22), date(2026, 11, 30))
"""With the autumn night, with the spring night, and an ordinary one."""


def wall(written: str, fold: int = 0) -> int:
    return round(datetime.fromisoformat(written).replace(tzinfo=ZONE, fold=fold).timestamp()) * 1_000_000


@given(st.sampled_from(WEEKS), st.lists(st.integers(1, 9 * 24 * 4 - 1), min_size=1, max_size=12, unique=True))
def test_the_week_has_every_quarter_of_an_hour_once(first: date, cuts: list[int]) -> None:
    begins = week.midnight(first) - 24 * HOUR
    edges = [begins, *(begins + cut * HOUR // 4 for cut in sorted(cuts)), begins + 10 * 24 * HOUR]
    spans = [Span(rung="duty", begins=a, ends=b, people=(f"p{n}",)) for n, (a, b) in enumerate(itertools.pairwise(edges))]
    days = week.week(spans, "duty", first, begins, frozenset())
    assert len(days) == 7
    for n, day in enumerate(days):
        starts, ends = week.midnight(first + timedelta(days=n)), week.midnight(first + timedelta(days=n + 1))
        covering = [s.people for s in spans if s.begins < ends and starts < s.ends]
        assert [who for _, who in day.parts] == covering
        assert day.parts[0][0].startswith("00:00–") and day.parts[-1][0].endswith("–24:00")


def test_hours_in_words() -> None:
    monday = wall("2026-11-30 02:00")
    assert relative_time.between(SAY, monday, monday + 4 * HOUR) == "Mon 30.11. 02:00–06:00"
    assert relative_time.between(SAY, monday, monday + 22 * HOUR) == "Mon 30.11. 02:00–24:00"
    assert relative_time.between(SAY, monday, monday + 30 * HOUR) == "Mon 30.11. 02:00 – Tue 01.12. 08:00"


def test_a_persons_hours_are_cut_at_shifts_and_midnights() -> None:
    monday = week.midnight(date(2026, 11, 30))
    night = Row(part="weekly", number=1, account="a", rung="duty", weekday=0, start=20 * 60, end=32 * 60)
    spans = [Span(rung="duty", begins=monday + 20 * HOUR, ends=monday + 56 * HOUR, people=("a", "b"))]
    assert week.by_shift([night], spans, "a") == [
        ("duty", monday + 20 * HOUR, monday + 32 * HOUR),  # the night shift, whole, over midnight
        ("duty", monday + 32 * HOUR, monday + 48 * HOUR),
        ("duty", monday + 48 * HOUR, monday + 56 * HOUR),
    ]
    assert week.mine(spans, "b") == [("duty", monday + 20 * HOUR, monday + 56 * HOUR)] and week.mine(spans, "c") == []


@pytest.mark.parametrize("written", ["2026-12-02", "2026-11-30", "2026-12-06"])
def test_any_day_of_a_week_names_it_and_nonsense_names_this_one(written: str) -> None:
    now = wall("2026-11-28 03:00")
    assert week.chosen(written, now) == date(2026, 11, 30)
    assert week.chosen("", now) == week.chosen("9999-12-31", now) == week.chosen("x", now) == date(2026, 11, 23)


def test_an_independent_reader_finds_the_same_instants_in_the_calendar() -> None:
    shifts = [
        ("duty", wall("2026-11-30 20:00"), wall("2026-12-01 08:00")),
        ("duty", wall("2027-03-27 20:00"), wall("2027-03-28 08:00")),  # eleven hours
        ("duty", wall("2026-10-25 02:30", fold=1), wall("2026-10-25 08:00")),  # begins in the hour that comes twice
    ]
    text = calendar.written(shifts, "Në detyrë; " + "ë" * 60, wall("2026-11-28 03:00"), lambda rung, at: f"{at}@x")
    assert max(map(len, text.split(b"\r\n"))) <= 75 and b"\n" not in text.replace(b"\r\n", b"")
    read = icalendar.Calendar.from_ical(text)
    events = list(read.walk("VEVENT"))
    assert [(e.decoded("DTSTART").astimezone(UTC), e.decoded("DTEND").astimezone(UTC)) for e in events] == [
        tuple(datetime.fromtimestamp(at / 1e6, UTC) for at in times) for _, *times in shifts
    ]
    assert events[0].decoded("DTSTART").tzinfo.key == "Europe/Belgrade"
    assert {str(e["SUMMARY"]) for e in events} == {"Në detyrë; " + "ë" * 60} and {str(e["TRANSP"]) for e in events} == {"TRANSPARENT"}
    assert len({str(e["UID"]) for e in events}) == 3
    (zone,) = read.walk("VTIMEZONE")
    assert str(zone["TZID"]) == "Europe/Belgrade" and read.errors == []
    zone_info = zone.to_tz(lookup_tzid=False)  # the rules that we wrote, not those of the reader's machine
    for at in (wall("2026-11-30 20:00"), wall("2027-07-01 12:00")):
        there = datetime.fromtimestamp(at / 1e6, UTC)
        assert there.astimezone(zone_info).utcoffset() == there.astimezone(ZONE).utcoffset()
