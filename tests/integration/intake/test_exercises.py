"""Exercises from the page: who may start one, how many, at which hours, what is sent, and how it ends. The doors are real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from referral.domain.durations import DAY_US
from referral.domain.events import CaseClosed, Door, ReferralSubmitted, ReferralWithdrawn
from referral.domain.local_time import local
from referral.exercise import rules, stories
from services.intake.commands import exercises
from tests.harness.line.notifier_stack import MINUTE
from tests.harness.shipped import compiled
from tests.harness.web.agency_line import Line, line, send
from tests.harness.web.forms import fields
from tests.harness.web.world import WHY, signed_in

pytestmark = pytest.mark.servers
HOUR = 60 * MINUTE
OURS, PLACE = "csw-prizren", "prizren"
ONE = {"story": "left-alone", "place": PLACE}
NEWER = """
WITH cases AS (INSERT INTO intake.casefile (case_id, desk, drill, opened_at, closed_at, sealed)
    SELECT gen_random_uuid(), 'desk-prizren', true, runtime.clock() + n, runtime.clock() + n, '' FROM generate_series(1, :many) n
    RETURNING case_id, opened_at)
INSERT INTO intake.referral (referral_id, case_id, agency, event_id, received_at)
    SELECT gen_random_uuid(), case_id, :agency, gen_random_uuid(), opened_at FROM cases
"""
"""Marked referrals of the agency's system, which are over."""


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    """An agency on a working Tuesday at ten, before a working Wednesday: a test may pass a night."""
    async with line(database, key_files[0]) as made:
        while not compiled().calendar.holidays.isdisjoint(range(today := await day(made), today + 2)):
            await made.notifier.advance(7 * DAY_US)
        await made.person("head", agency=OURS, head=True)
        yield made


async def day(agency: Line) -> int:
    """Return the day of its clock, as the calendar counts days."""
    return (local(await agency.notifier.now()).date() - date(1970, 1, 1)).days


def start(person: httpx.Client, **what: str) -> httpx.Response:
    """Choose an exercise, and say on the second page that it is meant."""
    asked = send(person, "/exercises", "/exercises/start", **(ONE | what))
    if asked.status_code != 200 or "Start this exercise?" not in asked.text:
        return asked
    sure = fields(asked.text) | {"sure": "yes", "story": (ONE | what)["story"], "place": (ONE | what)["place"]}
    return person.post("/exercises/start", data=sure)


def count(agency: Line) -> int:
    return int(agency.world.run(lambda tx: tx.execute(text("SELECT count(*) FROM intake.casefile"))).scalar_one())


async def test_a_head_starts_one_is_asked_once_and_ends_it(agency: Line) -> None:
    def work() -> None:
        world = agency.world
        with signed_in(world, "head") as person:
            asked = send(person, "/exercises", "/exercises/start", **ONE)
            assert "Start this exercise?" in asked.text and "alone at home" in asked.text and "Exercise. No real child." in asked.text
            assert count(agency) == 0 and person.get("/exercises/start").status_code == 303, "nothing is sent yet"
            sure = fields(asked.text) | ONE | {"sure": "yes"}
            first, again = (person.post("/exercises/start", data=sure) for _ in range(2))
            assert first.status_code == again.status_code == 303 and first.headers["location"] == again.headers["location"]
            [sent] = [event for event in world.queued() if isinstance(event, ReferralSubmitted)]
            assert (sent.agency, sent.door, sent.traits.found_in, count(agency)) == (OURS, Door.WEB, PLACE, 1)
            drill = world.run(lambda tx: tx.execute(text("SELECT drill FROM intake.casefile"))).scalar_one()
            assert drill, "whatever the story says"
            page = first.headers["location"].partition("?")[0]
            shown = person.get(first.headers["location"]).text
            assert "The exercise has begun." in shown and "The log does not answer now" in shown, "without audit there is no report"
            assert "An exercise is running in your municipality" in start(person).text
            question = send(person, page, f"{page}/end")
            assert "End this exercise?" in question.text and not any(isinstance(one, ReferralWithdrawn) for one in world.queued())
            for _ in range(2):
                over = person.post(f"{page}/end", data=fields(question.text) | {"sure": "yes"}, follow_redirects=True)
                assert "The exercise is over." in over.text
            [taken] = [event for event in world.queued() if isinstance(event, ReferralWithdrawn)]
            assert (taken.agency, taken.reason) == (OURS, stories.EXERCISE_OVER)
            assert "by head" in over.text, "a head reads which colleague has started it"
            case = page.rpartition("/")[2]
            world.say(case, CaseClosed(why=WHY, outcome=stories.EXERCISE_OVER))
            assert "by head · over" in person.get(page).text
            world.track(case, "trafficking-child")  # the desk has opened it again
            question = send(person, page, f"{page}/end")
            assert "End this exercise?" in question.text
            assert person.post(f"{page}/end", data=fields(question.text) | {"sure": "yes"}).status_code == 303
            assert sum(isinstance(event, ReferralWithdrawn) for event in world.queued()) == 2, "it ends again"

    await asyncio.to_thread(work)


