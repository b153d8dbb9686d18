"""`referral policy review` lists what nobody has confirmed, and records a review of the text as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from referral.cli.app import run
from referral.cli.policy import policy_folder
from referral.domain.policy import compile
from referral.domain.policy.reviews import Review
from tests.stories.teller import POLICY

TEXT = "guidance/first-contact.sq.md"
Out = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(POLICY, tmp_path / "policy")
    return tmp_path / "policy"


def review(folder: Path, *words: str) -> int:
    return run(["policy", "review", *words, "--policy", str(folder)])


def states(folder: Path, capsys: Out) -> dict[str, str]:
    capsys.readouterr()
    assert review(folder, "--json") == 0
    return {one["text"]: one["state"] for one in json.loads(capsys.readouterr().out)}


def test_a_text_is_read_then_confirmed_and_a_change_makes_it_a_draft(folder: Path, capsys: Out) -> None:
    assert set(states(folder, capsys).values()) == {"drafted"}
    assert review(folder, TEXT, "--read", "--on", "2026-12-01") == 0
    assert "It counts once two signers have signed it" in capsys.readouterr().out.replace("\n", " ")
    assert states(folder, capsys)[TEXT] == "read"
    assert review(folder, TEXT, "--confirmed-by", "Made-up Office: “Q”", "--on", "2026-12-02") == 0
    assert review(folder, "pathways/violence.yaml", "--confirmed-by", "Made-up Office", "--on", "2026-12-02") == 0
    assert compile(policy_folder.read(folder)).reviews == {
        TEXT: Review("2026-12-01", "2026-12-02", "Made-up Office: “Q”"),
        "pathways/violence.yaml": Review("", "2026-12-02", "Made-up Office"),
    }
    (folder / TEXT).write_bytes((folder / TEXT).read_bytes().replace(b"version: 2", b"version: 3"))
    assert states(folder, capsys)[TEXT] == "drafted"
    assert review(folder) == 0
    said = capsys.readouterr().out
    assert "changed since it was read" in said and "pathways/violence.yaml" not in said and "1 confirmed" in said
    assert review(folder, TEXT, "--read", "--on", "2026-12-03") == 0
    assert compile(policy_folder.read(folder)).reviews[TEXT] == Review("2026-12-03"), "the office confirmed another text"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--read", "--on", "2026-12-01"), "name the text that was read"),
        (("guidance/first.sq.md", "--read", "--on", "2026-12-01"), "is no text of guidance"),
        ((TEXT, "--read"), "--on says the day"),
        (("pathways/violence.yaml", "--read", "--on", "2026-12-01"), "--read is for a text of guidance"),
    ],
)
def test_a_word_that_is_missing_or_wrong_is_said_and_nothing_is_written(
    folder: Path, capsys: Out, words: tuple[str, ...], expected: str
) -> None:
    assert review(folder, *words) == 2
    assert expected in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not (folder / "reviews.yaml").exists()


@pytest.mark.parametrize("written", [b"reviews: nobody\n", b"- one\n", b"reviews:\n  codes.yaml: {of: '00', read: 2026-12-01}\n"])
def test_a_file_of_reviews_that_is_wrong_is_one_line_and_stays_as_it_is(folder: Path, capsys: Out, written: bytes) -> None:
    (folder / "reviews.yaml").write_bytes(written)
    assert review(folder, TEXT, "--read", "--on", "2026-12-01") == 1
    assert "reviews.yaml:" in capsys.readouterr().err
    assert (folder / "reviews.yaml").read_bytes() == written


def test_a_folder_that_cannot_be_written_is_said_in_one_line(folder: Path, capsys: Out) -> None:
    (folder / "reviews.yaml.new").mkdir()  # what the file is written to first
    assert review(folder, TEXT, "--read", "--on", "2026-12-01") == 1
    said = capsys.readouterr().err
    assert "it cannot be written" in said and "Traceback" not in said
    assert not (folder / "reviews.yaml").exists()
