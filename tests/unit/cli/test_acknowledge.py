"""An office acknowledges a finding once, with its signature: the next verdict is about new findings alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from referral.cli import run
from referral.errors import Malformed
from referral.proof.verify.known import NEVER, Known, may
from referral.proof.verify.report import ENDS, LAYERS, Finding, Weight, finding
from tests.harness.audit_archive import Rows, auditor_key, exported
from tests.harness.audit_log import Log, story
from tests.harness.made_log import ORIGIN
from tests.unit.proof.test_verify import forged


def vandal() -> Log:
    """A log in which somebody forged one record."""
    log = Log()
    story(log)
    forged(log, 3)
    story(log, "two")
    return log


class Office:
    """An office with its keys and its list, in a folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.key, self.sign, self.list = auditor_key(folder), folder / "known.key", folder / "known.note"
        self.verdict = folder / "verdict.json"

    def verify(self, export: Path, *words: object) -> tuple[int, dict[str, Any]]:
        code = run(["audit", "verify", str(export), "--key", str(self.key), "--trust-log-names", "--json", *map(str, words)])
        out = self.capsys.readouterr()
        self.verdict.write_text(out.out)
        return code, json.loads(out.out) if out.out else {"err": out.err}

    def known(self) -> tuple[object, ...]:
        return ("--known", self.list, "--known-key", f"{self.sign}.pub")

    def acknowledge(self, *findings: str, because: str = "file 7 of 2027", name: str = "ombudsperson.example/known") -> tuple[int, str]:
        words = ["--list", str(self.list), "--sign", str(self.sign), "--because", because, *(["--name", name] if name else [])]
        code = run(["audit", "acknowledge", str(self.verdict), *findings, *words])
        return code, self.capsys.readouterr().err


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    return Office(tmp_path, capsys)


def bad(said: dict[str, Any]) -> list[str]:
    return [f"{f['idx']}:{f['code']}" for f in said["findings"] if f["weight"] != "note"]


def test_a_known_finding_is_a_count_and_a_second_one_is_told_first(office: Office, tmp_path: Path) -> None:
    """The first line of every later verdict was the vandal's record, and a second finding hid behind it."""
    log = vandal()
    first = exported(tmp_path / "first", Rows(log.entries), log.keys)
    code, said = office.verify(first)
    assert code == 1 and bad(said)
    assert office.acknowledge(*bad(said)) == (0, "")
    code, said = office.verify(first, *office.known())
    assert (code, said["verdict"], bad(said)) == (0, "good", []) and said["known"]
    assert run(["audit", "verify", str(first), "--key", str(office.key), "--trust-log-names", *map(str, office.known())]) == 0
    out = office.capsys.readouterr().out
    assert "2 known findings, acknowledged by ombudsperson.example/known" in out and "GOOD but for the known findings: " in out

    case_id = story(log, "three")
    later = next(e.idx for e in reversed(log.entries) if e.case_id == case_id)
    rows = Rows(log.entries)
    rows.payloads[later] = None
    second = exported(tmp_path / "second", rows, log.keys)
    code, said = office.verify(second, *office.known())
    assert (code, said["first_bad"]) == (1, later), said["findings"]
    assert sorted(f["code"] for f in said["known"]) == ["RECORDED_BACK", "SEAL"] and "SEAL" not in {f["code"] for f in said["findings"]}


def test_the_list_counts_under_the_offices_key_alone_and_for_its_own_log(office: Office, tmp_path: Path) -> None:
    log = vandal()
    export = exported(tmp_path / "log", Rows(log.entries), log.keys)
    _, said = office.verify(export)
    assert office.acknowledge(*bad(said))[0] == 0
    data = office.list.read_bytes()
    office.list.write_bytes(data.replace(b"file 7", b"file 8"))
    code, said = office.verify(export, *office.known())
    assert code == 2 and "does not hold" in said["err"]
    assert run(["audit", "verify", str(export), "--known", str(office.list)]) == 2
    assert "--known-key" in office.capsys.readouterr().err
    office.list.write_bytes(data)
    office.verify(export)
    office.verdict.write_text(office.verdict.read_text().replace(ORIGIN, "another.example/log"))
    code, err = office.acknowledge("1:SEAL")
    assert code == 1 and "begin another one" in err
    office.list.unlink()
    office.verify(export)
    told = json.loads(office.verdict.read_text())
    told["checkpoint"]["origin"] = "another.example/log"
    office.verdict.write_text(json.dumps(told))
    assert office.acknowledge(*bad(told))[0] == 0
    code, said = office.verify(export, *office.known())
    assert code == 2 and "the list is of the log another.example/log" in said["err"]


def test_what_the_verdict_does_not_say_and_what_is_never_acknowledged_gets_on_no_list(office: Office, tmp_path: Path) -> None:
    log = vandal()
    export = exported(tmp_path / "log", Rows(log.entries), log.keys)
    run(["audit", "verify", str(export), "--key", str(office.key), "--json"])
    office.verdict.write_text(office.capsys.readouterr().out)
    code, err = office.acknowledge("0:SEAL")
    assert code == 1 and "no such finding" in err
    code, err = office.acknowledge("log:NOT_PINNED")
    assert code == 1 and "is never acknowledged" in err and not office.list.exists()
    assert LAYERS.keys() >= NEVER
    with pytest.raises(Malformed, match="FOREIGN is a note"):
        Known("made-up.example/log").with_rows([finding(Weight.NOTE, "FOREIGN", log.entries[0], "made up")], "seen")
    _, said = office.verify(export)
    code, err = office.acknowledge(*bad(said), because="two\nlines")
    assert code == 1 and "one line" in err
    assert office.acknowledge(*bad(said), name="")[0] == 0, "the key is there"
    office.sign.unlink()
    code, err = office.acknowledge(*bad(said), name="")
    assert code == 2 and "--name makes a new key" in err


def test_a_finding_behind_which_nothing_was_judged_is_never_acknowledged() -> None:
    """A newer leaf in the middle would have made everything behind it good, unread."""
    newer = Finding(weight=Weight.UNCHECKED, code="NEWER_VERSION", idx=7, where="x", what="w")
    assert may(newer) and not may(structs.replace(newer, where=ENDS)) and not may(structs.replace(newer, weight=Weight.NOTE))
    assert not may(structs.replace(newer, idx=None)) and may(structs.replace(newer, idx=None, code="UNLOGGED"))
    assert not may(structs.replace(newer, code="ROOT"))


def test_a_finding_that_says_more_than_it_did_is_new(office: Office, tmp_path: Path) -> None:
    log = vandal()
    _, said = office.verify(exported(tmp_path / "log", Rows(log.entries), log.keys))
    assert office.acknowledge(*bad(said))[0] == 0
    told = json.loads(office.verdict.read_text())
    changed = next(f for f in told["findings"] if f["code"] == "SEAL")
    changed["what"] += "; and another"
    office.verdict.write_text(json.dumps(told))
    before = office.list.read_bytes().count(b" SEAL ")
    assert office.acknowledge(f"{changed['idx']}:{changed['code']}")[0] == 0 and office.list.read_bytes().count(b" SEAL ") == before + 1
