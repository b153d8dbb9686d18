"""The report of an exercise: told from the log alone, without a word about the child, and with names for one agency only."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec import json

from referral.domain.events import KnockSent, OfferOpened, SectionDisclosed, Word
from referral.errors import Rejected
from referral.proof.history import exercise
from referral.proof.history.exercise import Report
from tests.harness.audit_log import MINUTE, Log, _id, asked, response, story


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
    assert not any(word in said for word in ("trafficking", "urgent", "12-14", "Testa"))
