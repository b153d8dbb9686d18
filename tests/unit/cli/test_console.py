"""Tables of the command line: what is copied into the next command stands whole, for a person and for grep."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from referral.cli import console, run
from referral.domain.local_time import moment
from referral.proof.entry import Kind
from services.audit.ingest import Says, ingest
from tests.harness.audit_archive import Rows, auditor_key, exported
from tests.harness.audit_log import Log, story

ID, LOGIN = "0b3f5a52-5a0e-4e6b-9f33-7a5f1c0ffee0", "adult-shelter-dawn.focal-point"
SAID = "They were asked at night and nobody of the agency has answered so far"
ROWS = [(ID, LOGIN, "sr-Latn", SAID), (ID[::-1], LOGIN, "sq", None)]


def printed(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, width: int = 80) -> list[str]:
    out = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=out, width=width, force_terminal=terminal, no_color=True, highlight=False))
    console.table(("id", "login", "language", "what"), ROWS)
    return out.getvalue().splitlines()


def test_a_program_reads_one_line_for_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, terminal=False)
    assert len(lines) == 1 + len(ROWS)
    assert lines[1].split(maxsplit=3) == [ID, LOGIN, "sr-Latn", SAID]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_terminal_folds_sentences_and_never_a_word(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    said = "\n".join(printed(monkeypatch, terminal=True, width=width))
    for word in (ID, ID[::-1], LOGIN, *SAID.split()):
        assert word in said


def test_a_time_names_its_zone() -> None:
    assert moment("2026-11-27T00:11:35Z") == "27.11.2026 01:11:35 CET"
    assert moment("2026-07-27T00:11:35Z") == "27.07.2026 02:11:35 CEST"


STEERS, OPENLY = "made up \x1b[2JGOOD\r\x9b31m\u202e end", r"made up \x1b[2JGOOD\r\x9b31m\u202e end"
"""Text that clears a screen, writes over a line, and turns the direction of what is read; and how it is displayed."""


def test_what_steers_a_terminal_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    console.console.print(STEERS, markup=False, soft_wrap=True)
    console.table(("what", "where"), [(STEERS, "[/x] one")], title=STEERS)
    console.wrong([STEERS])
    out, err = capsys.readouterr()
    assert out.count(OPENLY) == 3 and err.count(OPENLY) == 1 and "[/x] one" in out
    assert not console.STEERING.search(out + err)


def test_an_audit_that_was_taken_over_steers_no_auditors_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    story(log)
    log.entries += ingest([], log._known, [Says(Kind.SCHEMA, b'"\\u001b[2JGOOD"', type="made-up.v1")]).entries
    export = exported(tmp_path / "log", Rows(log.entries), log.keys)
    assert run(["audit", "verify", str(export), "--key", str(auditor_key(tmp_path)), "--trust-log-names"]) == 1
    out = capsys.readouterr().out
    assert "it is said to be a schema, and is none" in out and not console.STEERING.search(out)
