"""A hole that is found is one at every minute of it, and none is missed: against a reference that asks the rota minute by minute."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from referral.cli.admin.duty_gaps import line
from referral.domain.durations import DAY_US, HOUR_US
from referral.domain.rota import Weekly
from services.notifier.duty import Person, Roster, Shift, on_duty
from services.notifier.gaps import Gap, Kind, gaps, missing
from tests.unit.notifier.test_spans import MINUTE, NIGHTS, rosters

LOUD = ("", "b", "bc")
"""Who has a telephone."""


def kind_at(known: Roster, at: int, loud: str) -> Kind | None:
    people = [p.account for p in on_duty(known, "police", "duty", at).people]
    return Kind.NOBODY if not people else None if set(people) & set(loud) else Kind.MAIL


@settings(max_examples=30)
@given(st.data(), st.sampled_from(NIGHTS), st.sampled_from(LOUD))
def test_gaps_agree_with_a_rota_asked_minute_by_minute(data: st.DataObject, begins: int, loud: str) -> None:
    drawn, ends = data.draw(rosters(begins)), begins + 14 * HOUR_US  # over the night in which the clock may change
    people = tuple(
        Person(p.account, p.agency, p.rungs, ("email", "voice") if p.account in loud else ("email",), p.disabled) for p in drawn.people
    )
    known = Roster(people, drawn.shifts, drawn.absences, drawn.given)
    found = list(gaps(known, "police", begins, ends))
    assert all(a.ends < b.begins or (a.ends == b.begins and a.kind is not b.kind) for a, b in pairwise(found))
    for at in range(begins, ends, MINUTE):
        held = [gap.kind for gap in found if gap.begins <= at < gap.ends]
        assert held == [kind for kind in [kind_at(known, at, loud)] if kind is not None]


def test_a_rung_of_the_ladder_without_anybody_is_a_hole_for_the_whole_time() -> None:
    assert missing(("duty", "head"), ["duty"], 0, DAY_US) == [Gap("head", 0, DAY_US, Kind.NOBODY)]


def test_a_hole_in_words_names_agency_rung_and_hours() -> None:
    monday = NIGHTS[2] - 12 * HOUR_US + 2 * DAY_US  # Monday 7 December 2026, 01:00 in Belgrade
    known = Roster(
        (Person("a", "police", ("duty",), ("voice",)),),
        tuple(Shift("a", "police", "duty", Weekly(day, 6 * 60, 26 * 60)) for day in range(7)),
    )
    (first, *_) = gaps(known, "police", monday, monday + DAY_US)
    words = line({"agency": "police", "rung": first.rung, "kind": first.kind, "begins": first.begins, "ends": first.ends}, 0, 1)
    assert words == "police duty: nobody, Mon 7 Dec 02:00–06:00"
