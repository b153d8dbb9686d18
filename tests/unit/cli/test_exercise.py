"""The stories of exercises: each is a referral that intake takes and a procedure is for, and none can be sent as a real child."""

from __future__ import annotations

import pytest
from msgspec import json

from referral.cli import run
from referral.cli.agency import exercise
from services.intake import policy_view
from services.intake.messages import submission
from tests.stories import teller

POLICY = teller.policy()


@pytest.mark.parametrize("name", exercise.stories())
def test_each_story_is_a_referral_that_a_procedure_is_for(name: str) -> None:
    story = exercise.stories()[name]
    body = json.encode(exercise.body(story, "prizren"))
    assert json.decode(body)["drill"] is True and story.traits.get("found_in") is None
    checked = submission.submission(body, policy_view.of(POLICY, 1))
    assert checked.drill and checked.traits.found_in == "prizren"
    assert "exercise" in story.file["identity"]["name"] and story.title and story.hint


def test_the_list_names_every_story_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "list", "--json"]) == 0
    assert list(json.decode(capsys.readouterr().out)) == list(exercise.stories())
    assert run(["drill", "run", "nothing", "--municipality", "prizren", "--yes"]) == 1
    assert "night-police" in capsys.readouterr().err
