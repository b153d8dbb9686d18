"""A swap and a hand-over change who is on duty in their hours, and at no other minute; whoever gives away gets back what they take back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from referral.domain.durations import HOUR_US
from referral.domain.rota import Single, Weekly
from referral.roster.changes import left
from services.notifier.duty import Absence, Given, Person, Roster, Shift, on_duty
from services.notifier.roster_door.hours import LONGEST, WITHOUT_SHIFT, handed_over, holds
from tests.unit.notifier.test_spans import MINUTE, NIGHTS, PEOPLE, rosters

WHERE = ("police", "duty")


def stand_in(known: Roster, giver: str, taker: str, starts: int, ends: int) -> Roster:
    """The rows that a swap writes (`referral.roster.changes.stand_in`)."""
    kept = [
        replace(g, starts=first, ends=last)
        for g in known.given
        for first, last in (left((g.starts, g.ends), (starts, ends)) if g.account == taker else [(g.starts, g.ends)])
    ]
    shift = Shift(taker, *WHERE, Single(starts, ends))
    return replace(known, shifts=(*known.shifts, shift), given=(*kept, Given(giver, *WHERE, starts, ends)))


def there(known: Roster, at: int) -> set[str]:
    return {p.account for p in on_duty(known, *WHERE, at).people}


@given(st.data(), st.sampled_from(NIGHTS), st.permutations(PEOPLE), st.integers(0, 30 * 60), st.integers(1, 18 * 60))
def test_a_swap_changes_nothing_outside_its_hours(data: st.DataObject, begins: int, who: list[str], start: int, length: int) -> None:
    known, (giver, taker, third) = data.draw(rosters(begins)), who
    starts, ends = begins + start * MINUTE, begins + (start + length) * MINUTE
    assume(all(holds(known, *WHERE, giver, at, at + MINUTE) for at in (starts, ends - MINUTE)))
    after = stand_in(known, giver, taker, starts, ends)
    able = {p.account for p in known.people if not p.disabled}
    for at in (*range(begins, begins + 48 * HOUR_US, 7 * MINUTE), starts - 1, starts, ends - 1, ends):
        was, now = there(known, at), there(after, at)
        if not starts <= at < ends:
            assert now == was
            continue
        absent = {a.account for a in known.absences if a.starts <= at < a.ends}
        assert giver not in now and (taker in now) == (taker in able - absent)
        assert third not in now or third in was or taker not in now, "others come only where whoever took the hours cannot"


@given(st.sampled_from(NIGHTS), st.integers(0, 600), st.integers(1, 600))
def test_a_shift_that_goes_there_and_back_is_as_it_was(begins: int, start: int, length: int) -> None:
    people = tuple(Person(name, "police", ("duty",), ()) for name in PEOPLE)
    known = Roster(people, tuple(Shift("a", *WHERE, Weekly(day, 0, 24 * 60)) for day in range(7)))
    starts, ends = begins + start * MINUTE, begins + (start + length) * MINUTE
    back = stand_in(stand_in(known, "a", "b", starts, ends), "b", "a", starts, ends)
    assert all(there(back, at) == {"a"} for at in range(begins, begins + 24 * HOUR_US, 11 * MINUTE))


def test_what_is_left_of_given_hours() -> None:
    assert left((0, 10), (3, 5)) == [(0, 3), (5, 10)] and left((0, 10), (10, 12)) == [(0, 10)]
    assert left((0, 10), (0, 10)) == left((3, 5), (0, 10)) == [] and left((0, 10), (5, 20)) == [(0, 5)]


def test_a_hand_over_lasts_until_the_shift_ends_and_half_a_day_without_one() -> None:
    night = NIGHTS[2]  # one in the morning of a Saturday
    people = tuple(Person(name, "police", ("duty",), ()) for name in PEOPLE)
    rota = Roster(people, tuple(Shift("a", *WHERE, Weekly(day, 20 * 60, 32 * 60)) for day in range(7)))
    evening, noon = night + 20 * HOUR_US, night + 11 * HOUR_US
    assert handed_over(rota, *WHERE, "b", evening) == (("a",), night + 31 * HOUR_US)
    assert handed_over(rota, *WHERE, "a", evening) == ((), evening + WITHOUT_SHIFT), "nobody is relieved by themselves"
    assert handed_over(rota, *WHERE, "b", noon) == ((), noon + WITHOUT_SHIFT), "a hole is filled"
    assert handed_over(Roster(people), *WHERE, "b", night) == (("a", "c"), night + WITHOUT_SHIFT), "without a rota everybody is relieved"


def test_hours_are_somebodys_only_without_a_break() -> None:
    night = NIGHTS[2]
    people = (Person("a", "police", ("duty",), ()),)
    always = tuple(Shift("a", *WHERE, Weekly(day, 0, 24 * 60)) for day in range(7))
    known = Roster(people, always, (Absence("a", night + HOUR_US, night + 2 * HOUR_US),))
    assert holds(known, *WHERE, "a", night, night + HOUR_US) and not holds(known, *WHERE, "a", night, night + HOUR_US + 1)
    assert not holds(known, *WHERE, "a", night, night) and not holds(
        known, *WHERE, "a", night + 3 * HOUR_US, night + 3 * HOUR_US + LONGEST + 1
    )
