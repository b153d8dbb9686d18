"""The calendar is a snapshot that a command writes: what is checked in is what the command says, and it never guesses a year."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from referral.cli.app import run
from referral.cli.policy import calendar
from referral.cli.policy.calendar import run_out
from referral.errors import Rejected
from tests.stories import teller
from tests.stories.teller import POLICY

SNAPSHOT = (POLICY / "calendars" / "XK.yaml").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calendars").mkdir()
    shutil.copy(POLICY / "calendars" / "XK.yaml", tmp_path / "calendars")
    return tmp_path


def test_the_snapshot_is_what_the_command_writes() -> None:
    assert calendar.written(*calendar.known(SNAPSHOT)) == SNAPSHOT


def test_nothing_is_written_when_nothing_is_different(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "calendar", "refresh", str(folder)]) == 0
    assert "nothing to write" in capsys.readouterr().out


def test_a_changed_day_is_shown_and_put_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "calendars" / "XK.yaml"
    file.write_text(SNAPSHOT.replace("2028-02-17", "2028-02-18"), "utf-8")
    assert run(["policy", "calendar", "refresh", str(folder), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert '-  - {day: "2028-02-18", name: "Independence Day"}' in said and '+  - {day: "2028-02-17", name: "Independence Day"}' in said
    assert file.read_text("utf-8") != SNAPSHOT
    assert run(["policy", "calendar", "refresh", str(folder)]) == 0
    assert file.read_text("utf-8") == SNAPSHOT


def test_other_years_can_be_written(folder: Path) -> None:
    assert run(["policy", "calendar", "refresh", str(folder), "--years", "2026-2033"]) == 0
    assert calendar.known((folder / "calendars" / "XK.yaml").read_text("utf-8")) == (2026, 2033)


@pytest.mark.parametrize("years", ["2005-2009", "2095-2101", "2030-2026", "2026-2050", "26-30", "soon", "2026-", "-2026"])
def test_years_that_the_package_cannot_tell_or_nobody_writes_are_refused(
    years: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["policy", "calendar", "refresh", str(folder), f"--years={years}"])
    assert (code, "--years" in capsys.readouterr().err) == (1, True)
    assert (folder / "calendars" / "XK.yaml").read_text("utf-8") == SNAPSHOT


def test_a_snapshot_without_holidays_has_no_years() -> None:
    with pytest.raises(Rejected):
        calendar.known("calendar: XK\nholidays: []\n")


def micros(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()) * 1_000_000


@pytest.mark.parametrize(("day", "short"), [("2026-11-25", False), ("2031-12-16", False), ("2031-12-17", True), ("2032-06-01", True)])
def test_a_limit_that_would_be_counted_past_the_last_year_is_named_from_the_first_day_on_which_it_would(day: str, short: bool) -> None:
    """Ten working days after 16 December 2031 end with the 31st, because Christmas is none; after the 17th they end in 2032."""
    policy = teller.policy()
    adults = next(pathway for pathway in policy.current if pathway.id == "trafficking-adult")
    ten = replace(adults, steps=tuple(step for step in adults.steps if step.id == "plan"))
    said = run_out(replace(policy, current=(ten,)), micros(day))
    assert bool(said) == short
    assert all("ends with 2031" in line and "10 working days of step plan" in line for line in said)
