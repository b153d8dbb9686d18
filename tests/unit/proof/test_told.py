"""`audit replay` of an export: every line has its entry and its mark, and lines are chosen by case, agency, type, entry and time."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, structs

from referral.cli import run
from referral.cli.audit.replay import Selection, casebook, selected_lines
from referral.domain.events import OfferOpened
from referral.domain.inputs import Input
from referral.proof.entry import Kind
from tests.harness.audit_archive import Rows, auditor_key, exported, long_log
from tests.harness.audit_log import Log, asked, closed, erase, story
from tests.harness.signing_school import KEY, PATH, activate


@pytest.fixture(scope="module")
def log() -> Log:
    return long_log()


@pytest.fixture(scope="module")
def folder(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("told")
    auditor_key(place)
    return exported(place / "log", Rows(log.entries), log.keys)


def replay(capsys: pytest.CaptureFixture[str], folder: Path, *words: object) -> tuple[int, dict[str, Any]]:
    code = run(["audit", "replay", str(folder), "--key", str(folder.parent / "auditor.key"), *map(str, words), "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def test_a_case_is_told_as_a_tree_with_a_mark_on_every_line(folder: Path, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    case = log.entries[30].case_id
    code, said = replay(capsys, folder, "--case", case)
    mine = [e.idx for e in log.entries if e.case_id == case]
    assert code == 0 and sorted(line["idx"] for line in said["lines"] if line["idx"] is not None) == mine
    assert {line["mark"] for line in said["lines"]} == {"logged", "said by routing"} and max(line["depth"] for line in said["lines"]) > 0
    assert run(["audit", "replay", str(folder), "--key", str(folder.parent / "auditor.key"), "--case", case]) == 0
    out = capsys.readouterr().out
    assert f"verified against the checkpoint of {len(log.entries)} entries, believed by the log's own policy" in out
    assert f"{mine[0]:>6}  logged           school-drita refers" in out


def test_above_the_published_size_nothing_is_verified(log: Log) -> None:
    published = 300
    book, against = casebook(Rows(log.entries, published), None)
    lines = list(selected_lines(book, lambda ids: log.keys, Selection(first=280)))
    assert lines and f"checkpoint of {published} entries" in against.says and not any(map(against.bad, lines))
    assert {line.mark for line in lines if line.idx is not None and line.idx < published} == {"logged", "said by routing"}
    assert {line.mark for line in lines if line.idx is not None and line.idx >= published} == {"unverified"}


def test_sealed_and_erased_lines_say_so(log: Log, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = log.entries[30].case_id
    assert run(["audit", "replay", str(folder), "--case", case, "--json"]) == 0
    assert {line["mark"] for line in json.loads(capsys.readouterr().out)["lines"]} == {"sealed"}
    small = Log()
    erased = story(small)
    closed(small, erased)
    erase(small, erased)
    del small.keys[erased]
    book, _ = casebook(Rows(small.entries), None)
    lines = list(selected_lines(book, lambda ids: small.keys, Selection(case=erased)))
    assert [line.mark for line in lines if line.mark != "erased"] == ["logged"]


def test_a_changed_payload_is_bad_and_a_changed_leaf_is_not_verified(
    folder: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path(shutil.copytree(folder.parent, tmp_path / "copy"))
    there = Rows(log.entries)
    broken = there.payloads[30]
    assert broken is not None
    data = (place / "log/payload/000").read_bytes()
    at = data.index(broken.value) + len(broken.value) - 1
    (place / "log/payload/000").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    code, said = replay(capsys, place / "log", "--case", log.entries[30].case_id)
    assert code == 1 and [line["idx"] for line in said["lines"] if line["mark"] == "bad"] == [30]
    leaves = bytearray((place / "log/tile/entries/000").read_bytes())
    leaves[leaves.index(there.leaves[31]) + len(there.leaves[31]) - 1] ^= 2
    (place / "log/tile/entries/000").write_bytes(leaves)
    code, said = replay(capsys, place / "log", "--case", log.entries[30].case_id)
    assert code == 1 and [line["idx"] for line in said["lines"] if line["mark"] == "unverified"] == [31]


@pytest.mark.parametrize(
    "words",
    [
        ["replay"],
        ["replay", "--at", "2030-01-01", "--case", "CASE"],
        ["replay", "--policy", "policy"],
        ["guidance", "--step", "trafficking-child/police"],
        ["figures"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_checkpoint_that_is_not_believed_is_said_and_no_success(
    words: list[str], folder: Path, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that asks for the exit code alone took an export with a forged checkpoint for a good one."""
    place = Path(shutil.copytree(folder, tmp_path / "log"))
    origin, size, root, *rest = (place / "checkpoint").read_bytes().split(b"\n")
    (place / "checkpoint").write_bytes(b"\n".join([origin, size, root[:-2] + (b"A=" if root[-2:] != b"A=" else b"E="), *rest]))
    named = ["audit", words[0], str(place), *(log.entries[30].case_id if word == "CASE" else word for word in words[1:])]
    key = [] if words[0] == "guidance" else ["--key", str(folder.parent / "auditor.key")]
    assert run([*named, *key]) == 1
    told = capsys.readouterr()
    assert "NOTHING IS VERIFIED: " in told.out + told.err
    assert run([*named[:2], str(folder), *named[3:], *key]) in (0, 3)


