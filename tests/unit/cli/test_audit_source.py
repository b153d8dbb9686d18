"""A slip in the auditor's own files is no finding about the log: the command cannot run, and says which file."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from referral.cli.app import run
from referral.proof.archive import CHECKPOINT, KEYS
from referral.wire import hpke

ORIGIN = "log.example/1"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder that has a checkpoint and lends keys to somebody else."""
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / CHECKPOINT).write_text(f"{ORIGIN}\n1\nAAAA\n")
    (folder / KEYS).write_bytes(hpke.lend(X25519PrivateKey.generate().public_key(), ORIGIN, {}))
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """An auditor's secret key."""
    file = tmp_path / "auditor.key"
    file.write_bytes(X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


@pytest.mark.parametrize("command", ["verify", "replay"])
def test_a_key_that_opens_nothing_is_the_keys_fault(export: Path, key: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run(["audit", command, str(export), "--key", str(key)]) == 2
    assert "opens nothing here" in capsys.readouterr().err
    for torn in ((export / KEYS).read_bytes()[:40], b""):
        (export / KEYS).write_bytes(torn)
        assert run(["audit", command, str(export), "--key", str(key)]) == 2 and "opens nothing here" in capsys.readouterr().err
    (export / KEYS).unlink()
    assert run(["audit", command, str(export), "--key", str(key)]) == 2
    assert "this export lends no keys" in capsys.readouterr().err


def test_a_policy_file_with_a_slip_is_the_readers_own(export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.policy"
    for text in ("log nonsense\n", "", "quorum"):
        mine.write_text(text)
        assert run(["audit", "verify", str(export), "--witnesses", str(mine)]) == 2
        assert "your policy file" in capsys.readouterr().err
