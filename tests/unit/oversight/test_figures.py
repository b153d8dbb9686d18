"""The tables and waits that children make: sums that agree, stages and rungs at their highest, ranks that are exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oversight.counting.model import Course, Table
from services.oversight.counting.tables import WAITS, Known, known, spreads, tables
from tests.harness.oversight_log import AGO, NEVER, WHOLE, folded, year

KNOWN = known(WHOLE)
MINUTE = 60_000_000


def child(*facts: str, at: int = 1, municipality: str = "prizren", sex: str = "female", age_band: str = "12-14") -> Course:
    return Course("trafficking-child", 0, municipality, sex, age_band, dict.fromkeys(facts, at))


def waited(*minutes: int) -> list[Course]:
    return [Course("trafficking-child", MINUTE, "", "", "", {"wait:bed": MINUTE + m * MINUTE}) for m in minutes]


def made(*courses: Course, until: int = NEVER, known: Known = KNOWN) -> Mapping[str, Table]:
    return {table.measure: table for table in tables(courses, until, known)}


def some(table: Table) -> dict[str, int]:
    return {atom: count for atom, count in table.atoms.items() if count}


@pytest.mark.parametrize("pathway", ["juvenile-justice", "trafficking-child", "without-parental-care"])
def test_every_table_counts_every_child_once(pathway: str) -> None:
    courses = folded(year(300)).of(pathway, AGO, NEVER)
    for table in made(*courses).values():
        assert sum(table.atoms.values()) == len(courses)
        assert all(group <= table.atoms.keys() and group for group in table.groups.values())
        assert not table.groups.keys() & table.atoms.keys()


def test_which_tables_there_are_follows_from_the_policy_alone() -> None:
    full = made(child("late:iom", "declined:OTHER", "late:nobody", "declined:UNHEARD"), child())
    assert list(full) == list(made())
    assert [name for name in full if name.startswith("late.")] == [f"late.{agency}" for agency in sorted(WHOLE.agencies)]
    assert [name for name in full if name.startswith("declined.")] == [f"declined.{reason}" for reason in WHOLE.codes["reason"]]
    assert full["late.iom"].atoms == full["declined.OTHER"].atoms == {"yes": 1, "no": 1}
    assert full["late.dsw"].atoms == {"yes": 0, "no": 2}


def test_a_child_stands_at_its_furthest_stage_and_highest_rung() -> None:
    all = [
        child(),
        child("stage:acknowledged"),
        child("stage:acknowledged", "stage:arrived", "rung:1"),
        child("stage:ended", "stage:completed"),
    ]
    found = made(*all, child("stage:completed", "rung:1", "rung:2"), child("rung:3", "rung:1"), child("rung:5"))
    assert some(found["stage"]) == {"begun": 3, "acknowledged": 1, "arrived": 1, "completed": 1, "ended": 1}
    assert some(found["rung"]) == {"0": 3, "1": 1, "2": 1, "3+": 2}
    assert list(found["stage"].atoms) == ["begun", "acknowledged", "accepted", "arrived", "completed", "ended"]


def test_what_came_at_the_close_or_later_is_not_so() -> None:
    (late, early) = child("stage:accepted", "rung:1", at=10), child("stage:accepted", "unanswered", at=9)
    found = made(late, early, until=10)
    assert some(found["stage"]) == {"begun": 1, "accepted": 1}
    assert some(found["unanswered"]) == {"yes": 1, "no": 1}
    assert some(found["rung"]) == {"0": 2}


def test_a_place_or_code_that_the_policy_does_not_know_is_unknown() -> None:
    gone = [child(municipality="old-name"), child(municipality=""), child(sex="x", age_band="99")]
    found = made(*gone)
    assert some(found["municipality"]) == {"prizren": 1, "unknown": 2}
    assert found["sex-age"].atoms["unknown/unknown"] == 1
    assert set(found["municipality"].atoms) == {*WHOLE.municipalities, "unknown"}


def test_regions_sexes_and_age_bands_are_sums_and_unknown_says_of_what() -> None:
    found = made(child())
    groups = found["municipality"].groups
    assert set(groups) == {f"region:{m.region}" for m in WHOLE.municipalities.values()}
    assert sorted(m for group in groups.values() for m in group) == sorted(WHOLE.municipalities)
    people = found["sex-age"].groups
    assert people["female"] == {f"female/{band}" for band in KNOWN.age_bands}
    assert people["12-14"] == {f"{sex}/12-14" for sex in KNOWN.sexes}
    assert people["sex:unknown"] != people["age:unknown"]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_half_and_nine_in_ten_waited_no_longer(minutes: list[int]) -> None:
    bed = {spread.measure: spread for spread in spreads(waited(*minutes), NEVER)}["wait.bed"]
    exact = sorted(minutes)
    assert bed.count == len(minutes)
    for told, share in ((bed.half, 50), (bed.most, 90)):
        rank = next(value for value in exact if sum(v <= value for v in exact) * 100 >= share * len(exact))
        assert abs(told - rank) * 20 <= max(rank, 0), "two significant digits"
        assert told < 100 or not int(str(told)[2:])


def test_waits_are_whole_minutes_of_those_who_have_waited() -> None:
    bed = {spread.measure: spread for spread in spreads([*waited(149, 1250, 3, 3), child()], NEVER)}["wait.bed"]
    assert (bed.count, bed.half, bed.most) == (4, 3, 1300)
    assert [s.measure for s in spreads([], NEVER)] == [f"wait.{what}" for what in WAITS]
    assert spreads(waited(5, 7), 2 * MINUTE)[2].count == 0
    assert {spread.measure: spread for spread in spreads(waited(149), NEVER)}["wait.bed"].half == 150


def test_a_renamed_municipality_changes_no_sum() -> None:
    courses = folded(year(300)).of("juvenile-justice", AGO, NEVER)
    towns = {("prizren-new" if id == "prizren" else id): town for id, town in WHOLE.municipalities.items()}
    after = known(replace(WHOLE, municipalities=towns))
    before, now = made(*courses)["municipality"], made(*courses, known=after)["municipality"]
    assert now.atoms["unknown"] == before.atoms["prizren"] + before.atoms["unknown"]
