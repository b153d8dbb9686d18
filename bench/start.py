"""Measure `referral up` as a person types it, with every jar and package in place."""

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


async def up(at: Ground) -> AsyncIterator[Row]:
    """Return the seconds until it reports that everything is ready: in a new folder, and again in the same."""
    data = at.folder / "up"
    say("referral up, twice")
    yield Row(name="referral up in a new folder, until ready", value=await _until_ready(data), unit="s")
    yield at_most("referral up, until ready", await _until_ready(data), "s", READY_S)


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
