"""`referral audit trust`: the file of release 0.1.0 is taken over once, and nothing of it is lost or taken for a remark."""

from __future__ import annotations

from pathlib import Path

import pytest

from referral.cli.app import run
from referral.errors import Malformed, Rejected
from referral.runtime import policy_feed, record_signing, settings, trust_file
from referral.runtime.keys import erasure_tag
from referral.wire.signed import trust, trust_lines, writer_signature
from tests.harness import believed

BEFORE = Path(__file__).parents[1] / "golden" / "0.1.0.policy"
"""Written by the code of release 0.1.0, as its local stack wrote it: two of each kind, pins and times."""
NEEDED = {"REFERRAL_KAFKA": "x:1", "REFERRAL_DATABASE": "postgresql://x"}


def test_a_file_of_0_1_0_is_taken_over_and_names_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, made = tmp_path / "witness.policy", tmp_path / "trust.toml"
    file.write_bytes(BEFORE.read_bytes())
    assert run(["audit", "trust", "import", str(file)]) == 0 and "off" not in capsys.readouterr().err
    assert file.read_bytes() == BEFORE.read_bytes(), "programs of 0.1.0 go on reading it"
    found = settings.load({**NEEDED, "REFERRAL_TRUST": str(made), "REFERRAL_WITNESS_POLICY": str(file)})
    old = BEFORE.read_bytes()
    assert policy_feed.trusted(found) == trust_lines.policy_keepers(old) and len(trust_lines.policy_keepers(old).pins) == 1
    assert record_signing.writers(found) == trust_lines.writers(old) and erasure_tag.needed(found) == trust_lines.erasers(old)
    assert trust_file.read(found).operators == trust_lines.operators(old) and trust_lines.operators(old).since
    written = made.read_bytes()
    assert run(["audit", "trust", "import", str(file)]) == 0 and made.read_bytes() == written, "twice is once"
    made.write_bytes(written + b"# mine\n")
    assert run(["audit", "trust", "import", str(file)]) == 1 and made.read_bytes() == written + b"# mine\n"
    capsys.readouterr()
    assert run(["audit", "trust", "show", str(made)]) == 0
    shown = tmp_path / "shown.policy"
    shown.write_text(capsys.readouterr().out)
    assert sorted(shown.read_bytes().splitlines()) == sorted(old.splitlines()), "the log and 0.1.0 are told the same lines"
    assert run(["audit", "trust", "import", str(shown), "--out", str(tmp_path / "again.toml")]) == 0
    assert (tmp_path / "again.toml").read_bytes() == written


def test_a_misspelt_line_of_0_1_0_is_shown_and_a_missing_kind_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "witness.policy"
    file.write_bytes(BEFORE.read_bytes().replace(b"# approver second", b"# aprover second"))
    assert run(["audit", "trust", "import", str(file)]) == 1 and not (tmp_path / "trust.toml").exists()
    assert "line 10 `# aprover second-approver" in capsys.readouterr().err
    lines = BEFORE.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(line for line in lines if not line.startswith(b"# approver")))
    assert run(["audit", "trust", "import", str(file)]) == 0
    assert 'approvers = "off": no line named any' in capsys.readouterr().err


def test_a_service_with_the_file_of_0_1_0_alone_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=f"REFERRAL_TRUST: .*referral audit trust import {BEFORE}"):
        settings.load({**NEEDED, "REFERRAL_WITNESS_POLICY": str(BEFORE)})
    found = settings.load({**NEEDED, "REFERRAL_TRUST": str(BEFORE)})
    for needs in (trust_file.read, policy_feed.trusted, record_signing.writers, erasure_tag.erasers):
        with pytest.raises(Rejected, match=r"REFERRAL_TRUST: .*line 1.*referral audit trust import FILE"):
            needs(found)
        with pytest.raises(Rejected, match="without it nobody is believed"):
            needs(settings.load(NEEDED))
        with pytest.raises(Rejected, match="cannot be read"):
            needs(settings.load({**NEEDED, "REFERRAL_TRUST": str(tmp_path / "gone.toml")}))


def test_an_auditors_own_file_is_trust_toml_or_a_policy_file_without_our_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from referral.cli.audit import source

    mine, plain, old = believed.file(tmp_path / "mine.toml", BEFORE.read_bytes()), tmp_path / "plain", tmp_path / "old.policy"
    assert source.policy(mine) == source.rules(mine) == trust.read(mine.read_bytes()).logged()
    plain.write_bytes(trust.read(mine.read_bytes()).witness_policy)
    assert source.policy(plain) == plain.read_bytes() and trust_lines.writers(plain.read_bytes()) == writer_signature.NO_WRITERS
    old.write_bytes(BEFORE.read_bytes())
    export = tmp_path / "export"
    export.mkdir()
    (export / "checkpoint").write_text("x\n1\nAAAA\n")
    assert run(["audit", "verify", str(export), "--witnesses", str(old)]) == 2
    assert "referral audit trust import FILE" in capsys.readouterr().err
    assert source.rules(old) == old.read_bytes(), "where nobody but the witnesses is believed, a comment is a comment"
    mine.write_bytes(mine.read_bytes().replace(b"writers.routing", b"writers.rooting"))
    assert run(["audit", "verify", str(export), "--trust", str(mine)]) == 2 and "rooting writes no topic" in capsys.readouterr().err


def test_no_half_of_a_kind_is_taken_over() -> None:
    for word in (b"operator keeper", b"policy-signer policy-keeper", b"approver first", b"writer routing"):
        lines = BEFORE.read_bytes().splitlines(keepends=True)
        with pytest.raises(Malformed):
            trust.imported(b"".join(line for line in lines if not line.startswith(b"# " + word)))


@pytest.mark.parametrize("words", ["policy key policy-keeper", "operator key besa", "audit writer routing"])
def test_a_holder_whose_file_is_no_key_learns_so_in_one_way(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.key"
    assert run([*words.split(), "--file", str(file)]) == 0
    shown = capsys.readouterr().out
    assert run([*words.split(), "--file", str(file)]) == 0 and capsys.readouterr().out == shown
    file.write_text("hello")
    assert run([*words.split(), "--file", str(file)]) == 2 and "is no Ed25519 key" in capsys.readouterr().err
    assert run([*words.split(), "--file", str(tmp_path / "no" / "own.key")]) == 2
