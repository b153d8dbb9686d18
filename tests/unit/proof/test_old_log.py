"""A log that an older version exported, with the key that opens it. The rules of today still lead to it. One made-up case per procedure.

golden/old-log.tar.xz was written at 31a1adb by `referral demo --pathways all` and `referral audit export`, before the tree was moved.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from referral.cli.app import run

GOLDEN = Path(__file__).parents[1] / "golden" / "old-log.tar.xz"


def test_an_old_log_verifies_and_every_decision_of_it_is_made_again_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with tarfile.open(GOLDEN) as archive:
        archive.extractall(tmp_path, filter="data")
    arguments = ["audit", "verify", "export", "--key", "auditor.key", "--max-age", "0", "--jobs", "1", "--json"]
    assert run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "good" and told["findings"] == [] and told["not_checked"] == []
    assert told["counts"]["decisions re-executed"] == told["counts"]["decisions"] == 100
    assert told["checkpoint"]["root"] == "004fcd86ea725574059025caf23c5ac361f4504a74a780f554daed0b6247e8ca"
