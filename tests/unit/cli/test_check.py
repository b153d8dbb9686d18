"""`referral policy check`: the same for any number of processes, as table, picture and JSON; wrong input in one line."""

from __future__ import annotations

import json
from pathlib import Path
from xml.dom import minidom

import pytest

from referral.cli import run

SMALL = ["--pathway", "rights-violation", "--in", "prizren", "--in", "zvecan"]


def test_table_and_picture_say_how_long_one_waits_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "waits.svg"
    assert run(["policy", "check", *SMALL, "--jobs", "1", "--svg", str(picture), "--all"]) == 0
    said = capsys.readouterr().out
    assert "Zveçan" in said and "Prizren" in said and "74%" in said and "good: " in said
    assert "no one of them went to somebody banned or excluded" in said and "with somebody excluded" in said
    drawn = minidom.parse(str(picture)).documentElement
    words = [node.firstChild.data for node in drawn.getElementsByTagName("text")]
    assert "Prizren" in words and "8 d" in words and "First acceptance" in words


def test_json_is_one_document_and_the_same_for_one_process_and_for_two(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    said = []
    for jobs in ("1", "2"):
        assert run(["policy", "check", "--pathway", "rights-violation", "--in", "zvecan", "--jobs", jobs, "--json"]) == 0
        said.append(json.loads(capsysbinary.readouterr().out))
    assert said[0] == said[1] and said[0]["ok"] and said[0]["wrong"] == []
    assert [row["municipality"] for row in said[0]["times"]] == ["zvecan"]
    assert any(note["step"] == "team" for note in said[0]["weak"])


def test_wrong_input_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "check", "--pathway", "rights-violatoin"]) == 2
    assert run(["policy", "check", "--in", "prizen"]) == 2
    assert run(["policy", "check", "--svg", str(tmp_path / "nowhere" / "x.svg")]) == 2
    assert run(["policy", "check", str(tmp_path / "nowhere")]) == 2
    assert run(["policy", "check", "--failing", "3"]) == 2
    said = capsys.readouterr().err
    assert "did you mean rights-violation?" in said and "did you mean prizren?" in said and "Traceback" not in said
