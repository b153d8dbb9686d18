"""Proofs as files: made from an export or the database, checked from files alone, refused when anything of them is another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from referral.cli import run
from referral.cli.audit.diff import Side, compare
from referral.cli.audit.prove import inclusion
from referral.errors import Malformed, NewerVersion
from referral.proof import adjacency, archive
from referral.proof.entry import ROUTING, leaf
from referral.proof.lookup import ProvenTree
from referral.tlog import proof_file, witness_policy
from referral.tlog.merkle import leaf_hash
from tests.harness.audit_archive import Rows, exported, long_log
from tests.harness.audit_log import Log, story
from tests.harness.made_log import policy


@pytest.fixture(scope="module")
def log() -> Log:
    return long_log()


@pytest.fixture(scope="module")
def folder(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("prove")
    (place / "policy").write_bytes(policy())
    (place / "old").write_bytes(Rows(log.entries[:300]).read("checkpoint") or b"")
    return exported(place / "log", Rows(log.entries), log.keys)


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    code = run(["audit", *map(str, words), "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def test_an_entry_is_proven_by_index_or_event_and_checked_without_the_log(
    folder: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = log.entries[270]
    for words in (("--entry", 270), ("--event", entry.event_id)):
        out = tmp_path / "one.tlog-proof"
        assert said(capsys, "prove", folder, *words, "--out", out)[0] == 0
        code, found = said(capsys, "prove", "--check", out, "--witnesses", folder.parent / "policy")
        assert (code, found["entry"], found["event_id"], found["size"]) == (0, 270, entry.event_id, len(log.entries))
        (tmp_path / "leaf").write_bytes(leaf(entry))
        assert said(capsys, "prove", "--check", out, "--witnesses", folder.parent / "policy", "--leaf", tmp_path / "leaf")[0] == 0
        (tmp_path / "leaf").write_bytes(leaf(log.entries[271]))
        assert said(capsys, "prove", "--check", out, "--witnesses", folder.parent / "policy", "--leaf", tmp_path / "leaf")[0] == 1
    assert run(["audit", "prove", str(folder), "--entry", "270"]) == 0
    assert proof_file.parse(capsys.readouterr().out.encode()).index == 270


def test_what_is_not_in_a_witnessed_checkpoint_is_not_proven(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("--entry", "9999"), ("--event", "00000000-0000-0000-0000-000000000000")):
        assert run(["audit", "prove", str(folder), *words]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert run(["audit", "prove", str(folder)]) == 2
    assert run(["audit", "prove", "--check", str(folder / "checkpoint")]) == 2


def test_one_checkpoint_is_proven_to_continue_another(folder: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, old = tmp_path / "one.consistency", folder.parent / "old"
    assert said(capsys, "prove", folder, "--between", old, folder / "checkpoint", "--out", out)[0] == 0
    code, found = said(capsys, "prove", "--check", out, "--witnesses", folder.parent / "policy", "--old", old)
    assert (code, found["old"], found["size"]) == (0, 300, len(log.entries))
    other = Log()
    story(other, "another")
    (tmp_path / "fork").write_bytes(Rows(other.entries).read("checkpoint") or b"")
    assert said(capsys, "prove", folder, "--between", tmp_path / "fork", folder / "checkpoint", "--out", out)[0] == 1
    assert said(capsys, "prove", "--check", out, "--witnesses", folder.parent / "policy", "--old", tmp_path / "fork")[0] == 1


def neighbours(log: Log) -> tuple[int, int, int]:
    """Three entries of one case and topic in a row."""
    of_case = [e.idx for e in log.entries if e.case_id == log.entries[30].case_id and e.topic == ROUTING]
    return of_case[0], of_case[1], of_case[2]


def test_nothing_stands_between_two_neighbours_and_no_others(
    folder: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, three = neighbours(log)
    out = tmp_path / "between"
    assert said(capsys, "prove", folder, "--nothing-between", one, two, "--out", out)[0] == 0
    code, found = said(capsys, "prove", "--check", out, "--witnesses", folder.parent / "policy")
    assert (code, found["entries"], found["case_id"]) == (0, [one, two], log.entries[30].case_id)
    assert run(["audit", "prove", "--check", str(out), "--witnesses", str(folder.parent / "policy")]) == 0
    assert "nothing has a sequence between 1 and 2" in capsys.readouterr().out
    for pair in ((one, three), (two, one), (one, one), (0, one), (one, log.entries[-1].idx)):
        assert said(capsys, "prove", folder, "--nothing-between", *pair, "--out", out)[0] == 1


def test_a_changed_byte_of_such_a_proof_is_refused(folder: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two, _ = neighbours(log)
    run(["audit", "prove", str(folder), "--nothing-between", str(one), str(two), "--out", str(tmp_path / "between")])
    data, rules = (tmp_path / "between").read_bytes(), witness_policy.parse(policy())
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises((Malformed, NewerVersion)):
            adjacency.check(adjacency.parse(bytes(changed)), rules)


def test_proven_holds_for_every_leaf_of_any_published_size_and_for_nothing_else(log: Log) -> None:
    there = Rows(log.entries)
    for size in (1, 255, 256, 257, 300, len(log.entries)):
        root = there.tree.checkpoint(size).root
        proven = ProvenTree(there, size, root, len(log.entries))
        assert [proven.holds(n, there.leaves[n]) for n in range(len(log.entries))] == [n < size for n in range(len(log.entries))]
        assert not proven.holds(0, there.leaves[0] + b"x") and not proven.holds(-1, there.leaves[0])
        with pytest.raises(Malformed):
            ProvenTree(there, size, bytes(32), len(log.entries))


def test_a_damaged_tile_proves_nothing(log: Log) -> None:
    there = Rows(log.entries)
    tile, data = next((tile, data) for tile, data in there.tree.tiles.items() if (tile.level, tile.number) == (0, 0))
    there.tree.tiles[tile] = data[:-1] + bytes([data[-1] ^ 1])
    proven = ProvenTree(there, len(log.entries), there.tree.checkpoint().root, len(log.entries))
    assert not proven.holds(3, there.leaves[3]) and proven.holds(256, there.leaves[256])


def test_two_exports_are_compared_down_to_the_leaf(folder: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shorter = exported(tmp_path / "shorter", Rows(log.entries[:290]), log.keys)
    assert said(capsys, "diff", folder, shorter)[1]["verdict"] == "continues"
    assert said(capsys, "diff", folder, folder)[1]["verdict"] == "same"
    assert said(capsys, "diff", folder.parent / "old", folder)[1]["verdict"] == "continues"
    assert said(capsys, "diff", folder.parent / "old", folder / "checkpoint")[0] == 3
    there = Rows(log.entries)
    there.leaves[262] = there.leaves[263]
    changed = Rows(log.entries)
    changed.leaves = there.leaves
    changed.tree = type(there.tree)(there.leaves)
    other = exported(tmp_path / "other", changed, log.keys)
    code, found = said(capsys, "diff", folder, other)
    assert (code, found["verdict"], found["first"]) == (1, "parts", 262) and set(found["leaves"]) == {str(folder), str(other)}
    assert said(capsys, "diff", folder / "checkpoint", other / "checkpoint")[0] == 1
    assert said(capsys, "diff", folder.parent / "old", other)[0] == 1
    assert run(["audit", "diff", str(folder), str(other)]) == 1 and "part at entry 262" in capsys.readouterr().out


@pytest.mark.parametrize("quoted", [True, False])
def test_a_log_that_begins_after_a_restore_is_no_second_history_of_the_old_one(quoted: bool, log: Log) -> None:
    """It has another name and another order. `renew` writes the line into its policy file."""
    old, new = Rows(log.entries[:290]), Rows(log.entries[5:])
    new.policy = (b"# follows log.example/old, which had 290 entries; its last known checkpoint:\n" if quoted else b"") + new.policy
    sides = [Side(name, rows, *archive.head(rows, None), f"log.example/{name}") for name, rows in (("old", old), ("new", new))]
    for found in (compare(*sides), compare(*reversed(sides))):
        assert found["verdict"] == "other-log" and found["follows"] == ({"new": "log.example/old"} if quoted else {})
        assert ("new says that it follows log.example/old" in found["says"]) is quoted
    assert compare(*(structs.replace(side, origin="") for side in sides))["verdict"] == "parts"


def test_the_root_of_a_damaged_export_is_not_compared(folder: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = exported(tmp_path / "log", Rows(log.entries), log.keys)
    (there / "tile/1/000.p/1").write_bytes(bytes(32))
    assert run(["audit", "diff", str(folder), str(there)]) == 1
    assert "its tiles do not make its own root" in capsys.readouterr().err


def test_every_leaf_is_looked_up_by_a_stranger(log: Log) -> None:
    """What `extra` holds is believed only because it hashes to the proven leaf."""
    there = Rows(log.entries)
    published = archive.trusted(there, None)
    assert published is not None
    proof = inclusion(there, published, len(log.entries), 5)
    assert proof_file.check(proof, leaf_hash(proof.extra or b""), witness_policy.parse(policy())).checkpoint.size == len(log.entries)
