"""`referral demo` interrupted at a random moment leaves no process behind. (`referral up`: tests/integration/local/test_up.py.)"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.waiting import comes

pytestmark = pytest.mark.servers
SEEDS = (2,)
LONGEST_S = 25.0
"""A demo is over its start and in its story by then on an idle machine."""


@pytest.mark.parametrize("seed", SEEDS)
def test_an_interrupted_demo_leaves_no_process_behind(seed: int, tmp_path: Path) -> None:
    after = random.Random(seed).uniform(0.5, LONGEST_S)
    command = [sys.executable, "-c", "from referral.cli import main; main()", "demo", "--data", str(tmp_path)]
    demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        try:
            demo.wait(after)
        except subprocess.TimeoutExpired:
            assert comes(lambda: mentioning(tmp_path)), "it started something"
            demo.send_signal(signal.SIGINT)
        _, told = demo.communicate(timeout=60)
    finally:
        demo.kill()
    assert "Traceback" not in told, told
    assert comes(lambda: not mentioning(tmp_path)), mentioning(tmp_path)


def mentioning(folder: Path) -> list[str]:
    """Living processes that name the folder in their command or environment, or hold a file in it open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            held = any(os.readlink(link).startswith(str(folder)) for link in (process / "fd").iterdir())
        except OSError:
            continue
        if held or str(folder).encode() in words:
            found.append(f"{process.name} {words[:120]!r}")
    return found
