"""An export by `audit export`, and proofs by `audit prove`, before the Go judge: accepted as written, refused by it and us when changed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import typer
from rich.progress import Progress

from referral.cli import run
from referral.cli.audit.source import opened_export
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import Kind
from referral.tlog import proof_file
from tests.harness.audit_archive import Rows, exported, long_log
from tests.harness.audit_log import Log, closed, erase
from tests.harness.made_log import policy
from tests.interop.test_go_judge import judge as judge_program
from tests.interop.test_go_judge import log_changed, theirs

go = judge_program
"""The fixture: the built program."""
SEED, CHANGED = 20_260_102, 100


pytestmark = pytest.mark.xdist_group("go")
"""One worker builds the program, and nobody else has to."""


@pytest.fixture(scope="module")
def log() -> Log:
    return long_log()


@pytest.fixture(scope="module")
def folder(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an auditor has in one place: the policy, an export, and proofs from it."""
    place = tmp_path_factory.mktemp("audit")
    (place / "policy").write_bytes(policy())
    (place / "continued.old").write_bytes(Rows(log.entries[:300]).read("checkpoint") or b"")
    written = exported(place / "export", Rows(log.entries), log.keys)
    for index in (0, 17, 255, 256, len(log.entries) - 1):
        out = place / f"entry-{index}.tlog-proof"
        assert run(["audit", "prove", str(written), "--entry", str(index), "--out", str(out)]) == 0
        out.with_suffix(".entry").write_bytes(proof_file.parse(out.read_bytes()).extra or b"")
    heads = [str(place / "continued.old"), str(written / "checkpoint")]
    assert run(["audit", "prove", str(written), "--between", *heads, "--out", str(place / "continued.consistency")]) == 0
    return place


def ours(folder: Path) -> bool:
    """Whether `audit verify` takes it and finds nothing bad."""
    try:
        there = opened_export(folder / "export")
    except typer.BadParameter:  # without a checkpoint it is no export
        return False
    verdict = judge(there, VerifyOptions(keys={}, pinned=(folder / "policy").read_bytes()), Progress(disable=True))
    return verdict.report.exit_code() != 1


def test_go_accepts_an_export_and_the_proofs_from_it(go: Path, folder: Path) -> None:
    found = theirs(go, folder)
    assert len(found) == 7 and set(found.values()) == {"good"}, found
    assert ours(folder)


def test_go_accepts_an_export_in_which_a_case_is_erased_and_its_payloads_are_gone(go: Path, tmp_path: Path) -> None:
    log = long_log()
    case_id = next(iter(log.cases))
    closed(log, case_id)
    erase(log, case_id)
    del log.keys[case_id]
    there = Rows(log.entries)
    gone = [entry.idx for entry in log.entries if entry.case_id == case_id and entry.kind is not Kind.ERASURE]
    for number in gone:
        there.payloads[number] = None
    written = exported(tmp_path / "export", there, log.keys)
    (tmp_path / "policy").write_bytes(policy())
    out = tmp_path / "erased.tlog-proof"
    assert run(["audit", "prove", str(written), "--entry", str(gone[0]), "--out", str(out)]) == 0
    out.with_suffix(".entry").write_bytes(proof_file.parse(out.read_bytes()).extra or b"")
    assert theirs(go, tmp_path) == {"erased.tlog-proof": "good", "export/checkpoint": "good"}
    report = judge(opened_export(written), VerifyOptions(keys=log.keys, pinned=policy()), Progress(disable=True)).report
    assert report.exit_code() == 0 and [f.code for f in report.findings] == ["PAYLOAD_ERASED"] * len(gone) + ["ERASED"]


def test_go_and_we_refuse_the_same_changed_exports(go: Path, folder: Path) -> None:
    dice = random.Random(SEED)
    for _ in range(CHANGED):
        put_back = log_changed(folder / "export", dice)
        try:
            assert theirs(go, folder).get("export/checkpoint") != "good" and not ours(folder)
        finally:
            put_back()
    assert theirs(go, folder)["export/checkpoint"] == "good" and ours(folder)
