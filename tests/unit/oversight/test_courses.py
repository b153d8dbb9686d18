"""Children on procedures, folded from told stories and a simulated year: each fact has the time of its event."""

from __future__ import annotations

import tracemalloc
import uuid
from collections import Counter, defaultdict
from typing import Any

import pytest
from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from services.oversight.calendar import begins, month
from services.oversight.counting.projection import Courses
from tests.harness.oversight_log import AGO, CALM, CHILD, NEVER, WHOLE, Log, Record, everybody, folded, since, story, told, year
from tests.stories.teller import CASE, START
from tests.stories.test_stories import TOLD


def changed(records: list[Record], kind: type, **fields: Any) -> list[Record]:
    """The same records, bodies of one kind with other fields."""
    return [(t, m, replace(body, **fields) if isinstance(body, kind) else body) for t, m, body in records]


def test_each_stage_and_wait_has_the_time_of_its_event() -> None:
    moved = (*CALM, "wait 3 h", "shelter: ACCEPT", "wait 1 h", "shelter: ARRIVE")
    assert since(told(*moved)) == {
        "stage:acknowledged": 10,
        "wait:acknowledged": 10,
        "stage:accepted": 15,
        "wait:accepted": 15,
        "stage:arrived": 255,
        "wait:bed": 255,
    }


def test_a_seat_taken_without_a_word_before_was_seen_then_and_a_notice_is_no_acknowledgement() -> None:
    quick = told("refer", "wait 4 min", "police: ACCEPT")
    assert since(quick)["wait:acknowledged"] == since(quick)["wait:accepted"] == 4
    noticed = [
        r
        for r in told("refer concern=without-parental-care", "csw: ACCEPT", "police: ACKNOWLEDGE")
        if not isinstance(r[2], e.OfferAccepted)
    ]
    notices = {body.offer_id for _, _, body in noticed if isinstance(body, e.OfferOpened) and body.kind is e.OfferKind.NOTIFY}
    only = [r for r in noticed if not isinstance(r[2], e.OfferAcknowledged) or r[2].offer_id in notices]
    assert any(isinstance(body, e.OfferAcknowledged) for _, _, body in only)
    assert "wait:acknowledged" not in since(only, "without-parental-care")


def test_a_procedure_that_did_all_is_completed_and_any_other_end_is_an_end() -> None:
    assert {"stage:completed", "wait:interview", "wait:plan", "wait:bed"} <= set(since(story("calm-path")))
    assert "stage:ended" not in since(story("calm-path"))
    assert "stage:ended" in since(told(*CALM, "desk CLOSE"))
    assert "stage:ended" in since(story("adult-found-to-be-a-child"), "trafficking-adult")


def test_a_procedure_that_another_took_over_is_an_end_whatever_it_was_called() -> None:
    records = changed(story("adult-found-to-be-a-child"), e.TrackChanged, outcome="done")
    assert "stage:ended" in since(records, "trafficking-adult")
    assert "stage:completed" not in since(records, "trafficking-adult")


def test_a_place_to_which_nobody_has_to_say_that_a_child_came_is_taken_when_it_is_accepted() -> None:
    records = told(*CALM, "wait 3 h", "shelter: ACCEPT", "wait 1 h", "shelter: ARRIVE")
    without = changed(records, e.OfferOpened, words=("ACKNOWLEDGE", "ACCEPT", "DECLINE"))
    assert since(records)["wait:bed"] == 255
    assert since(without)["wait:bed"] == 195


def test_a_pause_is_an_answer_and_no_decline_and_so_is_coming() -> None:
    held = told(*CALM, "health: HOLD NO_CAPACITY")
    assert any(isinstance(body, e.OfferHeld) and body.due and body.reason for _, _, body in held)
    assert not any(fact.startswith("declined") for fact in since(held))
    offer = next(body for _, _, body in held if isinstance(body, e.OfferHeld))
    came = e.OfferArrived(why=offer.why, offer_id=offer.offer_id, due_what="")
    for answer in ([offer], [came], []):
        log = Log()
        for _, meta, body in told(*CALM):
            log.put(meta.case_id, body, meta.recorded_at)
        for body in (*answer, e.DeadlinePassed(why=offer.why, offer_id=offer.offer_id, what="accept", was_due=START)):
            log.put(CASE, body, START + DAY_US)
        assert ("unanswered" in since(log.records)) == (not answer)


def test_a_settled_or_overtaken_interview_is_none() -> None:
    records = changed(story("calm-path"), e.StepDone, outcome="settled")
    assert not {"wait:interview", "wait:plan"} & set(since(records))


