"""Who is on duty: at every instant exactly the people that the rota says, also in the nights when the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.rota import DAY_MIN, Single, Weekly
from services.notifier.duty import Absence, Duty, Person, Roster, Shift, Why, at_desk, covers, instant, next_change, on_duty

ZONE = ZoneInfo("Europe/Belgrade")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
MINUTE = 60 * 1_000_000


def person(account: str, *, agency: str = "police", rungs: tuple[str, ...] = ("duty",), disabled: bool = False) -> Person:
    return Person(account, agency, rungs, ("email",), disabled)


def shift(account: str, time: Weekly | Single) -> Shift:
    return Shift(account, "police", "duty", time)


def wall(text: str, fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE, fold=fold).timestamp()) * 1_000_000


def names(duty: Duty) -> list[str]:
    return [p.account for p in duty.people]


def test_night_shift_begins_at_its_first_and_ends_before_its_last_moment() -> None:
    time = Weekly(weekday=2, start=20 * 60, end=32 * 60)  # Wednesday night
    begin, end = wall("2026-11-25 20:00"), wall("2026-11-26 08:00")
    assert [covers(time, at) for at in (begin - 1, begin, end - 1, end)] == [False, True, True, False]


@pytest.mark.parametrize(("night", "hours"), [(SPRING - timedelta(days=1), 11), (AUTUMN - timedelta(days=1), 13), (date(2026, 6, 6), 12)])
def test_the_night_of_a_change_is_an_hour_shorter_or_longer(night: date, hours: int) -> None:
    assert instant(night, 32 * 60) - instant(night, 20 * 60) == hours * 60 * MINUTE


def test_a_skipped_time_is_the_change_and_a_doubled_one_its_first_coming() -> None:
    change = round(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert instant(SPRING, 2 * 60) == instant(SPRING, 2 * 60 + 30) == instant(SPRING, 3 * 60) == change
    assert instant(AUTUMN, 2 * 60 + 30) == wall("2026-10-25 02:30", fold=0)


@given(day=st.sampled_from([SPRING, AUTUMN, date(2026, 7, 1)]), minutes=st.lists(st.integers(0, 2 * DAY_MIN), min_size=2, max_size=2))
def test_a_later_wall_time_is_never_an_earlier_instant(day: date, minutes: list[int]) -> None:
    first, last = sorted(minutes)
    assert instant(day, first) <= instant(day, last)


WEEK_CUTS = st.lists(st.integers(0, 7 * DAY_MIN - 1), min_size=1, max_size=12, unique=True).map(sorted)


@given(
    cuts=WEEK_CUTS,
    at=st.integers(wall("2026-01-01 00:00"), wall("2026-12-31 00:00"))
    | st.integers(wall("2026-03-28 20:00"), wall("2026-03-29 10:00"))
    | st.integers(wall("2026-10-24 20:00"), wall("2026-10-25 10:00")),
)
def test_shifts_that_share_out_the_week_leave_exactly_one_person_at_every_instant(cuts: list[int], at: int) -> None:
    ends = [*cuts[1:], cuts[0] + 7 * DAY_MIN]
    shifts = tuple(
        shift(f"p{n:02}", Weekly(begin // DAY_MIN, begin % DAY_MIN, begin % DAY_MIN + end - begin))
        for n, (begin, end) in enumerate(zip(cuts, ends, strict=True))
    )
    roster = Roster(tuple(person(s.account) for s in shifts), shifts)
    duty = on_duty(roster, "police", "duty", at)
    assert len(duty.people) == 1
    in_week = (datetime.fromtimestamp(at / 1e6, ZONE).weekday() * DAY_MIN) + _minute(at)
    due = [
        s.account
        for s, begin, end in zip(shifts, cuts, ends, strict=True)
        if begin <= in_week < end or begin <= in_week + 7 * DAY_MIN < end
    ]
    if not _change_night(at):
        assert names(duty) == due


def _minute(at: int) -> int:
    local = datetime.fromtimestamp(at // 1_000_000, ZONE)
    return local.hour * 60 + local.minute


def _change_night(at: int) -> bool:
    """On these two days the wall clock alone does not say who it is."""
    return datetime.fromtimestamp(at // 1_000_000, ZONE).date() in (SPRING, AUTUMN)


@given(spans=st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 1000), st.integers(1, 400)), min_size=1), at=st.integers(0, 1500))
def test_overlapping_single_shifts_name_everybody_once(spans: list[tuple[str, int, int]], at: int) -> None:
    shifts = tuple(shift(who, Single(start, start + length)) for who, start, length in spans)
    roster = Roster(tuple(person(a) for a in "abcde"), shifts)
    expected = sorted({who for who, start, length in spans if start <= at < start + length}) or list("abcde")
    assert names(on_duty(roster, "police", "duty", at)) == expected


@given(
    disabled=st.sets(st.sampled_from("abcd")),
    away=st.sets(st.sampled_from("abcd")),
    skip=st.sets(st.sampled_from("abcd")),
    shifts=st.sets(st.sampled_from("abcd")),
)
def test_nobody_disabled_absent_or_excluded_is_ever_named(disabled: set[str], away: set[str], skip: set[str], shifts: set[str]) -> None:
    roster = Roster(
        tuple(person(a, disabled=a in disabled) for a in "abcd"),
        tuple(shift(a, Weekly(3, 0, 7 * DAY_MIN)) for a in shifts),  # 1 January 1970 was a Thursday; the week before it counts too
        absences=tuple(Absence(a, 10, 20) for a in away),
    )
    duty = on_duty(roster, "police", "duty", 15, frozenset(skip))
    there = (shifts or set("abcd")) - disabled - away
    assert set(names(duty)) == there - skip
    assert duty.why == (None if there - skip else Why.EXCLUDED if there else Why.NOBODY)


def test_without_a_rota_everybody_of_the_rung_and_with_a_hole_in_it_nobody() -> None:
    people = (person("a"), person("b"), person("c", rungs=("back-up",)), person("d", agency="csw"))
    assert names(on_duty(Roster(people), "police", "duty", 0)) == ["a", "b"]
    monday = shift("a", Weekly(0, 8 * 60, 16 * 60, until=date(2026, 12, 7)))
    rota_ = Roster(people, (monday,))
    assert names(on_duty(rota_, "police", "duty", wall("2026-11-30 09:00"))) == ["a"]
    assert on_duty(rota_, "police", "duty", wall("2026-12-01 09:00")) == Duty((), Why.NOBODY)
    assert names(on_duty(rota_, "police", "duty", wall("2026-12-08 09:00"))) == ["a", "b"]  # it has run out: better all than none


def test_two_single_shifts_never_silence_the_days_between() -> None:
    people = (person("a"), person("b"))
    nights = (
        shift("a", Single(wall("2026-12-01 20:00"), wall("2026-12-02 08:00"))),
        shift("a", Single(wall("2026-12-24 20:00"), wall("2026-12-25 08:00"))),
    )
    roster = Roster(people, nights)
    assert names(on_duty(roster, "police", "duty", wall("2026-12-10 03:00"))) == ["a", "b"]
    assert names(on_duty(roster, "police", "duty", wall("2026-12-25 03:00"))) == ["a"]
    assert names(on_duty(Roster((person("b"),), nights), "police", "duty", wall("2026-12-25 03:00"))) == ["b"], "nobody is worse"


def test_whoever_comes_on_is_looked_for_at_that_instant() -> None:
    nights = shift("b", Weekly(3, 20 * 60, 32 * 60))  # Thursday night
    roster = Roster((person("a"), person("b")), (nights,), absences=(Absence("b", wall("2026-11-26 21:00"), wall("2026-11-26 23:00")),))
    moments, at = [], wall("2026-11-26 12:00")
    while len(moments) < 5 and (change := next_change(roster, "police", "duty", at)) is not None:
        moments.append(change)
        at = change
    expected = ["2026-11-26 20:00", "2026-11-26 21:00", "2026-11-26 23:00", "2026-11-27 08:00", "2026-12-03 20:00"]
    assert moments == [wall(written) for written in expected]
    assert next_change(roster, "police", "back-up", wall("2026-12-03 12:00")) is None
    assert next_change(roster, "police", None, wall("2026-12-03 12:00")) == wall("2026-12-03 20:00")


MINUTES = st.integers(0, 21 * DAY_MIN)
WEEKLY = st.builds(
    Weekly,
    st.integers(0, 6),
    st.integers(0, DAY_MIN - 1),
    st.integers(DAY_MIN, 3 * DAY_MIN),
    st.none() | st.dates(date(2026, 10, 12), date(2026, 11, 8)),
    st.none() | st.dates(date(2026, 10, 12), date(2026, 11, 8)),
)
BEGIN = wall("2026-10-15 00:00")


@given(
    weekly=st.lists(st.tuples(st.sampled_from("abc"), WEEKLY), max_size=4),
    single=st.lists(st.tuples(st.sampled_from("abc"), MINUTES, st.integers(1, 2 * DAY_MIN)), max_size=3),
    away=st.lists(st.tuples(st.sampled_from("abc"), MINUTES, st.integers(1, 2 * DAY_MIN)), max_size=2),
    at=MINUTES,
    later=st.integers(1, 14 * DAY_MIN),
)
def test_between_two_changes_nobody_comes_on(
    weekly: list[tuple[str, Weekly]], single: list[tuple[str, int, int]], away: list[tuple[str, int, int]], at: int, later: int
) -> None:
    roster = Roster(
        tuple(person(a) for a in "abc"),
        (
            *(shift(a, time) for a, time in weekly),
            *(shift(a, Single(BEGIN + b * MINUTE, BEGIN + (b + n) * MINUTE)) for a, b, n in single),
        ),
        tuple(Absence(a, BEGIN + b * MINUTE, BEGIN + (b + n) * MINUTE) for a, b, n in away),
    )
    now = BEGIN + at * MINUTE
    change = next_change(roster, "police", "duty", now)
    then = now + later * MINUTE
    if change is None or then < change:
        assert set(names(on_duty(roster, "police", "duty", then))) <= set(names(on_duty(roster, "police", "duty", now)))


def test_a_desk_hears_through_whoever_is_on_duty_and_through_a_hole_everybody() -> None:
    people = (person("a"), person("b", rungs=("head",)), person("c"), person("d", disabled=True), person("e", agency="csw"))
    roster = Roster(people, (shift("a", Weekly(0, 8 * 60, 16 * 60)),))
    monday, tuesday = wall("2026-11-30 09:00"), wall("2026-12-01 09:00")
    assert names(at_desk(roster, "police", monday)) == ["a", "b"]
    assert names(at_desk(Roster(people[:1] + people[2:], roster.shifts), "police", tuesday)) == ["a", "c"]
    assert at_desk(roster, "police", monday, frozenset("ab")) == Duty((people[2],))
    assert at_desk(roster, "police", monday, frozenset("abc")).why == Why.EXCLUDED
    assert at_desk(roster, "school", monday).why == Why.NOBODY


def test_a_weekly_shift_holds_from_its_first_to_its_last_day() -> None:
    time = Weekly(2, 0, DAY_MIN, since=date(2026, 11, 25), until=date(2026, 12, 2))
    days = ["2026-11-18 12:00", "2026-11-25 12:00", "2026-12-02 12:00", "2026-12-09 12:00"]
    assert [covers(time, wall(day)) for day in days] == [False, True, True, False]
