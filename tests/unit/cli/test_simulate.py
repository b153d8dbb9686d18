"""`referral policy simulate`: the same figures for any number of processes, as table, CSV, picture and JSON; wrong input in one line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from xml.dom import minidom

import pytest

from referral.cli import run
from tests.stories.teller import POLICY


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A copy of the policy with one procedure, so that a year has few cases and all of them need a bed."""
    folder = tmp_path / "small"
    shutil.copytree(POLICY, folder)
    for file in (folder / "pathways").iterdir():
        if file.stem != "trafficking-child":
            file.unlink()
    return folder


@pytest.fixture
def closed(tmp_path: Path, small: Path) -> Path:
    """The same, in which one shelter has no place any more."""
    folder = tmp_path / "closed"
    shutil.copytree(small, folder)
    file = folder / "directory" / "shelter-blue-moon.yaml"
    file.write_text(file.read_text("utf-8").replace("places: 2", "places: 0"), "utf-8")
    return folder


def test_the_figures_are_the_same_for_one_process_and_for_two(tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for jobs in ("1", "2"):
        words = ["--cases", "40", "--seed", "3", "--jobs", jobs, "--csv", str(tmp_path / f"{jobs}.csv")]
        assert run(["policy", "simulate", str(small), *words]) == 0
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert "cases in" in capsys.readouterr().out


def test_csv_and_picture_hold_both_policies(tmp_path: Path, small: Path, closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, picture = tmp_path / "out.csv", tmp_path / "out.svg"
    words = ["--cases", "60", "--against", str(closed), "--csv", str(table), "--svg", str(picture), "--jobs", "1"]
    assert run(["policy", "simulate", str(small), *words]) == 0
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    full = next(r for r in rows if r["measure"] == "full" and r["of"] == "shelter-blue-moon.beds")
    assert float(full["before"]) < float(full["after"]) == 365.0
    assert sum(int(r["before"]) for r in rows if r["measure"] == "cases") == 60
    assert any(r["measure"] == "elsewhere" and "shelter" in r["what"] for r in rows)
    assert minidom.parse(str(picture)).documentElement.tagName == "svg"
    out = capsys.readouterr().out
    assert "go elsewhere" in out and "shelter: another agency asked" in out and "no free place" in out


def test_json_is_one_document(small: Path, closed: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["policy", "simulate", str(small), "--cases", "40", "--against", str(closed), "--json", "--jobs", "1"]) == 0
    said = json.loads(capsysbinary.readouterr().out)
    assert said["elsewhere"] and said["names"] and said["examples"] and said["before"] and said["after"]


def test_wrong_input_is_told_in_one_line(tmp_path: Path, closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "simulate", "--cases", "10", "--year", "1999"]) == 2
    assert run(["policy", "simulate", str(tmp_path / "nowhere")]) == 2
    assert run(["policy", "simulate", "--against", str(tmp_path / "nowhere")]) == 2
    assert run(["policy", "simulate", "--cases", "10", "--csv", str(tmp_path / "nowhere" / "x.csv")]) == 2
    assert run(["policy", "simulate", "--cases", "0"]) == 2
    (closed / "codes.yaml").write_text("no: [", "utf-8")
    assert run(["policy", "simulate", str(closed)]) == 1
    said = capsys.readouterr()
    assert "calendar of the policy knows" in said.err and "codes.yaml" in said.err and "Traceback" not in said.err
