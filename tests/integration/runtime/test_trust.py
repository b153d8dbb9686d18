"""A service that would believe the wrong people, or nobody, does not start, and says which line to mend. No server is asked before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import believed

BEFORE = Path(__file__).parents[2] / "unit" / "golden" / "0.1.0.policy"


def died(**variables: object) -> str:
    """The last line of a service that does not start."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REFERRAL_")}
    own = {"REFERRAL_KAFKA": "127.0.0.1:1", "REFERRAL_DATABASE": "postgresql+asyncpg://routing@127.0.0.1:1/x"}
    own |= {f"REFERRAL_{name}": str(value) for name, value in variables.items()}
    done = subprocess.run(
        [sys.executable, "-m", "services.routing"], env=clean | own, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return (done.stdout + done.stderr).strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("spelt", "said"),
    [
        (b"aprovers.", "line 13 `aprovers` is no word of this file: write approvers"),
        (b"", "`approvers` is missing: name somebody, or write approvers"),
    ],
)
def test_a_misspelt_or_missing_word_stops_the_start(tmp_path: Path, spelt: bytes, said: str) -> None:
    file = believed.file(tmp_path / "trust.toml", BEFORE.read_bytes())
    lines = [line for line in file.read_bytes().splitlines(keepends=True) if spelt or not line.startswith(b"approvers.")]
    file.write_bytes(b"".join(lines).replace(b"approvers.", spelt, 1))
    assert said in died(TRUST=file, SERVICE_KEY_FILE="unread")


def test_the_file_of_0_1_0_stops_the_start() -> None:
    assert f"referral audit trust import {BEFORE}" in died(WITNESS_POLICY=BEFORE)
    assert "referral audit trust import FILE" in died(TRUST=BEFORE, SERVICE_KEY_FILE="unread")
