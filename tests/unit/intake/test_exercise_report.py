"""What the report of an exercise says: times beside the procedure's limits, who is blamed and who is not, and whom it names."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from msgspec import structs

from referral.domain.case_number import case_number
from referral.domain.local_time import LOCAL
from referral.proof.history.exercise import Answer, Asked, Knocks, Limit, Reading, Report, Task
from services.intake.commands.exercises import Case, Exercise
from services.intake.pages import render
from services.intake.pages.agency import routes as agency
from services.intake.pages.exercise import report, routes
from services.intake.pages.exercise.report import View
from services.intake.pages.session import Visit
from tests.harness.shipped import compiled
from tests.stories import teller

POLICY = compiled()
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


def shown(*requests: Asked, tasks: tuple[Task, ...] = (), language: str = "en", logins: dict[str, str] | None = None) -> View:
    say = render.load(lambda: POLICY, routes.HERE, agency.HERE).words[language]
    whole = Report(case_id="case", began=DAY, ended=0, asked=requests, tasks=tasks, raised=())

    def name(kind: str, code: str) -> str:
        return POLICY.names(kind, code, language)

    return report.Telling(POLICY, 3, logins or {}, say, name).view([("night-police", whole)], "dragash")


def test_times_stand_beside_the_limits() -> None:
    met = Limit(what="acknowledge", since=DAY, due=DAY + 15 * MINUTE, met=DAY + 20_000_000)
    [one] = (
        shown(asked(limits=(met,), answers=(Answer(word="ACCEPT", at=DAY + 20_000_000, by="a"),)), logins={"a": "officer"})
        .cases[0]
        .requests
    )
    assert one.limits == (("To acknowledge: 15 minutes allowed, took 20 seconds", False),)
    assert one.answers == ("“Accept” after 20 seconds (officer)",) and not one.late
    assert one.guidance, "the texts of the step"
    [late] = shown(asked(limits=missed(DAY, DAY + 16 * MINUTE))).cases[0].requests
    assert late.limits == (("To acknowledge: 15 minutes allowed, took 16 minutes: late", True),) and late.late
    [silent] = shown(asked(limits=missed(DAY))).cases[0].requests
    assert silent.limits[0][0].endswith("passed without it") and silent.answers == ()
    assert shown(asked()).cases[0].requests[0].limits[0][0].endswith("still runs")


def test_what_was_refused_is_said() -> None:
    no = Answer(word="DECLINE", at=DAY + 2 * MINUTE, reason="NO_CAPACITY")
    again = Answer(word="ACCEPT", at=DAY + 3 * MINUTE, ignored="OFFER_CLOSED", by="somebody of another agency")
    view = shown(asked(answers=(no, again)))
    assert view.cases[0].requests[0].answers == (
        f"“Decline” after 2 minutes · {POLICY.names('reason', 'NO_CAPACITY', 'en')}",
        "“Accept” after 3 minutes · changed nothing",
    )
    assert dict(view.counts)["declined"] == 1 and dict(view.counts)["answers that changed nothing"] == 1


def test_what_was_taken_back_is_said_in_words() -> None:
    slip = (Answer(word="COMPLETE", at=DAY + 2 * MINUTE), Answer(word="TAKE_BACK", at=DAY + 3 * MINUTE))
    said = {"en": "“Take it back” after 3 minutes", "sr-Cyrl": "„Повуци“, 3 минута после захтева"}
    for language, line in said.items():
        assert shown(asked(answers=slip), language=language).cases[0].requests[0].answers[1] == line


def test_nobody_is_blamed_for_our_hours_nor_for_our_faults() -> None:
    def flags(one: Asked) -> tuple[bool, bool, bool]:
        [request] = shown(one).cases[0].requests
        return request.late, request.hushed, request.excused

    assert flags(asked(NIGHT, limits=missed(NIGHT))) == (False, True, False), "nothing loud could leave at night"
    assert flags(asked(NIGHT, limits=missed(NIGHT), knocks=Knocks(sent=2, loud=1))) == (True, False, False), "its head had agreed"
    assert flags(asked(DAY, limits=missed(DAY))) == (True, False, False)
    assert flags(asked(HOLIDAY, limits=missed(HOLIDAY))) == (False, True, False)
    assert flags(asked(DAY, limits=missed(DAY), excused=True)) == (False, False, True)
    answered = (Answer(word="ACCEPT", at=NIGHT + MINUTE),)
    assert flags(asked(NIGHT, answers=answered)) == (False, False, False), "whoever answered all the same needs no excuse"
    assert dict(shown(asked(NIGHT, limits=missed(NIGHT))).counts)["with a deadline that passed"] == 0


def test_the_municipality_is_looked_at_as_a_whole() -> None:
    task = Task(desk="desk-dragash", about="no-candidate", at=DAY, settled=DAY + 4 * MINUTE)
    view = shown(asked(agency="csw-dragash", read=(Reading(section="identity", at=DAY),)), tasks=(task,))
    assert POLICY.names("agency", "desk-dragash", "en") not in view.missed and POLICY.names("agency", "school-dragash", "en") in view.missed
    assert len(view.missed) == 5 and view.cases[0].questions[0].state == "settled after 4 minutes"
    assert view.cases[0].requests[0].read == POLICY.names("section", "identity", "en")


def test_before_it_starts_the_page_says_what_the_procedure_asks() -> None:
    say = render.load(lambda: POLICY, routes.HERE, agency.HERE).words["sr-Cyrl"]
    told = report.told("night-police", teller.policy(), say, lambda kind, code: f"{kind}:{code}")
    assert told.pathway == "pathway:trafficking-child" and told.steps[:2] == ("step:police", "step:support")
    assert "step:oversight" not in told.steps and "Пронађено" in told.title


def test_each_link_of_the_list_names_its_exercise() -> None:
    """34 links were named alike, "An exercise that a system or the operator has sent"."""
    renderer = render.load(lambda: POLICY, routes.HERE, agency.HERE)
    sent = [
        Exercise(id=id, municipality="", agency="", account="", began=DAY, ours=False, cases=(Case(case_id=id, story="", closed_at=DAY),))
        for id in ("c1", "c2")
    ]
    known = [(one, report.titles(one, renderer.words["en"]), "", case_number(one.id)) for one in sent]
    values: dict[str, Any] = {"errors": {}, "values": {}, "done": None, "stories": [], "places": [], "refused": ["no"], "head": False}
    visit = Visit("t", None, b"", "en", DAY)
    page = bytes(renderer.page("exercises.html", visit, known=known, limits=(1, 2, 3, 4, 5), key="k", **values).body).decode()
    links = [re.sub("<[^>]+>", "", link) for link in re.findall(r'<a class="open"[^>]*>(.*?)</a>', page)]
    assert len(set(links)) == len(sent) and all(case_number(one.id) in page for one in sent)
