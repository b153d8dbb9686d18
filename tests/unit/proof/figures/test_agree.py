"""Two programs that share no code compute the figures of oversight from one definition (docs/decisions/0018-measures.md): the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from referral.domain import events as e
from referral.domain.durations import DAY_US, MINUTE_US
from referral.domain.events import Mark
from referral.proof.figures import recompute as plain
from referral.proof.figures import releases as released
from referral.proof.figures.recompute import CaseEvent
from services.oversight.counting import tables as folded
from services.oversight.counting.model import Course
from services.oversight.counting.projection import AHEAD
from services.oversight.disclosure import releases
from services.oversight.release import Release
from services.oversight.release_builder import measured
from tests.harness.figures_year import FIRST, RULES, both
from tests.harness.oversight_log import CALM, NEVER, Log, told
from tests.harness.oversight_log import folded as folded_log

FEW = {id: replace(one, places=None if one.places is None else one.places % 2) for id, one in RULES.services.items()}
NARROW = replace(RULES, services=FEW)
"""With hardly any place."""
MONTHS = [f"2027-{n:02}" for n in range(1, 13)]


def test_every_table_of_every_procedure_over_any_months_is_the_same() -> None:
    courses, said, children, erased = both(seed=1, cases=120)
    assert erased and set(courses.pathways()) >= {child.pathway for child in children}
    start = FIRST - AHEAD
    assert courses.months(start) == tuple(sorted({plain.month_of(child.began) for child in children})) != courses.months()
    met = courses.counted(plain.close_of("2028-12"), start)
    assert met["clock-back"] and met["out-of-period"], "no clock was set back: the comparison proves nothing about it"
    seen = Counter[str]()
    for pathway in courses.pathways():
        for first, last in (("2027-01", "2027-01"), ("2027-10", "2027-10"), ("2027-03", "2027-12")):
            begins, ends = (plain.close_of(month) - 30 * DAY_US for month in (_before(first), last))
            there, held = plain.during(children, pathway, first, last), courses.of(pathway, begins, ends)
            assert len(held) == len(there)
            for moment in (begins + DAY_US, ends, plain.close_of(last)):
                seen.update(alike(there, held, moment))
    reached = ("begun", "acknowledged", "accepted", "arrived", "completed", "ended", "1", "2", "unanswered", "duplicate", "withdrawn")
    for what in (*reached, "wait.bed", "wait.interview", "wait.plan", "declined.NO_CAPACITY", "late.csw-prishtine"):
        assert seen[what], f"nobody is counted as {what}: the comparison proves nothing about it"
    full = Counter[str]()
    for month in MONTHS:
        days = plain.full(said, erased, NARROW, month)
        ours = {one.group: one.days for one in courses.fulls(month, NARROW, plain.close_of(month))}
        assert ours == {role: days[role] for role in ours}
        full.update(ours)
    assert full.total(), "no place was ever full"


def test_a_place_is_held_and_left_in_the_order_of_its_records_whatever_a_clock_said() -> None:
    log, day = Log(), plain.close_of("2026-09") - 30 * DAY_US
    by = next(b for _, _, b in told(*CALM) if isinstance(b, e.OfferOpened) and b.kind is e.OfferKind.PLACE)
    track = next(b for _, _, b in told(*CALM) if isinstance(b, e.TrackChanged))
    for id in ("one", "other"):  # there are two places
        left = e.OfferClosed(why=by.why, offer_id=id, how=e.How.EXPIRED, reason="")
        log.put(id, track, day + 2 * DAY_US)
        log.put(id, msgspec.structs.replace(by, offer_id=id, service="isf.beds"), day + 3 * DAY_US + 1)
        log.put(id, left, day)
        log.put(id, e.OfferAccepted(why=by.why, offer_id=id, late=True, due_what=""), day + 4 * DAY_US + 1)
        log.put(id, left, 1)  # out of every period
        log.put(id, left, day + 6 * DAY_US)
        log.put(id, left, day + 2 * DAY_US)
    said = [CaseEvent(meta.case_id, topic, meta.case_seq, meta.recorded_at, body) for topic, meta, body in log.records]
    (ours,) = (one for one in folded_log(log.records).fulls("2026-10", RULES, NEVER) if one.group == "state-secure-facility")
    assert ours.days == plain.full(said, frozenset(), RULES, "2026-10")["state-secure-facility"] == 2


def test_an_answer_that_was_taken_back_ends_no_wait_in_either() -> None:
    lines = (*CALM, "support: ARRIVE", "csw: ARRIVE", "guardian: DECIDE csw-guardian", "guardian-holder: ACCEPT")
    lines = (*lines, "representative: ACCEPT", "reflection: DECIDE cooperates")
    lines = (*lines, "interview: ACCEPT", "interview.1: COMPLETE", "interview: COMPLETE")
    for more, waited in ((("wait 1 min", "take-back interview"), None), (("wait 1 min", "take-back interview", "interview: COMPLETE"), 16)):
        records = told(*lines, *more)
        said = [CaseEvent(meta.case_id, topic, meta.case_seq, meta.recorded_at, body) for topic, meta, body in records]
        (child,), (course,) = plain.children(said, frozenset(), 0), folded_log(records).of("trafficking-child", 0, NEVER)
        at = child.first.get("wait:interview")
        assert dict(course.first) == child.first and (None if at is None else (at - child.began) // MINUTE_US) == waited


def alike(there: Sequence[plain.Child], held: Sequence[Course], moment: int) -> Counter[str]:
    """Both programs about the same children as of a moment; how many are counted where."""
    seen, ours = Counter[str](), plain.tables(there, RULES, moment)
    for table in folded.tables(held, moment, folded.known(RULES)):
        told = dict(table.atoms) | {group: sum(table.atoms[atom] for atom in of) for group, of in table.groups.items()}
        expected = {group: value for (measure, group), value in ours.items() if measure == table.measure and group != "all"}
        assert {group: value for group, value in told.items() if group != "all"} == expected, table.measure
        seen.update(expected)
        seen[table.measure] += expected.get("yes", 0)
    for spread in folded.spreads(held, moment):
        assert spread.count == ours[spread.measure, "count"]
        if spread.count:
            assert (spread.half, spread.most) == (ours[spread.measure, "half"], ours[spread.measure, "most"]), spread.measure
        seen[spread.measure] += spread.count
    return seen


def _before(month: str) -> str:
    number = int(month[5:]) - 1
    return f"{month[:5]}{number:02}" if number else f"{int(month[:4]) - 1}-12"


def test_a_release_says_what_the_log_says_and_what_is_changed_in_it_is_named() -> None:
    courses, said, children, erased = both(seed=3, cases=200)
    log = released.Log(said, children, dict.fromkeys(erased, 0), frozenset())
    known = folded.known(RULES)
    measures = measured(sorted(pathway.id for pathway in RULES.current), lambda _: known)
    everybody = [course for pathway in courses.pathways() for course in courses.of(pathway, 0, plain.close_of("2028-01"))]
    made = list[Release]()
    for month in MONTHS:
        full = courses.fulls(month, RULES, plain.close_of(month))
        made.append(releases.make(month, everybody, full, made, {}, measures))
        if any(one.measure == "stage" for one in made[-1].figures):
            break
    published = [released.Release(one.made, one.figures) for one in made]
    for number, one in enumerate(published):
        found = released.check(one, published[:number], log, RULES)
        assert not found.differs and not found.alone, (one.made.month, found.differs[:3])
    last = published[-1]
    assert last.made.shown and last.made.hidden and released.check(last, [], log, RULES).alone
    shown = next(place for place, one in enumerate(last.figures) if one.value is not None and one.measure == "stage")
    hidden = next(place for place, one in enumerate(last.figures) if one.mark is Mark.HIDDEN and one.measure == "stage")
    for place, value in ((shown, (last.figures[shown].value or 0) + 1), (hidden, 3)):
        wrong = msgspec.structs.replace(last.figures[place], value=value)
        changed = released.Release(last.made, (*last.figures[:place], wrong, *last.figures[place + 1 :]))
        differs = [found.what for found in released.check(changed, published[:-1], log, RULES).differs]
        assert "digest" in differs and any(released.name(wrong) in what for what in differs)
    fewer = released.Release(last.made, last.figures[1:])
    assert {"digest", "figures, shown, hidden, waiting"} <= {one.what for one in released.check(fewer, published[:-1], log, RULES).differs}
