"""docs/operators.md on the authority: its commands are run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.harness.page_blocks import blocks

PAGE = Path(__file__).parents[3] / "docs" / "operators.md"


def test_the_commands_that_begin_an_authority_are_run_as_they_stand(tmp_path: Path) -> None:
    [(_, block)] = blocks(PAGE, "sh authority")
    (tmp_path / "safe").mkdir()
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-eu", "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    roots = re.findall(r"^root ((?:[0-9a-f]{4} ?){16})", done.stdout, re.M)
    assert len(roots) == 2 and roots[0] == roots[1].strip(": "), done.stdout
    assert "tls/intake: not due" in done.stdout and re.search(r"^certificate +service/intake .* good", done.stdout, re.M)


def test_every_command_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for word in ("init", "request", "sign", "install", "renew", "revoke", "replace", "crl", "list"):
        assert f"referral ca {word}" in text, word