def test_lines_are_chosen_by_agency_type_entry_and_time(folder: Path, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    def chosen(*words: object) -> list[int]:
        code, said = replay(capsys, folder, *words)
        assert code == 0
        return [line["idx"] for line in said["lines"]]

    opened = [e.idx for e in log.entries if e.type == "offer-opened.v1"]
    assert chosen("--type", "offer-opened") == chosen("--type", "offer-opened.v1") == opened
    assert chosen("--type", "POLICY") == [0]
    assert chosen("--first", 40, "--last", 60) == list(range(40, 61))
    assert chosen("--first", 40, "--last", 60, "--type", "offer-opened") == [n for n in opened if 40 <= n <= 60]
    csw = chosen("--agency", "csw-prizren")
    assert csw and set(csw) < set(range(len(log.entries)))
    middle = log.entries[160].recorded_at
    word = f"{middle // 1_000_000}"
    at = datetime.fromtimestamp(int(word), UTC).isoformat()
    after, before = chosen("--after", at), chosen("--before", at)
    timed = [e for e in log.entries if e.idx]
    assert set(after) == {e.idx for e in timed if e.recorded_at >= int(word) * 1_000_000}
    assert not set(after) & set(before) and len(after) + len(before) == len(log.entries)


def test_how_a_case_stood_at_an_entry_and_at_a_time(folder: Path, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    case = log.entries[30].case_id
    mine = [e for e in log.entries if e.case_id == case]
    code, said = replay(capsys, folder, "--case", case, "--at", mine[5].idx)
    assert (code, said["entry"], said["mark"]) == (0, mine[5].idx, "said by routing")
    code, newest = replay(capsys, folder, "--case", case, "--at", "2030-01-01")
    assert (code, newest["entry"]) == (0, mine[-1].idx)
    assert newest["state"]["seq"] == log.cases[case].seq > said["state"]["seq"]
    assert run(["audit", "replay", str(folder), "--key", str(folder.parent / "auditor.key"), "--case", case, "--at", str(mine[5].idx)]) == 0
    assert "step police: under way" in capsys.readouterr().out
    assert replay(capsys, folder, "--case", case, "--at", mine[0].idx - 1)[0] == 1
    assert replay(capsys, folder, "--at", 5)[0] == 2
    assert replay(capsys, folder, "--after", "yesterday")[0] == 2


def test_a_decision_is_said_by_routing_until_its_facts_and_rules_were_checked(
    folder: Path, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line was "verified", also a decision of which nobody had made sure that its facts were true and the rules lead to it."""
    case = log.entries[30].case_id
    kinds = {e.idx: e.kind for e in log.entries}

    def decided(place: Path, *words: str) -> set[str]:
        code, said = replay(capsys, place, "--case", case, *words)
        assert code == 0 and {line["mark"] for line in said["lines"] if kinds.get(line["idx"]) is Kind.EVENT} == {"logged"}
        return {line["mark"] for line in said["lines"] if kinds.get(line["idx"], Kind.DECISION) is Kind.DECISION}

    assert decided(folder) == {"said by routing"} and decided(folder, "--prove") == {"proven"}


class Lying(Log):
    """Routing asks another agency than the one to which the rules lead."""

    def record(self, cause: Input, said: list[Struct]) -> None:
        super().record(cause, [structs.replace(e, agency="police-prishtine") if isinstance(e, OfferOpened) else e for e in said])


def test_what_routing_made_up_is_not_proven_and_the_case_beside_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, lying = Log(), Lying()
    true = story(log, "true")
    lying.__dict__.update(vars(log))
    false, _ = asked(lying, "false")
    auditor_key(tmp_path)
    place = exported(tmp_path / "log", Rows(lying.entries), lying.keys)
    for case, marks in ((true, {"logged", "proven"}), (false, {"logged", "said by routing"})):
        _, said = replay(capsys, place, "--case", case, "--prove")
        assert {line["mark"] for line in said["lines"]} == marks, case


def test_another_policy_is_tried_on_an_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = replay(capsys, folder, "--policy", "policy")
    assert (code, said["cases"], said["elsewhere"]) == (0, 20, [])
    code, said = replay(capsys, folder, "--policy", "bundle:1")
    assert (code, said["cases"], said["elsewhere"]) == (0, 20, []), "a bundle out of the log needs no folder"
    assert run(["audit", "replay", str(folder), "--policy", "bundle:7"]) == 1
    assert "the log has no bundle:7 that its signers signed" in capsys.readouterr().err


def test_activations_are_found_by_their_type_with_number_digest_and_what_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--type policy-activated.v1` found the line of its schema alone, and a bundle's own line said neither number nor difference."""
    made = Log()
    activate(made, 2, KEY)
    auditor_key(tmp_path)
    place = exported(tmp_path / "log", Rows(made.entries), made.keys)
    for words in (("policy-activated.v1",), ("policy-activated",), ("POLICY",)):
        code, said = replay(capsys, place, "--type", *words)
        lines = [line["what"] for line in said["lines"]]
        assert code == 0 and len(lines) == 2, said
        assert lines[0].startswith("policy bundle 1 is in force from here on, digest ") and lines[0].endswith(" files")
        assert lines[1].endswith(f": changed {PATH} (+1 -0 lines)") and lines[1].startswith("policy bundle 2 is in force")
    assert len(replay(capsys, place, "--type", "POLICY", "--first", 1)[1]["lines"]) == 1


def test_heartbeats_are_told_only_to_who_asks_for_them(log: Log) -> None:
    made = Log()
    story(made)
    before = len(made.entries)
    made.beat({"referral-intake": [1]})
    book, _ = casebook(Rows(made.entries), None)
    assert (
        len([line for line in selected_lines(book, lambda ids: made.keys, Selection()) if line.idx is not None]) == before and log.entries
    )
    assert [line.what for line in selected_lines(book, lambda ids: made.keys, Selection(type="HEARTBEAT"))] == ["audit is alive"]