def test_an_interview_that_was_said_to_be_done_by_mistake_is_done_when_it_is() -> None:
    """Also where somebody looks between the two, and where the agency answers on after it took its answer back."""
    held = (*CALM, "support: ARRIVE", "csw: ARRIVE", "guardian: DECIDE csw-guardian")
    held = (*held, "guardian-holder: ACCEPT", "representative: ACCEPT", "wait 5 min", "reflection: DECIDE cooperates")
    held = (*held, "interview: ACCEPT", "interview.1: COMPLETE", "interview: COMPLETE")
    assert since(told(*held))["wait:interview"] == 20
    slip = (*held, "wait 1 min", "take-back interview")
    assert "wait:interview" not in since(told(*slip))
    assert since(told(*slip, "wait 9 min", "interview: COMPLETE"))["wait:interview"] == 30
    assert "unknown-offer" not in folded(told(*slip, "wait 4 d", "alarm")).counted(NEVER)


def test_silence_is_late_and_unanswered_and_a_late_answer_that_was_seen_is_only_late() -> None:
    silent = since(told("refer", "alarm"))
    assert silent == {"late:police-prishtine": 15, "unanswered": 15, "rung:1": 15}
    seen = since(told("refer", "police: ACKNOWLEDGE", "csw: ARRIVE", "shelter: ACCEPT", "health: ACCEPT", "alarm"))
    assert seen["late:police-prishtine"] == 60
    assert "unanswered" not in seen


def test_every_rung_that_was_used_is_kept() -> None:
    assert {fact: at for fact, at in since(told("refer", "alarm", "alarm")).items() if fact.startswith("rung")} == {
        "rung:1": 15,
        "rung:2": 30,
    }


def test_a_decline_by_duty_counts_and_a_return_does_not() -> None:
    assert since(told("refer", "wait 2 min", "police: DECLINE OUT_OF_AREA"))["declined:OUT_OF_AREA"] == 2
    assert since(told(*CALM, "wait 5 min", "shelter: DECLINE NO_CAPACITY"))["declined:NO_CAPACITY"] == 20
    assert not any(fact.startswith("declined") for fact in since(told(*CALM, "shelter: ACCEPT", "shelter: RETURN NO_CAPACITY")))


def test_a_withdrawal_and_a_join_are_of_the_whole_case() -> None:
    records = [*story("same-person")]
    assert "duplicate" in since(records)
    assert "duplicate" not in since(changed(records, e.CaseLinked, how="sibling"))
    assert since(told("refer", "wait 7 min", "withdraw"))["withdrawn"] == 7
    (course,) = folded(told("refer", "wait 9 min", "consent WITHDRAWN")).of(CHILD, AGO, NEVER)
    assert course.first["withdrawn"] == START + 9 * MINUTE_US
    assert "withdrawn" not in since(told("refer", "consent REFUSED"))


def test_what_is_known_when_it_began_stays_and_a_second_time_is_no_second_child() -> None:
    (course,) = folded(told("refer", "wait 1 h", "traits found_in=prizren age_band=15-17")).of(CHILD, AGO, NEVER)
    assert (course.municipality, course.sex, course.age_band) == ("prishtine", "female", "12-14")
    adult = folded(story("child-turns-out-adult"))
    assert [c.age_band for c in adult.of("trafficking-adult", AGO, NEVER)] == ["18-120"]
    assert [c.age_band for c in adult.of(CHILD, AGO, NEVER)] == ["unknown"]
    again = folded(told(*CALM, "desk CLOSE", "wait 40d", "desk REOPEN"))
    (once,) = again.of(CHILD, AGO, NEVER)
    assert once.began_at == START
    assert len(again.months()) == 1


def test_the_whole_year_is_one_child_for_each_that_came_and_all_that_a_case_raised_is_that_child() -> None:
    records = year(300)
    above = {body.new_case_id: meta.case_id for _, meta, body in records if isinstance(body, e.CaseRaised)}
    began: dict[str, dict[str, int]] = defaultdict(dict)
    for _, meta, body in records:
        if isinstance(body, e.TrackChanged) and body.state is e.TrackState.OPENED:
            child = meta.case_id
            while child in above:
                child = above[child]
            began[body.pathway].setdefault(child, meta.recorded_at)
    courses = folded(records)
    assert len(above) > len(began["rights-violation"]), "one child has several complaints"
    assert {p: [c.began_at for c in found] for p, found in everybody(courses).items()} == {p: sorted(b.values()) for p, b in began.items()}
    assert courses.pathways() == tuple(sorted(began))
    assert courses.months() == tuple(sorted({month(at) for all in began.values() for at in all.values()}))


def test_a_period_takes_who_began_in_it() -> None:
    courses = folded(year(300))
    whole = sum(len(courses.of(p, AGO, NEVER)) for p in courses.pathways())
    months = courses.months()
    parts = [courses.of(p, begins(m), begins(n)) for p in courses.pathways() for m, n in zip(months, (*months[1:], "2099-01"), strict=True)]
    assert sum(map(len, parts)) == whole


