"""`audit verify` says whose word names the parties of a log: none is believed in silence that the auditor's own file does not name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from referral.cli import run
from referral.domain.events import CaseErased
from referral.proof.verify import pinned
from referral.proof.verify.log import verify as verified
from referral.wire.signed.erasure_approval import NO_ERASERS, Erasers
from tests.harness import believed
from tests.harness.audit_archive import Rows, auditor_key, exported, long_log
from tests.harness.audit_log import Log, closed, named, story
from tests.harness.erased import APPROVERS, INTAKE, LINES, erased
from tests.harness.made_log import policy

BEFORE = (Path(__file__).parents[1] / "golden" / "0.1.0.policy").read_bytes()
NAMES = ("writers", "policy_keepers", "approvers", "operators", "intake")


@pytest.fixture(scope="module")
def log() -> Log:
    return long_log()


@pytest.fixture(scope="module")
def written(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("export") / "log", Rows(log.entries), log.keys)


def verify(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    code = run(["audit", "verify", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_file_that_names_only_log_and_witnesses_leaves_the_rest_to_the_logs_own_word(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It said "good, believed by your own policy", although whoever made the log chose writers, signers, approvers and operators."""
    (tmp_path / "mine.policy").write_bytes(policy())
    words = (written, "--key", auditor_key(tmp_path), "--trust", tmp_path / "mine.policy")
    code, said = verify(capsys, *words)
    assert (code, said["verdict"]) == (3, "not fully checked")
    assert [(f["code"], f["layer"], f["where"]) for f in said["findings"]] == [("NOT_PINNED", "trust", name) for name in NAMES]
    assert said["parties"] == dict.fromkeys(NAMES, "the log's own")
    assert run(["audit", "verify", *map(str, words)]) == 3
    assert f"{', '.join(NAMES)}: by the log's own word, not pinned" in capsys.readouterr().out
    code, said = verify(capsys, *words, "--trust-log-names")
    assert (code, said["findings"]) == (0, []), "whoever says so accepts the log's word"
    code, said = verify(capsys, *words[:3])
    assert code == 3 and {f["code"] for f in said["findings"]} == {"NOT_PINNED"}, "without a file nobody is pinned at all"


def test_a_file_that_names_all_is_believed_and_one_that_puts_some_off_is_told_which(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = b"".join(line for line in BEFORE.splitlines(keepends=True) if line.startswith(b"# ") and b"-from" not in line)
    assert pinned.named(named) == frozenset(NAMES)
    some = b"".join(line for line in named.splitlines(keepends=True) if line.startswith((b"# operator", b"# approver")))
    mine = believed.file(tmp_path / "mine.toml", some + policy())
    code, said = verify(capsys, written, "--key", auditor_key(tmp_path), "--trust", mine)
    assert code == 3 and [f["where"] for f in said["findings"]] == ["writers", "policy_keepers", "intake"], said["findings"]
    assert run(["audit", "verify", str(written), "--trust", str(mine)]) == 3
    out = capsys.readouterr().out
    assert "approvers, operators: by your mine.toml; writers, policy_keepers, intake: by the log's own word, not pinned" in out


def test_two_files_are_compared_key_by_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three things are told apart: the same key, another key, and a file that names nobody."""
    mine = believed.file(tmp_path / "mine.toml", BEFORE)
    theirs = tmp_path / "school.policy"
    theirs.write_bytes(BEFORE)
    assert run(["audit", "trust", "compare", str(mine), str(theirs)]) == 0
    assert "the same" in capsys.readouterr().out
    changed = next(line for line in BEFORE.splitlines(keepends=True) if line.startswith(b"# intake"))
    theirs.write_bytes(BEFORE.replace(changed, changed.replace(changed.split()[-1], b"A" * 43 + b"=")))
    assert run(["audit", "trust", "compare", str(mine), str(theirs), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    other = said["words"]["intake"]
    assert not said["same"] and other["result"] == "another key" and "ask an agency" in other["what"]
    assert f"{theirs} has {'A' * 43}=" in other["what"] and said["words"]["writers"]["what"].startswith("the same")
    kept = (line for line in BEFORE.splitlines(keepends=True) if not line.startswith(b"# approver"))
    theirs.write_bytes(b"".join(kept))
    for one in (mine, theirs):
        assert run(["audit", "trust", "compare", str(one), str(theirs), "--json"]) == 3, "a file that names nobody proves nothing"
        nobody = json.loads(capsys.readouterr().out)["words"]["approvers"]
        assert nobody["result"] == "nobody" and f"{theirs} names nobody for this" in nobody["what"], nobody
        assert "ANOTHER" not in nobody["what"] and "`referral case key`" in nobody["what"]


def test_lines_that_holders_read_out_are_compared_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, told = believed.file(tmp_path / "mine.toml", BEFORE), tmp_path / "told.toml"
    lines = mine.read_text().splitlines()
    keeper = next(line for line in lines if line.startswith("policy_keepers.policy-keeper"))
    witness = next(line for line in lines if line.startswith("witness witness-1")).rpartition(" ")[0]
    told.write_text(f"{keeper}\nwitness_policy = '{witness}'\n")
    assert run(["audit", "trust", "compare", str(mine), str(told), "--json"]) == 3
    words = json.loads(capsys.readouterr().out)["words"]
    assert words["policy_keepers"]["what"].startswith("the same: policy-keeper ") and "oversight-office" in words["policy_keepers"]["what"]
    assert words["witness_policy"]["what"].startswith("the same: witness-1 ") and words["operators"]["result"] == "nobody"
    told.write_text(f"{keeper[:-4]}{'A' if keeper[-4] != 'A' else 'B'}{keeper[-3:]}\n")
    assert run(["audit", "trust", "compare", str(mine), str(told)]) == 1
    assert "ANOTHER KEY" in (out := capsys.readouterr().out) and "ask that signer on a number that you know" in out
    for wrong in ("policy_keeper.x = 'y'\n", "policy_keepers = 7\n", "writers.routing = [7]\n", "hello\n"):
        told.write_text(wrong)
        assert run(["audit", "trust", "compare", str(mine), str(told)]) == 2, wrong


def test_who_names_intake_alone_still_asks_the_approvers_whom_the_log_names() -> None:
    """Whoever pinned intake, and nobody else, asked for no approver: intake alone erased, and the verdict was good."""
    log = Log()
    case_id = story(log)
    closed(log, case_id)
    named(log, *INTAKE.intake, more=LINES)
    records = sum(e.case_id == case_id and e.topic == CaseErased.TOPIC for e in log.entries)
    body = erased(case_id, records, requested_at=log.now, approved_at=log.now)
    log.say(case_id, body, "00000000-0000-4000-8000-0000000000e1", case_id, "intake")
    for mine in (NO_ERASERS, INTAKE, Erasers((), APPROVERS)):
        bad = verified(log.entries, log.keys, erasers=mine).first_bad()
        assert bad is not None and bad.code == "ERASURE_ALONE", mine
    strangers = Erasers((), {"x": bytes(32), "y": bytes([1]) * 32})
    assert [f.code for f in verified(log.entries, log.keys, erasers=strangers).findings if f.code == "ERASURE_ALONE"], "the file's count"
