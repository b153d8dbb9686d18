"""An eighth procedure is one YAML file and one story: nothing else is touched, and everything takes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from referral.analysis.simulation.caseload import Caseload
from referral.cli import run
from referral.cli.policy.reference import FOLDER, pages
from referral.domain.policy import PolicyErrors, compile
from services.intake import policy_view
from services.intake.messages import submission
from tests.stories.teller import POLICY, World, replayed

NEW = Path(__file__).parents[3] / "stories" / "invented" / "child-missing.yaml"
SHIPPED = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
STORY = (
    ("refer concern=child-missing flags=missing-before", "offer csw to csw-prishtine.duty as social-worker until acknowledge +1 h"),
    ("cm-search: ACCEPT", "offer cm-found to station-prishtine.duty as police until decide +30 d"),
    ("csw: ACCEPT", "done csw done"),
    ("alarm", "offer cm-report to station-prishtine.duty as police until complete +1 d"),
    ("cm-report: COMPLETE", "open cm-report round 1"),
    ("cm-found: DECIDE returned", "offer cm-talk to csw-prishtine.duty as social-worker until decide +3 d"),
    ("cm-talk: DECIDE no-signs", "case closed done"),
)
"""What is done, and what follows from it among other things."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy of the checkout and one file more."""
    made = tmp_path_factory.mktemp("eighth") / "policy"
    shutil.copytree(POLICY, made)
    shutil.copy(NEW, made / "pathways")
    return made


EIGHT = compile({**SHIPPED, f"pathways/{NEW.name}": NEW.read_bytes()})


def test_its_story_is_told() -> None:
    world = World(EIGHT)
    for line, follows in STORY:
        assert follows in world.tell(line), line
    replayed(world)


def test_what_it_needs_and_no_list_has_it_names_itself() -> None:
    before = compile(SHIPPED)
    assert "child-missing" not in before.codes["concern"] and "child-missing" in EIGHT.codes["concern"]
    assert EIGHT.names("step", "cm-report", "sq") == "Raporti i kërkimit"
    assert EIGHT.names("decision", "safe-elsewhere", "sr-Cyrl") == "Безбедно на другом месту"
    assert EIGHT.directory == before.directory, "the other files are as they were"
    nameless = NEW.read_bytes()
    nameless = nameless[: nameless.index(b"words:")] + nameless[nameless.index(b"applies:") :]
    with pytest.raises(PolicyErrors, match="child-missing is not known"):
        compile({**SHIPPED, f"pathways/{NEW.name}": nameless})


def test_the_door_takes_a_referral_for_it() -> None:
    body = {
        "traits": {"concern": "child-missing", "age": "child", "found_in": "prizren", "urgency": "urgent", "flags": ["missing-before"]},
        "drill": True,
    }
    taken = submission.submission(json.dumps(body).encode(), policy_view.of(EIGHT, 1))
    assert taken.traits.concern == "child-missing"


def test_it_is_shown_checked_and_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "show", "child-missing", "--policy", str(folder)]) == 0
    assert "Missing child" in capsys.readouterr().out
    made = pages(EIGHT)
    assert f"{FOLDER}/child-missing.md" in made and "Report on the search" in made[f"{FOLDER}/child-missing.svg"]
    assert "child-missing.md" in made[f"{FOLDER}/README.md"]


def test_a_made_up_year_has_cases_of_it() -> None:
    assert any(case.pathway == "child-missing" for case in Caseload(policy=EIGHT, seed=1, world=0, cases=400, year=2026).arrivals())
