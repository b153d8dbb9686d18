"""Measure the start of `referral up`, and of single commands, as a person types them, with every jar and package in place."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from bench.ground import Ground, say
from bench.rows import Row, at_most

READY_S = 10
COMMANDS = (
    "--help",
    "policy check",
    "audit verify",
    "audit monitor",
    "submit",
    "duty show",
    "staff list",
    "case show",
    "doctor",
    "demo",
)
COMMAND_S, ROUNDS = 0.3, 5
"""Wanted processor seconds of a command until it could begin; and the starts of each, of which the fastest counts."""


async def up(at: Ground) -> AsyncIterator[Row]:
    """Return the seconds until it reports that everything is ready: in a new folder, and again in the same."""
    data = at.folder / "up"
    say("referral up, twice")
    yield Row(name="referral up in a new folder, until ready", value=await _until_ready(data), unit="s")
    yield at_most("referral up, until ready", await _until_ready(data), "s", READY_S)


async def commands() -> AsyncIterator[Row]:
    """Return the processor seconds of single commands until they could begin: each loads what it needs, and displays its help."""
    for words in COMMANDS:
        asked = [*words.split(), *([] if words == "--help" else ["--help"])]
        seconds = min([await asyncio.to_thread(_processor_s, asked) for _ in range(ROUNDS)])
        yield at_most(f"referral {words}, processor time until it begins", seconds, "s", COMMAND_S)


def _processor_s(words: list[str]) -> float:
    """Run a command to its end, and return the processor seconds that it took."""
    program = str(Path(sys.executable).with_name("referral"))
    pid = os.posix_spawn(program, [program, *words], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, used = os.wait4(pid, 0)
    assert status == 0, words
    return used.ru_utime + used.ru_stime


async def _until_ready(data: Path) -> float:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REFERRAL_")}
    words = ("up", "--json", "--port", "0", "--data", str(data))
    start = time.monotonic()
    program = str(Path(sys.executable).with_name("referral"))
    child = await asyncio.create_subprocess_exec(
        program, *words, env=clean, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert child.stdout is not None
    line = await child.stdout.readline()
    seconds = time.monotonic() - start
    child.send_signal(signal.SIGINT)
    await child.wait()
    assert line, "referral up ended before it was ready"
    return seconds
