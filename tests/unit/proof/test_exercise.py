"""The report of an exercise: told from the log alone, without a word about the child, and with names for one agency only."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec import json, structs

from referral.domain.events import (
    AnswerWithdrawn,
    How,
    KnockSent,
    OfferAccepted,
    OfferClosed,
    OfferOpened,
    OfferReopened,
    SectionDisclosed,
    Why,
    Word,
)
from referral.errors import Rejected
from referral.proof.history import exercise
from referral.proof.history.exercise import Asked, Limit, Report
from tests.harness.audit_log import MINUTE, Log, _id, asked, response, story

WHY = Why(rule="test", procedure="", directory="", engine=1, passed=())


@dataclass
class Exercise(Log):
    """A log whose cases are all exercises."""

    drill: bool = True


def told(log: Log, case_id: str) -> Report:
    return exercise.report([entry for entry in log.entries if entry.case_id == case_id], log.keys[case_id])


def knocked(log: Log, case_id: str, offer: OfferOpened) -> None:
    knock = KnockSent(offer_id=offer.offer_id, rung=0, person=_id("p"), channel="sms", again=0, at=log.now, reference=_id("knock"))
    log.say(case_id, knock, _id("knock event"), offer.offer_id, "notifier")


def test_who_answered_when_what_was_late_and_what_was_read() -> None:
    log = Exercise()
    case_id, police = asked(log, "one")
    knocked(log, case_id, police)
    log.alarm(case_id)
    log.now += MINUTE
    log.input(case_id, response(police, Word.ACCEPT, "one"), "accept one")
    read = SectionDisclosed(
        offer_id=police.offer_id, agency=police.agency, by=_id("officer"), section="location", basis="offer", at=log.now + MINUTE
    )
    log.say(case_id, read, _id("read"), case_id, "intake")
    whole = told(log, case_id)
    first = whole.asked[0]
    assert (first.agency, first.step, first.late, first.level) == ("police-prizren", "police", ("acknowledge",), 1)
    assert [(answer.word, answer.at - first.at) for answer in first.answers] == [("ACCEPT", 16 * MINUTE)] and first.first == 16 * MINUTE
    assert [reading.section for reading in first.read] == ["location"] and first.knocks.sent == 1
    assert {one.agency for one in whole.asked[1:]} >= {"advocate-prizren", "csw-prizren"} and whole.asked[1].first == -1
    assert whole.began and not whole.ended


def test_what_was_refused_and_the_limits_that_ran_are_in_it() -> None:
    log = Exercise()
    case_id, police = asked(log, "two")
    log.now += 3 * MINUTE
    log.input(case_id, response(police, Word.ACCEPT, "two"), "accept two")
    advocate = next(one for one in told_offers(log, case_id) if one.agency == "advocate-prizren")
    log.now += 2 * MINUTE
    no = structs.replace(response(advocate, Word.DECLINE, "no"), reason="NO_CAPACITY")
    log.input(case_id, no, "decline")
    log.input(case_id, response(advocate, Word.ACCEPT, "late"), "accept what was declined")
    whole = told(log, case_id)
    first, second = whole.asked[0], next(one for one in whole.asked if one.agency == "advocate-prizren")
    assert next((limit.what, limit.due - limit.since, limit.met - limit.since, limit.missed) for limit in first.limits) == (
        "acknowledge",
        15 * MINUTE,
        3 * MINUTE,
        False,
    )
    assert [(answer.word, answer.reason, bool(answer.ignored)) for answer in second.answers] == [
        ("DECLINE", "NO_CAPACITY", False),
        ("ACCEPT", "", True),
    ]
    assert second.limits[0].met and not second.late and second.pathway == "trafficking-child"
    assert next(one for one in whole.asked if one.agency.startswith("advocate-") and one is not second).answers == ()


def test_a_deadline_that_runs_on_after_acceptance_is_one_and_not_yet_met() -> None:
    whole = Asked(agency="station", step="parents", role="police", at=1, limits=(Limit(what="complete", since=1, due=9),))
    accepted = OfferAccepted(why=WHY, offer_id=_id("offer"), by=None, late=False, due=12, due_what="complete")
    assert exercise._more(whole, accepted, 4).limits == (Limit(what="complete", since=1, due=12),)
    done = OfferClosed(why=WHY, offer_id=_id("offer"), how=How.COMPLETED, reason="")
    assert exercise._more(whole, done, 5).limits == (Limit(what="complete", since=1, due=9, met=5),)


def test_a_limit_that_passed_stays_missed_whoever_answers_afterwards() -> None:
    log = Exercise()
    first = told(log, story(log)).asked[0]
    assert first.limits[0].missed and first.limits[0].what == "acknowledge" and first.answers[0].word == "ACCEPT"


def told_offers(log: Log, case_id: str) -> list[OfferOpened]:
    """Every offer of the case, as the log has it."""
    reads = exercise._reads([entry for entry in log.entries if entry.case_id == case_id], log.keys[case_id])
    return [read.body for read in reads if isinstance(read.body, OfferOpened)]


def test_names_are_for_the_head_of_their_agency_alone() -> None:
    log = Exercise()
    whole = told(log, story(log))
    assert whole.asked[0].answers[0].by == _id("officer")
    assert exercise.for_agency(whole, "police-prizren") == whole
    for other in ("csw-prizren", ""):
        assert _id("officer") not in json.encode(exercise.for_agency(whole, other)).decode()


def test_a_real_child_has_no_such_report() -> None:
    log = Log()
    case_id = story(log)
    with pytest.raises(Rejected, match="no-exercise"):
        told(log, case_id)
    with pytest.raises(Rejected, match="no-such-case"):
        exercise.report([], log.keys[case_id])


def test_nothing_about_the_child_is_in_it() -> None:
    log = Exercise()
    said = json.encode(told(log, story(log))).decode()
    assert not any(word in said for word in ("urgent", "12-14", "female", "Testa", "sq"))
    assert '"pathway":"trafficking-child"' in said, "the procedure is what is practised, and guidance belongs to it"


def test_what_was_taken_back_is_not_reported_as_done() -> None:
    log = Exercise()
    case_id, police = asked(log, "slip")
    log.input(case_id, response(police, Word.ACCEPT, "slip"), "accept")
    log.input(case_id, response(police, Word.COMPLETE, "slip"), "done by mistake")
    assert told(log, case_id).asked[0].how == "COMPLETED"
    back = AnswerWithdrawn(offer_id=police.offer_id, agency=police.agency, by=_id("officer"), recorded_by=None, received_at=log.now)
    log.input(case_id, back, "taken back")
    slip = told(log, case_id).asked[0]
    assert ([answer.word for answer in slip.answers], slip.how, slip.ended) == (["ACCEPT", "COMPLETE", "TAKE_BACK"], "", 0)
    assert slip.limits[-1].met, "the deadline of the acceptance was met, whatever was taken back since"


def test_the_deadline_that_runs_again_is_the_one_that_the_slip_had_met() -> None:
    before = Asked(agency="station", step="parents", role="police", at=1, limits=(Limit(what="accept", since=1, due=4, met=2),))
    running = structs.replace(before, limits=(*before.limits, Limit(what="complete", since=2, due=9)))
    for due, known in ((9, running), (None, before)):
        done = exercise._more(known, OfferClosed(why=WHY, offer_id=_id("offer"), how=How.COMPLETED, reason=""), 5)
        word = "complete" if due else ""
        back = OfferReopened(
            why=WHY, offer_id=_id("offer"), by=None, track_id=_id("t"), step="parents", arrived=False, due=due, due_what=word, done_at=5
        )
        assert exercise._more(done, back, 6) == known
