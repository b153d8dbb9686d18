"""`referral demo` from its first line to the auditor's verdict, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.servers, pytest.mark.timeout(290)]


def test_the_demo_is_told_to_its_end_and_its_log_is_good(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; from referral.cli import main; main()", "demo", "--json", "--data", str(tmp_path / "d")]
    demo = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert demo.returncode == 0, demo.stderr
    assert json.loads(demo.stdout) == {"audit verify": 0, "doctor": 0}
    told = [
        "✉ police-prishtine.duty-officer",
        "✆ SMS to +999440101: USHTRIM.",
        "✆ +999440101 rings: Ky është ushtrim.",
        "nobody answers",
        "✆ +999440101 rings: Ky është ushtrim.",
        "she presses 1",
        "has seen it",
        "declines",
        "now its back-up",
        "the case is closed",
        "a page for each role",
        *("/refer", "/help", "/inbox", "police-prishtine.duty-officer", "/agency", "/overview", "coordinator-prishtine.", "/unverified"),
        *("/auditor", "made-up-auditor", "/oversight", "made-up-committee"),
    ]
    rest = demo.stderr
    for words in told:
        assert words in rest, f"{words!r} is not told, or not after what comes before it:\n{demo.stderr}"
        rest = rest.partition(words)[2]
