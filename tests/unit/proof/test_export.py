"""An export is judged alone: it is good as it was written, and whatever is changed, missing or unfinished in it is named with its layer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from referral.cli import run
from referral.cli.audit import source
from referral.errors import Rejected
from referral.proof import archive
from referral.proof.archive import Payload
from referral.proof.audit.judge import Verdict, VerifyOptions, judge
from referral.proof.verify.report import Weight
from referral.tlog import tile_layout, tiles
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.tile_layout import FULL
from tests.harness.audit_archive import Rows, auditor_key, exported, long_log
from tests.harness.audit_log import Log, closed, erase, story
from tests.harness.made_log import ORIGIN, WITNESSES, policy
from tests.unit.proof.test_verify import checked, forged


@pytest.fixture(scope="module")
def log() -> Log:
    return long_log()


@pytest.fixture(scope="module")
def written(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("export") / "log", Rows(log.entries), log.keys)


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(written, tmp_path / "log"))


def verify(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    code = run(["audit", "verify", *map(str, words), "--trust-log-names", "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def judged(there: archive.Archive, log: Log, **asked: Any) -> Verdict:
    return judge(there, VerifyOptions(keys=log.keys, **asked), Progress(disable=True))


def bad(verdict: Verdict, code: str, idx: int | None) -> None:
    first = verdict.report.first_bad()
    assert first is not None and (first.code, first.idx) == (code, idx), verdict.report.findings


def test_an_export_is_good_by_itself_with_a_pinned_policy_and_the_lent_keys(
    written: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.policy").write_bytes(policy())
    key = auditor_key(tmp_path)
    code, said = verify(capsys, written, "--key", key, "--witnesses", tmp_path / "mine.policy", "--jobs", 2)
    assert (code, said["verdict"], said["findings"]) == (0, "good", [])
    assert said["checkpoint"]["size"] == said["counts"]["entries"] == len(log.entries) == FULL + LAST
    assert said["checkpoint"]["policy"] == "yours" and set(said["checkpoint"]["witnesses"]) == {"w1", "w2", "w3"}
    assert said["counts"]["decisions re-executed"] == said["counts"]["decisions"] == 60
    assert run(["audit", "verify", str(written), "--key", str(key), "--trust-log-names"]) == 0
    out = capsys.readouterr().out
    assert "the log's own policy, which proves nothing about the log's key" in out and "GOOD: the log is whole" in out


def test_without_the_keys_everything_but_the_decisions_is_proven(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = verify(capsys, written)
    assert (code, said["verdict"]) == (3, "not fully checked") and {f["code"] for f in said["findings"]} == {"KEY_GONE"}


def flipped(path: str, share: float = 0.5) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray((folder / path).read_bytes())
        data[int(len(data) * share)] ^= 1
        (folder / path).write_bytes(data)

    return change


def gone(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


LAST = 321 - FULL
CHANGES = [
    (flipped("tile/0/000"), "tree", 128),
    (flipped("tile/entries/000"), "tree", None),
    (flipped(f"tile/entries/001.p/{LAST}"), "tree", None),
    (flipped("tile/1/000.p/1"), "tree", 0),
    (flipped("payload/000"), "payload", None),
    (flipped("checkpoint"), "checkpoint", None),
    (flipped("witness.policy"), "checkpoint", None),
    (gone("tile/0/000"), "tree", 0),
    (gone("tile/entries/000"), "tree", 0),
    (gone(f"payload/001.p/{LAST}"), "payload", None),
    (gone("witness.policy"), "checkpoint", None),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_what_was_changed_in_a_folder_is_named_with_its_layer(
    number: int, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, layer, idx = CHANGES[number]
    change(folder)
    code, said = verify(capsys, folder, "--key", auditor_key(tmp_path))
    assert (code, said["verdict"], said["layer"]) == (1, "bad", layer), said["findings"]
    assert idx is None or said["first_bad"] == idx


def test_an_export_that_was_interrupted_is_none_and_is_finished_by_another_run(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = 5

    def tell() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        exported(tmp_path / "log", Rows(log.entries), log.keys, tell)
    assert run(["audit", "verify", str(tmp_path / "log")]) == 2
    assert "holds no checkpoint" in capsys.readouterr().err
    exported(tmp_path / "log", Rows(log.entries), log.keys)
    assert verify(capsys, tmp_path / "log", "--key", auditor_key(tmp_path))[0] == 0


def test_an_older_export_is_continued_and_only_what_is_new_is_judged(log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, old = tmp_path / "log", 300
    exported(folder, Rows(log.entries[:old]), log.keys)
    before = (folder / "checkpoint").read_bytes()
    (tmp_path / "old").write_bytes(before)
    first = (folder / "tile/entries/000").stat().st_mtime_ns
    exported(folder, Rows(log.entries), log.keys)
    assert (folder / "tile/entries/000").stat().st_mtime_ns == first
    key = auditor_key(tmp_path)
    assert verify(capsys, folder, "--key", key)[0] == 0
    code, said = verify(capsys, folder, "--key", key, "--since", tmp_path / "old")
    assert code == 0 and len(said["not_checked"]) == 4 and said["counts"]["entries"] == len(log.entries)
    touched = {e.case_id for e in log.entries[old:] if e.case_id}
    assert said["counts"]["cases"] == len(touched) < 20
    flipped(f"tile/entries/001.p/{LAST}", 0.95)(folder)
    assert verify(capsys, folder, "--key", key, "--since", tmp_path / "old")[0] == 1


def test_an_export_of_another_log_is_not_overwritten(log: Log, tmp_path: Path) -> None:
    other = Log()
    story(other, "another")
    folder = exported(tmp_path / "log", Rows(other.entries), other.keys)
    with pytest.raises(Rejected, match="other-log"):
        exported(folder, Rows(log.entries), log.keys)


def test_a_fork_of_an_older_checkpoint_is_named(log: Log, tmp_path: Path) -> None:
    other = Log()
    story(other, "another")
    fork = Rows(other.entries)
    verdict = judged(Rows(log.entries), log, since=fork.read("checkpoint"))
    bad(verdict, "FORKED", None)
    longer = Rows(log.entries).read("checkpoint")
    bad(judged(Rows(log.entries[:300]), log, since=longer), "TRUNCATED", None)


def test_a_damaged_tile_is_no_fork_of_an_older_checkpoint(log: Log, folder: Path) -> None:
    since = Rows(log.entries[:300]).read("checkpoint")
    flipped(f"tile/0/001.p/{LAST}", 0)(folder)
    bad(judged(source.Folder(folder), log, since=since), "TILE", None)


def test_an_older_checkpoint_that_is_none_has_the_codes_of_a_checkpoint(log: Log) -> None:
    since = Rows(log.entries[:300]).read("checkpoint") or b""
    bad(judged(Rows(log.entries), log, since=b"not a note"), "CHECKPOINT", None)
    bad(judged(Rows(log.entries), log, since=since[: since.index(b"\n\n") + 2]), "CHECKPOINT", None)


def test_what_stands_above_the_published_size_is_said(log: Log) -> None:
    verdict = judged(Rows(log.entries, published=300), log)
    assert [(f.code, f.weight) for f in verdict.report.findings] == [("ABOVE", Weight.NOTE)] and verdict.report.exit_code() == 0


def test_a_log_that_is_shorter_than_what_it_signed_is_bad(log: Log) -> None:
    there = Rows(log.entries[:300])
    there.tree = Rows(log.entries).tree
    there.published = len(log.entries)
    there.read = lambda path, read=there.read: Rows(log.entries[:300]).read(path) if path == "head" else read(path)  # type: ignore[method-assign,misc]
    bad(judged(there, log), "TRUNCATED", None)


@pytest.mark.parametrize("column", range(9))
def test_a_row_whose_search_columns_contradict_its_leaf_is_named(log: Log, column: int) -> None:
    there = Rows(log.entries)
    said = there.columns[7][column]
    there.columns[7][column] = said + 1 if isinstance(said, int) else said + (b"x" if isinstance(said, bytes) else "x")
    bad(judged(there, log), "COLUMN_DIFFERS", 7)


def test_a_changed_key_header_or_value_beside_the_leaf_is_named(log: Log) -> None:
    for changed, code in (
        (lambda p: Payload(b"other", p.value, p.headers), "REST_DIFFERS"),
        (lambda p: Payload(None, p.value, p.headers), "REST_DIFFERS"),
        (lambda p: Payload(p.key, p.value, p.headers[1:]), "REST_DIFFERS"),
        (lambda p: Payload(p.key, p.value + b"x", p.headers), "HASH_DIFFERS"),
    ):
        there = Rows(log.entries)
        there.payloads[9] = changed(there.payloads[9])
        bad(judged(there, log), code, 9)


def test_a_missing_payload_is_bad_unless_the_case_is_erased() -> None:
    log = Log()
    case_id = story(log)
    there = Rows(log.entries)
    there.payloads[2] = there.payloads[4] = None
    bad(judged(there, log), "PAYLOAD_GONE", 2)
    there.payloads[0] = None
    bad(judged(there, log), "PAYLOAD_GONE", 0)
    closed(log, case_id)
    erase(log, case_id)
    del log.keys[case_id]
    there = Rows(log.entries)
    there.payloads[2] = there.payloads[4] = None
    verdict = judged(there, log)
    assert verdict.report.exit_code() == 0
    assert [f.code for f in verdict.report.findings] == ["PAYLOAD_ERASED", "PAYLOAD_ERASED", "ERASED"]


def test_a_checkpoint_without_its_quorum_or_of_another_key_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "two.policy").write_bytes(policy("all", WITNESSES[:2]))
    assert verify(capsys, folder, "--witnesses", tmp_path / "two.policy")[0] == 3
    text = (folder / "checkpoint").read_bytes()
    (folder / "checkpoint").write_bytes(text[: text.index(b"\xe2\x80\x94 witness.example/c")])
    code, said = verify(capsys, folder)
    assert (code, said["findings"][0]["code"]) == (1, "QUORUM")
    (folder / "checkpoint").write_bytes(Checkpoint(ORIGIN, 1, bytes(32)).text + text[text.index(b"\n\n") + 1 :])
    code, said = verify(capsys, folder)
    assert (code, said["findings"][0]["code"]) == (1, "SIGNATURE")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_forged_record_found_late_is_judged_as_it_is_held_whole(jobs: int) -> None:
    log = Log()
    story(log)
    forged(log, 3)
    story(log, "two")
    verdict = judged(Rows(log.entries), log, jobs=jobs)
    whole = checked(log)
    assert {(f.code, f.idx) for f in verdict.report.findings} == {(f.code, f.idx) for f in whole.findings}
    assert verdict.report.counts == whole.counts


def test_usage_errors_are_one_line(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.key").write_bytes(b"nothing")
    for words in (
        (tmp_path / "nowhere",),
        (folder, "--key", tmp_path / "no.key"),
        (folder, "--key", tmp_path / "gone"),
        (folder, "--witnesses", tmp_path / "gone"),
        (folder, "--since", tmp_path / "gone"),
    ):
        assert run(["audit", "verify", *map(str, words)]) == 2
        said = capsys.readouterr().err
        assert said.startswith("referral: ") and said.count("\n") == 1
    assert run(["audit", "export", str(tmp_path / "x"), "--all-cases"]) == 2


def test_an_auditors_key_pair_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "auditor.key"
    assert run(["audit", "reader", str(path)]) == 0 and path.stat().st_mode & 0o777 == 0o600
    assert run(["audit", "reader", str(path)]) == 2 and "File exists" in capsys.readouterr().err


class Lost(Rows):
    """The last eight entries are gone, the tiles stay."""

    def read(self, path: str) -> bytes | None:
        start, end = tile_layout.parse(path.encode()).leaves if path.startswith("tile/entries/") else (0, 0)
        return tiles.pack(self.leaves[start:-8]) if end == len(self.leaves) else super().read(path)


def test_a_log_that_lost_the_end_of_a_bundle_is_named_where_it_ends(log: Log) -> None:
    """It said "the first bad entry is entry 0 … ends within entry 122"."""
    first = judged(Lost(log.entries), log).report.first_bad()
    ends = len(log.entries) - 8
    assert first is not None and first.idx == ends and f"ends within entry {ends}" in first.what, first


def test_an_export_of_any_age_is_good_and_one_that_must_be_fresh_is_not(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The made log's witnesses sign at a fixed time, which is not now."""
    key = auditor_key(tmp_path)
    assert verify(capsys, folder, "--key", key)[0] == 0
    code, said = verify(capsys, folder, "--key", key, "--max-age", "0.5")
    assert (code, said["verdict"]) == (3, "not fully checked") and {f["code"] for f in said["findings"]} == {"STALE"}, said
