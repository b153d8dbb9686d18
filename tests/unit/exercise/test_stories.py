"""The stories of exercises: each is a referral that intake takes and a procedure is for, and none can be sent as a real child."""

from __future__ import annotations

import pytest
from msgspec import json

from referral.cli import run
from referral.exercise import coverage, stories
from services.intake import policy_view
from services.intake.messages import submission
from tests.stories import teller

POLICY = teller.policy()


@pytest.mark.parametrize("name", stories.stories())
def test_each_story_is_a_referral_that_a_procedure_is_for(name: str) -> None:
    story = stories.stories()[name]
    body = json.encode(stories.body(name, "prizren"))
    assert json.decode(body)["drill"] is True and story.traits.get("found_in") is None
    checked = submission.submission(body, policy_view.of(POLICY, 1))
    assert checked.drill and checked.traits.found_in == "prizren"
    assert "exercise" in story.file["identity"]["name"]
    assert {*story.title} == {*story.hint} == {"en", "sq", "sr"}
    marks = {f"concern={checked.traits.concern}", f"age={checked.traits.age}"}
    assert any(all(group & marks for group in pathway.applies) for pathway in POLICY.current)


def test_every_concern_that_a_procedure_is_for_can_be_practised() -> None:
    practised = {f"concern={story.traits['concern']}" for story in stories.stories().values()}
    needed = {mark for pathway in POLICY.current for group in pathway.applies for mark in group if mark.startswith("concern=")}
    assert needed - practised == {"concern=rights-violation"}, "of a complaint about an office there is no exercise"


def test_the_list_names_every_story_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "list", "--json"]) == 0
    assert list(json.decode(capsys.readouterr().out)) == list(stories.stories())
    assert run(["drill", "run", "nothing", "--municipality", "prizren", "--yes"]) == 1
    assert "night-police" in capsys.readouterr().err


def test_every_means_all_of_them() -> None:
    assert stories.chosen(stories.EVERY) == tuple(stories.stories()) and stories.chosen("left-alone") == ("left-alone",)


def test_the_agencies_of_a_municipality_that_an_exercise_should_reach() -> None:
    there = coverage.expected(POLICY, "dragash")
    assert there == tuple(f"{kind}-dragash" for kind in ("coordinator", "csw", "desk", "ed-directorate", "health", "school", "station"))
    assert coverage.missed(POLICY, "dragash", {"csw-dragash", "desk-dragash", "police-prizren"}) == (
        "coordinator-dragash",
        "ed-directorate-dragash",
        "health-dragash",
        "school-dragash",
        "station-dragash",
    )
    assert "ngo-lantern" not in coverage.expected(POLICY, "prizren"), "nothing is ever asked of it"
