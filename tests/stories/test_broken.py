"""Every file in broken/ is a mistake that somebody could make in the policy: `referral policy check` says so, in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from referral.cli import run
from referral.wire import policy_digest
from tests.stories.teller import POLICY
from tests.stories.test_stories import told_again, written

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
TOLD = ("coordinator-of-nowhere", "no-bed-for-boys", "nobody-decides", "leads-nowhere")
"""Those whose counterexample is run as a story here."""


def folder(broken: dict[str, Any], at: Path) -> Path:
    """The shipped policy with this mistake, as a folder: its guidance too, without which no policy is good."""
    found = policy_digest.read(POLICY)
    for change in broken["change"]:
        text = found[change["file"]].decode()
        assert change["replace"] in text, f"{change['file']} is otherwise now"
        found[change["file"]] = text.replace(change["replace"], change["with"], 1).encode()
    for path, data in found.items():
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        (at / path).write_bytes(data)
    return at


def test_there_are_ten_and_half_of_them_need_the_model_check() -> None:
    caught = [yaml.safe_load(path.read_text("utf-8"))["caught"] for path in BROKEN]
    assert len(caught) >= 10 and caught.count("model") >= 5


def test_nothing_is_wrong_with_the_shipped_policy_in_a_municipality(capsys: pytest.CaptureFixture[str]) -> None:
    """Every step is reached, every code can be decided, nobody is left alone. The whole country takes minutes and is for people."""
    assert run(["policy", "check", "--failing", "0", "--in", "prishtine"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_it_is_caught_and_said_in_plain_words(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = yaml.safe_load(path.read_text("utf-8"))
    at = folder(broken, tmp_path / "policy")
    if broken["caught"] == "model":
        assert run(["policy", "check", str(at), "--quick"]) == 0, "reading the files finds nothing wrong with it"
    told = tmp_path / "told"
    only = ["--pathway", broken["pathway"], *(word for place in broken["in"] for word in ("--in", place))] if "in" in broken else []
    assert run(["policy", "check", str(at), "--jobs", "1", "--failing", "0", "--stories", str(told), *only]) == 1
    said = capsys.readouterr().err
    assert broken["says"] in said and broken.get("where", "") in said, said
    if path.stem in TOLD:
        assert list(told.glob("*.yaml"))
    for story in told.glob("*.yaml"):
        _holds(story)


def _holds(path: Path) -> None:
    """It is a story that can be saved under told/ and run: with its policy everything follows as it says, and with the shipped one not."""
    text = path.read_text("utf-8")
    story = yaml.safe_load(text)
    again = told_again(story, path.parent)
    assert again == story and written(again) == text
    shipped = {word: said for word, said in story.items() if word != "policy"}
    try:
        assert told_again(shipped, path.parent) != shipped
    except AssertionError as error:  # somebody answers who was not even asked
        assert "nobody was asked" in str(error)


def test_the_shipped_policy_is_good(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In one municipality here; the whole country is looked at by `python -m bench --only check`."""
    words = ["--in", "novoberde", "--pathway", "child-labour", "--jobs", "1", "--stories", str(tmp_path / "none")]
    assert run(["policy", "check", *words]) == 0
    assert "good: " in capsys.readouterr().out and not (tmp_path / "none").exists()
