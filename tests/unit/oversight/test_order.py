"""The same children in whatever order the topics come, and none of them once its case is erased."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.durations import DAY_US, HOUR_US
from services.oversight.calendar import begins
from tests.harness.oversight_log import AGO, CALM, NEVER, WHOLE, Log, everybody, folded, interleaved, told, year
from tests.stories.teller import CASE, START


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=15)
def test_the_result_does_not_depend_on_how_topics_and_cases_interleave(seed: int) -> None:
    records = list(year(60))
    met = [(t, replace(m, recorded_at=0), b) if n % 97 == 0 else (t, m, b) for n, (t, m, b) in enumerate(records)]
    met = [
        (t, replace(m, recorded_at=max(m.recorded_at - n * HOUR_US, 0)), b) if n % 11 == 0 else (t, m, b) for n, (t, m, b) in enumerate(met)
    ]
    gone = {met[len(met) // 2 + 1][1].case_id, met[len(met) * 3 // 4][1].case_id}  # each has a record behind the middle
    met = [(t, m, None if m.case_id in gone and n > len(met) // 2 else b) for n, (t, m, b) in enumerate(met)]
    one, other = folded(met), folded(interleaved(met, seed))
    assert everybody(one) == everybody(other)
    assert one.counted(NEVER) == other.counted(NEVER)
    assert one.counted(NEVER)["key-gone"] == len(gone) and one.counted(NEVER)["clock-back"]
    bounded, bound = one.counted(NEVER, start := begins("2026-03")), other.counted(NEVER, start)
    assert bounded == bound != one.counted(NEVER) and one.months(start) == other.months(start) != one.months() == other.months()
    assert [one.fulls(m, WHOLE, NEVER) for m in one.months()] == [other.fulls(m, WHOLE, NEVER) for m in other.months()]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_as_of_a_time_is_folding_what_came_before_it(cut: int) -> None:
    records = year(150)
    until = begins("2026-01") + cut * 90 * DAY_US
    early = everybody(folded(r for r in records if r[1].recorded_at < until))
    late = everybody(folded(records))
    for pathway, found in early.items():
        assert [dict(c.first) for c in found] == [
            {fact: at for fact, at in c.first.items() if at < until} for c in late[pathway] if c.began_at < until
        ]


def test_an_erased_child_is_counted_as_erased_and_as_nothing_else() -> None:
    records = told(*CALM)
    erased = e.CaseErased(requested_at=START, approved_at=START, basis="x", records=1)
    log = Log()
    for _, meta, body in records:
        log.put(meta.case_id, body, meta.recorded_at)
    log.put(CASE, erased, START + DAY_US)
    lived = folded(log.records)
    again = folded((t, m, b if isinstance(b, e.CaseErased) else None) for t, m, b in log.records)
    for courses in (lived, again):
        assert (courses.pathways(), courses.months()) == ((), ())
        assert courses.counted(NEVER) == Counter(erased=1)
        assert courses.counted(START) == Counter()
        assert not any(full.days for full in courses.fulls("2026-10", WHOLE, NEVER) if full.places > 1)


def test_where_among_its_records_an_erasure_is_read_makes_no_difference() -> None:
    log = Log()
    for _, meta, body in told(*CALM):
        log.put(meta.case_id, body, meta.recorded_at)
    log.put(CASE, e.CaseLinked(why=log.records[1][2].why, other=CASE, how="sibling"), 1)  # out of every period
    erased = e.CaseErased(requested_at=START, approved_at=START, basis="x", records=1)
    log.put(CASE, erased, START + DAY_US)
    *records, last = log.records
    topic, meta, _ = records[-1]
    for order in ([*records, last], [last, *records], [*records[:3], last, *records[3:]], [last, (topic, meta, None)]):
        courses = folded(order)
        assert courses.pathways() == ()
        assert courses.counted(START + DAY_US) == Counter()
        assert courses.counted(NEVER) == Counter(erased=1)


def test_what_an_erased_case_has_raised_stands_for_itself() -> None:
    records = year(300)
    raiser = next(meta.case_id for _, meta, body in records if isinstance(body, e.CaseRaised))
    raised = {body.new_case_id for _, meta, body in records if isinstance(body, e.CaseRaised) and meta.case_id == raiser}
    before = folded(records).of("rights-violation", AGO, NEVER)
    after = folded((t, m, None if m.case_id == raiser else b) for t, m, b in records).of("rights-violation", AGO, NEVER)
    assert len(after) == len(before) + len(raised) - 1