@pytest.mark.parametrize("name", [path.stem for path in TOLD])
def test_every_story_is_told_without_a_guess_and_facts_only_accrue(name: str) -> None:
    records = story(name)
    courses, before = Courses(), everybody(Courses())
    for topic, meta, body in records:
        courses.note(topic, meta, body)
        now = everybody(courses)
        for pathway, found in before.items():
            assert [c.began_at for c in found] == [c.began_at for c in now[pathway]]
            assert all(old.first.items() <= new.first.items() for old, new in zip(found, now[pathway], strict=True))
        before = now
    assert set(courses.counted(NEVER)) <= {"unknown-offer", "unknown-track", "unknown-value"}, "a lost record leaves its offers unknown"
    assert not courses.counted(NEVER) or name in ("before-the-first-record", "record-lost", "unheard-of")


def test_a_drill_counts_nowhere() -> None:
    log = Log()
    for _, meta, body in told(*CALM):
        log.put(meta.case_id, body, meta.recorded_at, drill=True)
    courses = folded(log.records)
    assert (courses.pathways(), courses.counted(NEVER)) == ((), Counter(drill=len(log.records)))


def test_what_cannot_be_told_is_counted_by_word() -> None:
    records = told(*CALM)
    opened = records[-1][1]

    def counted(more: list[Record]) -> Counter[str]:
        return folded([*records, *more]).counted(NEVER)

    topic = "referral-routing"
    track = next(b for _, _, b in records if isinstance(b, e.TrackChanged))
    assert counted([(topic, opened, replace(track, state=e.TrackState.UNKNOWN))]) == Counter({"unknown-value": 1})
    assert counted([(topic, opened, replace(track, track_id="other", state=e.TrackState.ENDED))]) == Counter({"unknown-track": 1})
    offer = next(b for _, _, b in records if isinstance(b, e.OfferAccepted))
    assert counted([(topic, opened, replace(offer, offer_id="other"))]) == Counter({"unknown-offer": 1})
    assert counted([("referral-intake", opened, offer)]) == Counter({"unknown-type": 1})
    assert counted([(topic, opened, e.Passed(service="x", reason="y"))]) == Counter({"unknown-type": 1})
    assert counted([(topic, replace(opened, recorded_at=1), offer)]) == Counter({"out-of-period": 1})
    back = [(topic, replace(opened, recorded_at=START - HOUR_US), offer)]
    assert counted(back) == Counter({"clock-back": 1})
    assert folded([*records, *back]).counted(opened.recorded_at) == Counter()
    assert counted([("referral-intake", replace(opened, case_id="lost"), None)]) == Counter({"key-gone": 1})


def test_what_is_over_is_forgotten() -> None:
    def kept(records: list[Record]) -> int:
        tracemalloc.start()
        courses = folded(records)
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert courses.pathways()
        return size

    records = list(year(60))
    folded(records)
    assert kept(records) < 0.8 * kept([r for r in records if not isinstance(r[2], e.CaseClosed)])


def test_days_on_which_no_place_was_free_at_their_end() -> None:
    """The secure facility has two places: a story holds one, another case both from the 3rd to the 5th of October."""
    log = Log()
    by = next(b for _, _, b in told(*CALM) if isinstance(b, e.OfferOpened) and b.kind is e.OfferKind.PLACE)
    track = next(b for _, _, b in told(*CALM) if isinstance(b, e.TrackChanged))
    day = begins("2026-10")
    for number in range(2):
        case_id = str(uuid.UUID(int=number + 1))
        offer = replace(by, service="isf.beds", role="state-secure-facility")
        closed = e.OfferClosed(why=by.why, offer_id=by.offer_id, how=e.How.EXPIRED, reason="accept")
        log.put(case_id, track, day)
        log.put(case_id, offer, day + 2 * DAY_US)
        log.put(case_id, closed, day + 4 * DAY_US + HOUR_US)
        if number:
            log.put(case_id, e.OfferAccepted(why=by.why, offer_id=by.offer_id, late=True, due_what=""), day + 6 * DAY_US)
            log.put(case_id, replace(closed, how=e.How.RELEASED), day + 9 * DAY_US)
        else:
            log.put(case_id, e.OfferAccepted(why=by.why, offer_id=by.offer_id, late=True, due_what=""), day + 7 * DAY_US + HOUR_US)

    def days(month: str, now: int = NEVER) -> int:
        return next(f.days for f in folded(log.records).fulls(month, WHOLE, now) if f.group == "state-secure-facility")

    assert days("2026-10") == 2 + 2  # ends of the 3rd and 4th; of the 8th and 9th
    assert days("2026-10", day + 5 * DAY_US) == 2
    assert days("2026-11") == days("2026-09") == 0
    found = {f.group: f for f in folded(log.records).fulls("2026-10", WHOLE, NEVER)}
    places = {group: f.places for group, f in found.items()}
    assert places["state-secure-facility"] == 2
    assert found["children-shelter"].fewest == places["children-shelter-with-protection"] < places["children-shelter"]
    assert places["children-shelter"] == sum(s.places or 0 for s in WHOLE.services.values() if "children-shelter" in s.roles)
