"""What the report of an exercise says: times beside the procedure's limits, who is blamed and who is not, and whom it names."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from msgspec import structs

from referral.domain.case_number import case_number
from referral.domain.local_time import LOCAL
from referral.exercise import stories
from referral.proof.history.exercise import Answer, Asked, Knocks, Limit, Reading, Report, Task
from services.intake.commands.exercises import Case, Exercise
from services.intake.pages import render
from services.intake.pages.exercise import pages, report
from tests.harness.shipped import compiled
from tests.harness.web import drawn
from tests.stories import teller

POLICY = compiled()
BLAME = report.Blame(POLICY.calendar.holidays)
MINUTE = 60_000_000
DAY = round(datetime(2026, 11, 24, 10, 0, tzinfo=LOCAL).timestamp()) * 1_000_000
NIGHT = DAY + 12 * 60 * MINUTE
HOLIDAY = round(datetime(2027, 1, 1, 10, 0, tzinfo=LOCAL).timestamp()) * 1_000_000
"""A Friday."""


def asked(at: int = DAY, **more: Any) -> Asked:
    limit = Limit(what="acknowledge", since=at, due=at + 15 * MINUTE)
    known = Asked(agency="police-prizren", step="police", role="police-thbs", at=at, pathway="trafficking-child", limits=(limit,))
    return structs.replace(known, **more)


def missed(at: int, met: int = 0) -> tuple[Limit, ...]:
    return (Limit(what="acknowledge", since=at, due=at + 15 * MINUTE, met=met, missed=True),)


def shown(*requests: Asked, tasks: tuple[Task, ...] = (), language: str = "en", logins: dict[str, str] | None = None) -> str:
    """What the page of an exercise in Dragash says."""
    call = drawn.request("/exercises/e", language=language, head=True)
    whole = Report(case_id="case", began=DAY, ended=0, asked=requests, tasks=tasks, raised=())
    exercise = Exercise(
        id="e",
        municipality="dragash",
        agency="",
        account="",
        began=DAY,
        ours=False,
        cases=(Case(case_id="case", story="night-police", closed_at=None),),
    )
    return drawn.text(pages.draw(call, exercise, [("night-police", whole)], logins or {}, away=False))


def test_times_stand_beside_the_limits() -> None:
    met = Limit(what="acknowledge", since=DAY, due=DAY + 15 * MINUTE, met=DAY + 20_000_000)
    answered = (Answer(word="ACCEPT", at=DAY + 20_000_000, by="a"),)
    page = shown(asked(limits=(met,), answers=answered), logins={"a": "officer"})
    assert "Deadlines of the procedure To acknowledge: 15 minutes allowed, took 20 seconds Messages" in page
    assert "“Accept” after 20 seconds (officer)" in page and "First contact" in page
    assert "took 16 minutes: late" in shown(asked(limits=missed(DAY, DAY + 16 * MINUTE)))
    assert "passed without it" in shown(asked(limits=missed(DAY))) and "still runs" in shown(asked())


def test_what_was_refused_is_said() -> None:
    no = Answer(word="DECLINE", at=DAY + 2 * MINUTE, reason="NO_CAPACITY")
    again = Answer(word="ACCEPT", at=DAY + 3 * MINUTE, ignored="OFFER_CLOSED", by="somebody of another agency")
    page = shown(asked(answers=(no, again)))
    assert f"“Decline” after 2 minutes · {POLICY.names('reason', 'NO_CAPACITY', 'en')} “Accept” after 3 minutes · changed nothing" in page
    assert "1 answers that changed nothing" in page and report.counts([asked(answers=(no, again))], BLAME)["declined"] == 1


def test_what_was_taken_back_is_said_in_words() -> None:
    slip = (Answer(word="COMPLETE", at=DAY + 2 * MINUTE), Answer(word="TAKE_BACK", at=DAY + 3 * MINUTE))
    said = {"en": "“Take it back” after 3 minutes", "sr-Cyrl": "„Повуци“, 3 минута после захтева"}
    for language, line in said.items():
        assert line in shown(asked(answers=slip), language=language)


def test_nobody_is_blamed_for_our_hours_nor_for_our_faults() -> None:
    def flags(one: Asked) -> tuple[bool, bool, bool]:
        return BLAME.late(one), BLAME.hushed(one), one.excused

    assert flags(asked(NIGHT, limits=missed(NIGHT))) == (False, True, False), "nothing loud could leave at night"
    assert flags(asked(NIGHT, limits=missed(NIGHT), knocks=Knocks(sent=2, loud=1))) == (True, False, False), "its head had agreed"
    assert flags(asked(DAY, limits=missed(DAY))) == (True, False, False)
    assert flags(asked(HOLIDAY, limits=missed(HOLIDAY))) == (False, True, False)
    assert flags(asked(DAY, limits=missed(DAY), excused=True)) == (False, False, True)
    answered = (Answer(word="ACCEPT", at=NIGHT + MINUTE),)
    assert flags(asked(NIGHT, answers=answered)) == (False, False, False), "whoever answered all the same needs no excuse"
    assert report.counts([asked(NIGHT, limits=missed(NIGHT))], BLAME)["late"] == 0


def test_the_municipality_is_looked_at_as_a_whole() -> None:
    task = Task(desk="desk-dragash", about="no-candidate", at=DAY, settled=DAY + 4 * MINUTE)
    read = asked(agency="csw-dragash", read=(Reading(section="identity", at=DAY),))
    whole = Report(case_id="case", began=DAY, ended=0, asked=(read,), tasks=(task,), raised=())
    left = report.missed(POLICY, "dragash", [whole])
    assert "desk-dragash" not in left and "school-dragash" in left and len(left) == 5
    page = shown(read, tasks=(task,))
    assert "settled after 4 minutes" in page and POLICY.names("agency", "school-dragash", "en") in page
    assert f"Opened in the case file {POLICY.names('section', 'identity', 'en')}" in page


def test_before_it_starts_the_page_says_what_the_procedure_asks() -> None:
    say = render.load(lambda: POLICY).words["sr-Cyrl"]
    sent = report.sent("night-police", teller.policy(), say)
    assert sent.pathway == "trafficking-child" and sent.steps[:2] == ("police", "csw")
    assert "oversight" not in sent.steps and "Пронађено" in sent.title


def test_each_link_of_the_list_names_its_exercise() -> None:
    """34 links were named alike, "An exercise that a system or the operator has sent"."""
    sent = [
        Exercise(id=id, municipality="", agency="", account="", began=DAY, ours=False, cases=(Case(case_id=id, story="", closed_at=DAY),))
        for id in ("c1", "c2")
    ]
    call = drawn.request("/exercises")
    known = [(one, report.titles(one, call.say)) for one in sent]
    values: dict[str, Any] = {"errors": {}, "values": {}, "done": None, "stories": [], "places": [], "refused": ["night"]}
    page = drawn.source(call.page("exercises.html", known=known, limits=(1, 2, 3, 4, 5), key="k", **values))
    links = [re.sub("<[^>]+>", "", link) for link in re.findall(r'<a class="open"[^>]*>(.*?)</a>', page)]
    assert len(set(links)) == len(sent) and all(case_number(one.id) in page for one in sent)


def test_the_stories_are_written_in_every_language() -> None:
    for name, story in stories.stories().items():
        for texts in (story.title, story.hint):
            assert len(set(texts.values())) == 3, name
