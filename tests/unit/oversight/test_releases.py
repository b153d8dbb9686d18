"""Releases: blocks that gather, corrections that tell of no few, and nothing that can be computed from all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from random import Random

import pytest

from referral.domain.events import FigureReleased, Mark, Unit
from services.oversight.calendar import begins, span
from services.oversight.counting.model import Course, Full, Spread, Table
from services.oversight.counting.tables import Known
from services.oversight.disclosure.attack import AttackResult, attack
from services.oversight.disclosure.blocks import Block, Measures, figures_of
from services.oversight.disclosure.releases import K, correct, kept, make
from services.oversight.release import Release, digest, key
from services.oversight.release_builder import measured

REGIONS = {"prizren": "prizren", "dragash": "prizren", "peje": "peje", "istog": "peje", "decan": "peje"}
KNOWN = Known(REGIONS, ("female", "male", "unknown"), ("6-11", "12-14", "15-17", "unknown"), ("NO_CAPACITY", "OTHER"), ("iom", "dsw"))
MEASURES = measured(("busy", "rare", "seldom"), lambda _: KNOWN)
MONTHS = span("2027-01", "2027-12")
HOUR = 3_600_000_000


def child(pathway: str, month: str, dice: Random) -> Course:
    """A made-up child."""
    at = begins(month) + dice.randrange(27 * 24) * HOUR
    far = dice.choice((0, 1, 2, 3, 4, 4, 4, 4))
    facts = ["stage:acknowledged", "stage:accepted", "stage:arrived", "stage:completed"][:far] + ["wait:acknowledged", "wait:accepted"][
        :far
    ]
    facts += [fact for fact in ("rung:1", "late:iom", "declined:OTHER", "unanswered") if dice.random() < 0.4]
    municipality = dice.choice(("prizren", "prizren", "peje", "istog", "decan", "dragash", ""))
    first = {fact: at + dice.randrange(1, 200) * HOUR for fact in facts}
    return Course(pathway, at, municipality, dice.choice(("female", "female", "male")), dice.choice(("6-11", "12-14", "15-17")), first)


def lived(seed: int = 5) -> list[Course]:
    """A year: one procedure with many children, one with one a month, one with two children."""
    dice = Random(seed)
    busy = [child("busy", month, dice) for month in MONTHS for _ in range(dice.randint(8, 30))]
    return busy + [child("rare", month, dice) for month in MONTHS] + [child("seldom", "2027-03", dice) for _ in range(2)]


def released(courses: Sequence[Course], months: Sequence[str] = MONTHS, measures: Measures = MEASURES) -> list[Release]:
    made: list[Release] = []
    for month in months:
        made.append(
            make(
                month,
                courses,
                [Full("shelter", 12, 12, 3), Full("isf", 4, 4, 30)],
                made,
                {"gap": 3, "repeat": 25, "drill": 0},
                measures,
            )
        )
    return made


def said(releases: Sequence[Release]) -> list[FigureReleased]:
    return [figure for release in releases for figure in release.figures]


def attacked(figures: Sequence[FigureReleased]) -> AttackResult:
    return attack(figures, MEASURES.sums, K)


def blocks(releases: Sequence[Release], pathway: str) -> list[tuple[str, str, int | None]]:
    return [(f.first, f.last, f.value) for f in said(releases) if (f.pathway, f.measure, f.group) == (pathway, "children", "all")]


COURSES = lived()


@lru_cache
def year() -> tuple[Release, ...]:
    """Its twelve releases."""
    return tuple(released(COURSES))


def test_nothing_hidden_can_be_bounded_from_all_releases_together() -> None:
    found = attacked(said(year()))
    assert (found.narrowest, found.doubted) == (year()[-1].made.narrowest, 0)
    assert found.narrowest is not None and found.narrowest >= K
    assert found.hidden > 100 and found.shown > 50


def test_the_attacker_breaks_them_without_complementary_suppression() -> None:
    """So he is one who can."""
    found = attacked([_bare(figure) for figure in said(year())])
    assert found.narrowest == 1


def _bare(figure: FigureReleased) -> FigureReleased:
    """The figure where only what is below k is hidden."""
    if not figure.pathway or figure.unit is not Unit.CHILDREN or figure.mark is Mark.WAITING:
        return figure
    block = Block(figure.release, figure.first, figure.last, figure.pathway)
    table = next(t for t in MEASURES.tables([c for c in COURSES if block.holds(c)], figure.last) if t.measure == figure.measure)
    parts = table.atoms.keys() if figure.group == "all" else table.groups.get(figure.group, {figure.group})
    count = sum(table.atoms[atom] for atom in parts)
    return block.figure(figure.measure, figure.group, Unit.CHILDREN, count if count >= K else None)


def test_months_gather_until_they_hold_enough_and_are_told_once() -> None:
    told = [(first, last, value) for first, last, value in blocks(year(), "busy") if value is not None]
    assert all(value is not None and value >= 3 * K for _, _, value in told)
    assert [month for first, last, _ in told for month in span(first, last)] == list(MONTHS[: len(span("2027-01", told[-1][1]))])
    for first, last, _ in told:
        before = [c for c in COURSES if c.pathway == "busy" and begins(first) <= c.began_at < begins(last)]
        assert len(before) < 3 * K


def test_a_rare_procedure_is_told_once_a_year_and_a_rarer_one_waits() -> None:
    assert blocks(year(), "rare") == [*(("2027-01", month, None) for month in MONTHS[:-1]), ("2027-01", "2027-12", 12)]
    assert {mark for f in said(year()) if f.pathway == "seldom" for mark in [f.mark]} == {Mark.WAITING}
    assert len([f for f in said(year()) if f.pathway == "seldom"]) == 12


def test_no_small_count_is_told() -> None:
    for figure in said(year()):
        if figure.unit is Unit.CHILDREN:
            assert (figure.value is not None and figure.value >= K) == (figure.mark is Mark.SHOWN)
    assert {(f.group, f.value) for f in said(year()) if f.measure == "full"} == {("shelter", 3), ("isf", None)}


def test_what_was_met_is_told_rounded_down_and_of_children_not_even_none() -> None:
    assert {one.what: one.count for one in year()[0].made.counted} == {
        "gap": None,
        "repeat": 22,
        "erased": None,
        "kept": None,
        "key-gone": None,
        "drill": 0,
    }


def test_the_record_of_a_release_agrees_with_its_figures() -> None:
    for number, release in enumerate(year(), 1):
        marks = [figure.mark for figure in release.figures]
        made = release.made
        assert (made.release, made.month, made.corrects, made.threshold) == (number, MONTHS[number - 1], None, K)
        assert (made.figures, made.shown, made.hidden, made.waiting) == (
            len(marks),
            *map(marks.count, (Mark.SHOWN, Mark.HIDDEN, Mark.WAITING)),
        )
        assert made.digest == digest(release.figures)
        assert all(key(one) < key(other) for one, other in pairwise(release.figures))


def test_children_in_another_order_and_later_ones_make_the_same_bytes() -> None:
    courses = [*COURSES, child("busy", "2027-06", Random(9))]
    Random(3).shuffle(courses)
    assert [release.made for release in released(courses, MONTHS[:5])] == [release.made for release in year()[:5]]


def test_a_month_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        make("2027-03", COURSES, [], year()[:1], {}, MEASURES)


def first() -> tuple[Block, Release]:
    """The first block that is told, and its release."""
    release = next(release for release in year() if any(f.measure == "stage" for f in release.figures))
    figure = next(f for f in release.figures if f.measure == "stage")
    return Block(release.made.release, figure.first, figure.last, figure.pathway), release


def test_one_child_more_makes_no_correction_and_would_be_found_in_one() -> None:
    block, release = first()
    courses = [*COURSES, next(course for course in COURSES if block.holds(course))]
    assert correct(release.made.release, courses, year(), {}, MEASURES) is None
    assert kept(courses, year(), MEASURES) == 1
    now = figures_of(Block(13, block.first, block.last, block.pathway), courses, MEASURES)
    assert now is not None
    assert (attacked([*said(year()), *now]).narrowest or K) < K


STAGES = Measures(
    ("busy",), lambda courses, month: [t for t in MEASURES.tables(courses, month) if t.measure in ("children", "stage")], lambda *_: []
)
DONE, BEGUN = (
    Course("busy", begins("2027-01"), "", "", "", dict.fromkeys(facts, begins("2027-01"))) for facts in (["stage:completed"], [])
)


@pytest.mark.parametrize("more", [DONE, BEGUN], ids=["of a told figure", "of hidden ones"])
def test_as_many_more_as_can_be_told_are_a_correction_of_the_whole_block(more: Course) -> None:
    courses = [DONE] * 40 + [BEGUN] * 20
    was = released(courses, MONTHS[:2], STAGES)
    late = [*courses, *[more] * K]
    correction = correct(1, late, was, {"late": K}, STAGES)
    assert correction is not None and kept(late, was, STAGES) == 0
    assert (correction.made.release, correction.made.corrects, correction.made.month) == (3, 1, "2027-01")
    old, new = ({key(f): f.value for f in one.figures if f.pathway} for one in (was[0], correction))
    assert old.keys() == new.keys() and new["2027-01/2027-01/busy/children/all"] == 60 + K
    assert {(new[name] or 0) - (old[name] or 0) for name in old} <= {0, K}
    assert (attacked(said([*was, correction])).narrowest or K) >= K
    assert correct(1, late, [*was, correction], {}, STAGES) is None and kept(late, [*was, correction], STAGES) == 0
    assert make("2027-03", late, [], [*was, correction], {}, STAGES).made.release == 4


@pytest.mark.parametrize("count", [1, K - 1])
def test_fewer_are_none(count: int) -> None:
    courses = [DONE] * 40 + [BEGUN] * 20
    was = released(courses, MONTHS[:2], STAGES)
    for late in ([*courses, *[DONE] * count], [*courses, *[BEGUN] * count], courses[count:]):
        assert correct(1, late, was, {}, STAGES) is None
        assert kept(late, was, STAGES) == 1


def test_what_was_hidden_is_not_told_later() -> None:
    """With so many who ended, these can be the complement, and who had only begun could be told."""
    was, ended = released([DONE] * 40 + [BEGUN] * 20, MONTHS[:1], STAGES), Course("busy", begins("2027-01"), "", "", "", {"stage:ended": 1})
    late = [DONE] * 40 + [BEGUN] * 20 + [ended] * K
    now = released(late, MONTHS[:1], STAGES)
    begun = [next(f.value for f in said(one) if f.group == "begun") for one in (was, now)]
    assert begun == [None, 20]
    assert correct(1, late, was, {}, STAGES) is None


def test_children_that_move_between_figures_are_no_correction_either() -> None:
    """As many as before: the told figures change by one."""
    was = released([DONE] * 40 + [BEGUN] * 20, MONTHS[:1], STAGES)
    assert correct(1, [DONE] * 41 + [BEGUN] * 19, was, {}, STAGES) is None


def test_what_two_measures_say_of_one_another_is_not_told_by_both() -> None:
    """So few accepted that the wait is not told: with the stages this would bound who arrived to 9 values."""
    stage = Table("stage", {"begun": 36, "acknowledged": 9, "accepted": 13, "arrived": 2, "completed": 0, "ended": 0})
    wait = Spread("wait.accepted", 15, 60, 90)
    busy = [Course("busy", begins("2027-01"), "", "", "", {})] * 60
    block = Block(1, "2027-01", "2027-01", "busy")
    for waits, told in (([wait], None), ([], 36)):
        measures = Measures(("busy",), lambda *_: [Table("children", {"all": 60}), stage], lambda *_, waits=waits: waits)
        figures = figures_of(block, busy, measures)
        assert figures is not None
        assert {f.group: f.value for f in figures if f.measure == "stage"}["begun"] == told
        assert (attacked(figures).narrowest or K) >= K


def test_releases_that_overlap_would_be_subtracted() -> None:
    """What a feed of all children since January tells each month: how many the month had."""
    figures = [Block(n, MONTHS[0], MONTHS[n], "busy").figure("children", "all", Unit.CHILDREN, 30 + n) for n in range(3)]
    found = attacked(figures)
    assert {bound.key: bound.values for bound in found.bounds}["2027-02/2027-02/busy/children/all"] == 1


def test_a_figure_that_is_known_from_elsewhere_is_taken_into_account() -> None:
    block = Block(1, "2027-01", "2027-01", "busy")
    figures = [block.figure("stage", group, Unit.CHILDREN, value) for group, value in {"all": 40, "begun": None, "ended": None}.items()]
    assert attacked(figures).narrowest == 41
    assert attack(figures, lambda _: {}, K, known={key(figures[1]): 4}).narrowest == 1


def test_figures_that_contradict_one_another_are_named() -> None:
    block = Block(1, "2027-01", "2027-01", "busy")
    figures = [block.figure("stage", group, Unit.CHILDREN, value) for group, value in {"all": 40, "begun": 50, "ended": None}.items()]
    assert attacked(figures).doubted == 1
