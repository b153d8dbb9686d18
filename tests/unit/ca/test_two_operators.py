"""An authority that reaches no log asks for a second operator's word where `trust.toml` names operators, and keeps it in its folder."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from referral.cli import run
from tests.harness import believed, made_log
from tests.harness.two_operators import LINES, key_files


def test_an_offline_authority_needs_two_and_keeps_on_whose_word_it_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ca, request, other = tmp_path / "ca", tmp_path / "request", tmp_path / "other"
    keeper, besa, _ = key_files(tmp_path)

    def said(*words: str, code: int = 0) -> str:
        capfd.readouterr()
        assert run([*words]) == code, capfd.readouterr().err
        out, err = capfd.readouterr()
        return err if code else out

    def word(*words: str) -> str:
        return said("operator", "word", "keeper", "--key", str(besa), "--", *words).strip()

    monkeypatch.delenv("REFERRAL_DATABASE", raising=False)
    said("ca", "init", str(ca))  # the first installation: nobody is named yet
    for file in (request, other):
        file.write_text(said("ca", "request", f"{file}-place", "agency/school-drita"))
    sign = ("ca", "sign", str(ca), "agency/school-drita")
    said(*sign, str(request))
    assert not (ca / "words").exists()
    monkeypatch.setenv("REFERRAL_WITNESS_POLICY", str(tmp_path / "policy"))
    refused = said(*sign, str(request), code=2)
    assert f"referral audit trust import {tmp_path / 'policy'}" in refused, "release 0.1.0's file does not take the wall down in silence"
    monkeypatch.setenv("REFERRAL_TRUST", str(believed.file(tmp_path / "trust.toml", made_log.policy() + LINES)))
    monkeypatch.setenv("REFERRAL_OPERATOR_KEYS", str(keeper))
    signed = sorted(ca.rglob("*.pem"))
    assert f"referral operator word keeper --key FILE -- ca sign {ca} agency/school-drita" in said(*sign, str(request), code=1)
    line = word("ca", "sign", "elsewhere", "agency/school-drita", str(request))
    assert "other arguments" in said(*sign, str(other), "--word", line, code=1), "of a file the content is agreed, not its name"
    assert sorted(ca.rglob("*.pem")) == signed
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(request.read_bytes().replace(b"\n", b"\r\n"))))
    assert "BEGIN CERTIFICATE" in said(*sign, "--word", line), "also from standard input, and after a mail"
    assert "used before" in said(*sign, str(request), "--word", line, code=1)
    said("ca", "replace", str(ca), "agencies", code=1)
    said("ca", "revoke", str(ca), "agency/school-drita")
    (kept,) = (json.loads(one) for one in (ca / "words").read_text().splitlines())
    assert (kept["by"], kept["second"], kept["about"]) == ("operator/keeper", "operator/besa", ["certificate:agency/school-drita"])
    said("operator", "word", "keeper", "--key", str(besa), "--", "ca", "replace", str(ca), "agencies-1", "--end", code=1)
