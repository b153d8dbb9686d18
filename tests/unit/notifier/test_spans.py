"""What the sheet prints is what a knock would find, at every minute, also in the nights in which the clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from referral.domain.durations import HOUR_US
from referral.domain.rota import Single, Weekly
from services.notifier.duty import Absence, Given, Person, Roster, Shift, on_duty
from services.notifier.spans import Span, spans

MINUTE = 60_000_000
NIGHTS = [round(datetime(*day, tzinfo=UTC).timestamp()) * 1_000_000 for day in ((2026, 10, 24), (2027, 3, 27), (2026, 12, 5))]
"""Midday before the autumn night, the spring night, and an ordinary one."""
PEOPLE = ("a", "b", "c")


@st.composite
def rosters(draw: st.DrawFn, begins: int) -> Roster:
    at = st.integers(begins - 30 * HOUR_US, begins + 60 * HOUR_US).map(lambda us: us - us % MINUTE)
    single = st.builds(lambda start, long: Single(start, start + long * MINUTE), at, st.integers(1, 3000))
    weekly = st.builds(
        lambda day, start, long: Weekly(day, start, start + long), st.integers(0, 6), st.integers(0, 1439), st.integers(1, 10080)
    )
    shift = st.builds(lambda who, time: Shift(who, "police", "duty", time), st.sampled_from(PEOPLE), single | weekly)
    absence = st.builds(
        lambda who, start, long: Absence(who, start, start + long * MINUTE), st.sampled_from(PEOPLE), at, st.integers(1, 3000)
    )
    people = tuple(Person(name, "police", ("duty",), (), disabled=draw(st.booleans())) for name in PEOPLE)
    given = st.builds(
        lambda who, start, long: Given(who, "police", "duty", start, start + long * MINUTE),
        st.sampled_from(PEOPLE),
        at,
        st.integers(1, 1500),
    )
    parts = (draw(st.lists(part, max_size=most)) for part, most in ((shift, 6), (absence, 3), (given, 3)))
    return Roster(people, *(tuple(part) for part in parts))


@given(st.data(), st.sampled_from(NIGHTS))
def test_spans_agree_with_a_knock_at_every_ten_minutes(data: st.DataObject, begins: int) -> None:
    known, ends = data.draw(rosters(begins)), begins + 48 * HOUR_US
    found = list(spans(known, "police", "duty", begins, ends))
    assert found[0].begins == begins and found[-1].ends == ends
    assert all(a.ends == b.begins and a.people != b.people for a, b in pairwise(found))
    edges = [at for span in found for at in (span.begins, span.ends - 1)]
    for at in [*range(begins, ends, 10 * MINUTE), *edges]:
        (span,) = [one for one in found if one.begins <= at < one.ends]
        assert span.people == tuple(p.account for p in on_duty(known, "police", "duty", at).people)


def test_a_hole_is_a_span_of_nobody() -> None:
    known = Roster((Person("a", "police", ("duty",), ()),), (Shift("a", "police", "duty", Weekly(0, 0, 60)),))
    begins = NIGHTS[2]
    assert list(spans(known, "police", "duty", begins, begins + HOUR_US)) == [Span(begins, begins + HOUR_US, ())]
