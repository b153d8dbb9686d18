"""A command that cannot do the whole leaves nothing behind that looks usable, and takes no empty word for "make one"."""

from __future__ import annotations

from pathlib import Path

import pytest

from referral.cli.app import run


def test_the_log_key_and_the_file_of_trust_come_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["audit", "key", "--name", "audit.example/referral"]) == 0
    policy, key = tmp_path / "trust.toml", tmp_path / "log.key"
    before = key.read_bytes()
    policy.unlink()
    assert run(["audit", "key", "--name", "audit.example/referral"]) == 2 and not policy.exists(), "the key of another log stands there"
    key.unlink()
    policy.write_bytes(b"mine\n")
    assert run(["audit", "key", "--name", "audit.example/referral"]) == 2 and not key.exists() and policy.read_bytes() == b"mine\n"
    assert before and "File exists" in capsys.readouterr().err


def test_an_auditors_public_key_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = tmp_path / "auditor.key.pub"
    older.write_bytes(b"lent to before\n")
    assert run(["audit", "reader", str(tmp_path / "auditor.key")]) == 2 and older.read_bytes() == b"lent to before\n"
    assert "auditor.key.pub: File exists" in capsys.readouterr().err and not (tmp_path / "auditor.key").exists()


@pytest.mark.parametrize("words", [("agency", "token", "police-prizren", "--revoke", ""), ("security", "honey", "--end", "")])
def test_an_empty_name_makes_no_token(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `--revoke "$NAME"` with a NAME that is not set. No server is asked: the word is refused before."""
    monkeypatch.setenv("REFERRAL_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("REFERRAL_DATABASE", "postgresql+asyncpg://postgres@127.0.0.1:1/referral")
    monkeypatch.setenv("REFERRAL_MASTER_KEY_FILE", str(tmp_path / "master.key"))
    assert run([*words]) in (1, 2)
    said = capsys.readouterr()
    assert said.out == "" and "digits that --list shows" in said.err


def test_a_log_that_is_away_is_no_split_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["audit", "key", "--name", "audit.example/referral"]) == 0
    begun = (tmp_path / "trust.toml").read_text().split("'''\n")
    (tmp_path / "witness.policy").write_text(begun[1])
    assert "quorum none" in begun[1]
    assert run(["audit", "monitor", "--witnesses", "witness.policy", "--log", "http://127.0.0.1:1"]) == 3
