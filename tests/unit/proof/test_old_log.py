"""A log that an older version exported, with the key that opens it. Its engine still leads to it. One made-up case per procedure.

golden/old-log.tar.xz was written at 31a1adb by `referral demo --pathways all` and `referral audit export`, before the tree was moved.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from referral.cli.app import run
from referral.cli.audit import source
from referral.cli.audit.replay import bundles, casebook
from referral.domain.events import Instruction, Meta
from referral.domain.inputs import record_input
from referral.proof.verify.log import verify
from referral.wire import codec, headers, seal, topics
from tests.harness.audit_log import Log, _id, asked
from tests.harness.made_child import ordered

GOLDEN = Path(__file__).parents[1] / "golden" / "old-log.tar.xz"


@pytest.fixture(autouse=True)
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with tarfile.open(GOLDEN) as archive:
        archive.extractall(tmp_path, filter="data")


def test_an_old_log_verifies_and_every_decision_of_it_is_made_again_byte_for_byte(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["audit", "verify", "export", "--key", "auditor.key", "--max-age", "0", "--jobs", "1", "--trust-log-names", "--json"]
    assert run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "good" and told["findings"] == [] and told["not_checked"] == []
    assert told["counts"]["decisions re-executed"] == told["counts"]["decisions"] == 100
    assert told["counts"]["decisions by engine 3"] == 100
    assert told["checkpoint"]["root"] == "004fcd86ea725574059025caf23c5ac361f4504a74a780f554daed0b6247e8ca"


def test_an_input_that_an_older_version_wrote_is_decided_again() -> None:
    """Version 1 of instruction-given lacks the last field; routing read it as version 2 with none."""
    log = Log()
    case_id, _ = asked(log, "old")
    body = ordered(Instruction.CLOSE, _id("instruction"), log.now, _id("desk officer"))
    older = "instruction-given.v1"
    made = Meta(
        event_id=_id("event"),
        case_id=case_id,
        case_seq=2,
        type=older,
        fingerprint=codec.fingerprint(older),
        cause_id=_id("queue"),
        recorded_at=log.now,
        source="intake",
        drill=False,
    )
    value = seal.seal(log.keys[case_id], body.TOPIC, made, codec.encode(body).removesuffix(b"\0"), bytes(12))
    place = log.put(body.TOPIC, topics.partition(case_id), case_id.encode(), value, headers.of(made))
    log.answer(record_input(made, body, place))
    report = verify(log.entries, log.keys)
    assert not report.findings and report.counts["decisions re-executed"] == 2


def test_an_old_log_is_compared_with_another_policy_by_its_own_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the policy that it logged nothing goes elsewhere; where the police have another limit, the cases are told otherwise."""
    with source.opened(Path("export"), Path("auditor.key")) as there:
        book, _ = casebook(there.archive, None)
        logged, *_ = bundles(book)
    found = []
    for folder, limit in (("same", b"acknowledge: 1 h P"), ("short", b"acknowledge: 1 min P")):
        for path, data in logged.body.files.items():
            (tmp_path / folder / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / path).write_bytes(data.replace(b"acknowledge: 1 h P", limit))
        assert run(["audit", "replay", "export", "--key", "auditor.key", "--policy", folder, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    same, short = found
    assert same["cases"] == short["cases"] == 7 and same["not_compared"] == short["not_compared"] == {}
    assert not same["elsewhere"] and not same["told_otherwise"]
    assert short["elsewhere"] or short["told_otherwise"]
