"""`audit guidance`: which texts the page of a step showed at a moment, proved by the bundles in the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from referral.cli import run
from referral.cli.audit.guidance import shown
from referral.cli.audit.replay import LoggedBundle
from referral.domain.events import PolicyActivated
from referral.domain.policy import compile
from referral.proof.entry import Kind
from referral.runtime import i18n
from referral.wire import codec, headers, policy_digest
from referral.wire.signed import trust_lines
from referral.wire.signed.trust_lines import Keyword
from services.audit.ingest import Says, ingest
from services.intake.pages import guidance, render
from tests.attacks.policies import put
from tests.harness import believed, made_log, policies
from tests.harness.audit_archive import Rows, auditor_key, exported
from tests.harness.audit_log import FILES, MINUTE, START, Log
from tests.harness.policies import bundle

TEXT = "guidance/one-interview.en.md"
CALMLY = FILES[TEXT].replace(b"version: 1", b"version: 2").replace(b"One interview, by one trained person.", b"One interview, in one room.")
NEW = {**FILES, TEXT: CALMLY}
LATER = START + 60 * MINUTE
EN = i18n.load(render.WORDS)["en"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with two bundles, an hour apart; the second has another text for the interview."""
    place, log = tmp_path_factory.mktemp("guided"), Log()
    body = PolicyActivated(number=2, digest=policy_digest.digest(NEW), at=LATER, files=NEW, valid_from=0, before="")
    told = headers.plain(PolicyActivated.TYPE, id="00000000-0000-0000-0000-000000000002", source="routing", at=LATER)
    log.now = LATER
    log.put(PolicyActivated.TOPIC, 0, b"2", codec.encode(body), told)
    auditor_key(place)
    return exported(place / "log", Rows(log.entries), log.keys)


def asked(capsys: pytest.CaptureFixture[str], folder: Path, at: int, *words: str) -> tuple[int, dict[str, Any]]:
    when = datetime.fromtimestamp(at / 1e6, UTC).isoformat()
    code = run(["audit", "guidance", str(folder), "--step", "trafficking-child/interview", "--at", when, *words, "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def test_the_bundle_in_force_then_names_the_texts_that_the_page_showed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for at, files, number in ((LATER - 30 * MINUTE, FILES, 1), (LATER + 30 * MINUTE, NEW, 2)):
        code, said = asked(capsys, folder, at)
        [one] = said["shown"]
        assert (code, one["bundle"], one["mark"], one["digest"]) == (0, number, "logged", policy_digest.digest(files))
        assert one["texts"][TEXT] == files[TEXT].decode() and len(one["texts"]) == 2
        view = guidance.view(compile(files), number, "trafficking-child", "interview", EN)
        assert view is not None, "and this is what the page shows, line by line"
        for text, written in zip(view.texts, one["texts"].values(), strict=True):
            lines = [line for section in ("do", "never", "ask", "say", "call") for line in view.lines(text, section)]
            assert lines and all(f"- {line} [" in written for line in lines) and f"# {text.title}\n" in written


def test_around_an_activation_both_bundles_are_named_and_the_newest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for at in (LATER - MINUTE // 2, LATER + MINUTE // 2):
        code, said = asked(capsys, folder, at)
        assert code == 0 and [one["bundle"] for one in said["shown"]] == [2, 1]
    when = datetime.fromtimestamp(LATER / 1e6, UTC).isoformat()
    assert run(["audit", "guidance", str(folder), "--step", "trafficking-child/interview", "--at", when, "--language", "sq"]) == 0
    out = capsys.readouterr().out
    assert "one of these 2 bundles was on the page" in out and out.count("## Bëni tani") == 4 and "logged" in out


def test_a_bundle_that_was_never_used_was_never_on_the_page() -> None:
    """Pages pass over a bundle that does not compile, and show the texts of the one before."""
    broken = {**NEW, "pathways/trafficking-child.yaml": b"pathway: nonsense\n"}
    bodies = (
        PolicyActivated(number=n, digest=policy_digest.digest(files), at=at, files=files, valid_from=0, before="")
        for n, files, at in ((1, FILES, START), (2, broken, LATER))
    )
    logged = [LoggedBundle(body.number, "logged", body.at, body) for body in bodies]
    [one] = shown(logged, LATER + 30 * MINUTE, "trafficking-child", "interview", "en")
    assert (one.bundle, one.texts[TEXT]) == (1, FILES[TEXT].decode())


def test_the_time_of_an_activation_is_the_logs_not_the_bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """N23: nobody signs it, so routing could tell what a person was shown a month ago."""
    log = Log(now=LATER)
    put(log, bundle(2, NEW, at=LATER - 30 * 24 * 60 * MINUTE, before=FILES))
    auditor_key(tmp_path)
    folder = exported(tmp_path / "log", Rows(log.entries), log.keys)
    assert asked(capsys, folder, LATER - 24 * 60 * MINUTE)[0] == 1, "nothing was in force"
    code, said = asked(capsys, folder, LATER + 10 * MINUTE)
    assert code == 0 and [(one["bundle"], one["activated"]) for one in said["shown"]] == [(2, LATER)]


def test_an_unknown_step_language_or_time_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, folder, START - 10 * MINUTE)[0] == 1
    assert run(["audit", "guidance", str(folder), "--step", "trafficking-child/school"]) == 1
    assert run(["audit", "guidance", str(folder), "--step", "interview"]) == 2
    assert run(["audit", "guidance", str(folder), "--step", "trafficking-child/interview", "--language", "de"]) == 2
    assert asked(capsys, folder, LATER, "--language", "sr-Latn")[0] == 0


def test_only_bundles_of_the_signers_whom_the_auditors_own_file_names_were_on_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever made the log named its signers too, and the guidance of their bundle was "verified", believed by the auditor's policy."""
    log = Log()
    pin = trust_lines.pin_line(1, policies.bundle(1, FILES).digest)
    theirs = trust_lines.key_line(Keyword.POLICY_SIGNER, "x", policies.STRANGER.public_key().public_bytes_raw())
    theirs += trust_lines.key_line(Keyword.POLICY_SIGNER, "y", policies.KEEPER.public_key().public_bytes_raw())
    log.entries += ingest([], log._known, [Says(Kind.KEYS, made_log.policy() + theirs + pin)]).entries
    body = policies.bundle(2, NEW, at=LATER, before=FILES, keys=(policies.STRANGER, policies.KEEPER))
    told = headers.plain(PolicyActivated.TYPE, id="00000000-0000-0000-0000-000000000002", source="routing", at=LATER)
    log.put(PolicyActivated.TOPIC, 0, b"2", codec.encode(body), told)
    folder = exported(tmp_path / "log", Rows(log.entries), log.keys)
    mine = believed.file(tmp_path / "mine.toml", made_log.policy() + policies.LINES + pin)
    for words, number in (((), 2), (("--trust", str(mine)), 1)):
        code, said = asked(capsys, folder, LATER + 30 * MINUTE, *words)
        assert (code, [one["bundle"] for one in said["shown"]]) == (0, [number]), words