async def test_newer_exercises_cut_none_apart_and_hide_none_that_is_open(agency: Line) -> None:
    def work() -> None:
        world = agency.world
        with signed_in(world, "head") as person:
            page = start(person, story=stories.EVERY).headers["location"].partition("?")[0]
            world.run(lambda tx: tx.execute(text(NEWER), {"agency": OURS, "many": exercises.SHOWN}))
            listed = person.get("/exercises").text
            assert listed.count('<a class="open" href="/exercises/') == exercises.SHOWN
            assert f'href="{page}"' in listed, "those that are open come first"
            question = send(person, page, f"{page}/end")
            assert person.post(f"{page}/end", data=fields(question.text) | {"sure": "yes"}).status_code == 303
            taken = [event for event in world.queued() if isinstance(event, ReferralWithdrawn)]
            assert len(taken) == len(stories.stories()), "all its cases, and not those of the fifty newest"
            world.run(lambda tx: tx.execute(text("UPDATE intake.casefile SET closed_at = opened_at")))
            assert f'href="{page}"' not in person.get("/exercises").text
            assert person.get(page).status_code == 200, "its page stays as long as it is kept"

    await asyncio.to_thread(work)


async def test_who_may_see_and_start_what(agency: Line) -> None:
    await agency.person("worker", agency=OURS)
    await agency.person("coordinator", agency="coordinator-prizren")
    await agency.person("stranger", agency="csw-dragash", head=True)
    await agency.person("asked", agency="police-prizren", head=True)

    def work() -> None:
        with signed_in(agency.world, "head") as person:
            page = start(person).headers["location"].partition("?")[0]
            assert start(person, place="dragash").status_code == 422, "a head starts one at home alone"
        with signed_in(agency.world, "worker") as person:
            assert {person.get(path).status_code for path in ("/exercises", page)} == {404}
            form = fields(person.get("/inbox").text)
            for path in ("/exercises/start", f"{page}/end", "/exercises/nights", "/exercises/nights/end"):
                assert person.post(path, data=form | ONE | {"sure": "yes"}).status_code == 404, path
        with signed_in(agency.world, "stranger") as person:
            assert person.get(page).status_code == 404 and "Dragash" in person.get("/exercises").text
        with signed_in(agency.world, "asked") as person:
            assert person.get(page).status_code == 404, "it was not asked"
            case_id = page.rpartition("/")[2]
            agency.world.offer(case_id, "police-prizren", "police")
            assert person.get(page).status_code == 200
            assert person.post(f"{page}/end", data=fields(person.get("/inbox").text)).status_code == 404, "others ask the desk"
        with signed_in(agency.world, "coordinator") as person:
            assert "A small girl is found alone" in person.get("/exercises").text and person.get(page).status_code == 200
            assert 'action="/exercises/nights"' not in person.get("/exercises").text, "who is no head agrees to nothing"
            assert 'href="/exercises"' in person.get("/overview").text
        agency.world.run(
            lambda tx: tx.execute(text("INSERT INTO intake.exclusion VALUES (:c, 'AGENCY', 'police-prizren')"), {"c": case_id})
        )
        with signed_in(agency.world, "asked") as person:
            assert person.get(page).status_code == 404, "whom the case keeps away"
            real = agency.world.case(PLACE)
            agency.world.offer(real, "police-prizren", "police")
            assert person.get(f"/exercises/{real}").status_code == 404, "a real child is no exercise"

    await asyncio.to_thread(work)


async def test_hours_leave_and_numbers(agency: Line) -> None:
    def refused(text_: str, **what: str) -> None:
        before = count(agency)
        with signed_in(agency.world, "head") as person:
            page = person.get("/exercises").text
            answer = person.post("/exercises/start", data=fields(page) | ONE | what | {"sure": "yes"})
        assert answer.status_code == 409 and text_ in answer.text and count(agency) == before

    def over() -> None:
        agency.world.run(lambda tx: tx.execute(text("UPDATE intake.casefile SET closed_at = opened_at")))

    await agency.notifier.advance(12 * HOUR)
    await asyncio.to_thread(refused, "Nothing was started. It is outside the hours of exercises")
    now = await agency.notifier.now()

    def agree() -> None:
        with signed_in(agency.world, "head") as person:
            wrong = send(person, "/exercises", "/exercises/nights", begins="", ends="")
            assert wrong.status_code == 422
            begins, ends = (f"{local(at):%Y-%m-%dT%H:%M}" for at in (now - HOUR, now + 6 * HOUR))
            assert "is called for exercises in this time" in send(person, "/exercises", "/exercises/nights", begins=begins, ends=ends).text
            assert start(person, story=stories.EVERY).status_code == 303 and count(agency) == len(stories.stories())
            assert "All stories at once" in person.get("/exercises").text
            assert "by day only" in send(person, "/exercises", "/exercises/nights/end").text

    await asyncio.to_thread(agree)
    await asyncio.to_thread(over)
    await agency.notifier.advance(12 * HOUR)
    for _ in range(rules.MOST_HERE - 1):
        with_person = await asyncio.to_thread(lambda: _start_signed_in(agency))
        assert with_person == 303
        await asyncio.to_thread(over)
    await asyncio.to_thread(refused, "Nothing was started. Your municipality has had all its exercises")


def _start_signed_in(agency: Line) -> int:
    with signed_in(agency.world, "head") as person:
        return start(person).status_code
