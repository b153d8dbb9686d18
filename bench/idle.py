"""Measure a local stack that waits: the processor time and the memory of every process of `referral up` while nobody does anything."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench import weight
from bench.ground import Ground, say
from bench.rows import Row, at_most

SETTLE_S = 100
"""Seconds before the measurement (ours): the start's own work ends, and the day's only look at every rota, a minute after it, has been."""
WAITS_S = 120
"""Seconds that are measured (ours): what is done once a minute counts twice."""
PYTHON_SHARE, MEMORY_MIB = 3.0, 700.0
"""Wanted: per cent of a core for all Python programs together, and MiB of all processes."""
SERVERS = ("kafka", "postgres")


async def idle(at: Ground) -> AsyncIterator[Row]:
    """Return the share of a core that each program takes, and the memory of all: proportional sizes, so that shared pages count once."""
    async with _stack(at.folder / "idle") as (up, named):
        say(f"waits {SETTLE_S} s, then {WAITS_S} s are measured")
        await asyncio.sleep(SETTLE_S)
        programs = family(up, named)
        before = {name: _cpu(pids) for name, pids in programs.items()}
        await asyncio.sleep(WAITS_S)
        programs = family(up, named)
        shares = {name: 100 * (_cpu(pids) - before.get(name, 0.0)) / WAITS_S for name, pids in programs.items()}
        sizes = {name: sum(map(weight.proportional, pids)) for name, pids in programs.items()}
    for name in sorted(programs, key=lambda name: -shares[name]):
        yield Row(name=f"idle: {name} ({sizes[name]:.0f} MiB)", value=shares[name], unit="% of a core")
    python = sum(share for name, share in shares.items() if name not in SERVERS)
    yield at_most("idle: the Python programs together", python, "% of a core", PYTHON_SHARE)
    yield Row(name="idle: everything", value=sum(shares.values()), unit="% of a core")
    yield at_most("idle: memory of everything", sum(sizes.values()), "MiB", MEMORY_MIB)


@contextlib.asynccontextmanager
async def _stack(data: Path) -> AsyncIterator[tuple[int, Mapping[str, int]]]:
    """Run `referral up`, as a person types it; give its pid, and those of its processes by name."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REFERRAL_")}
    words = ("up", "--json", "--port", "0", "--data", str(data))
    program = str(Path(sys.executable).with_name("referral"))
    child = await asyncio.create_subprocess_exec(
        program, *words, env=clean, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert child.stdout is not None
        line = await child.stdout.readline()
        assert line, "referral up ended before it was ready"
        report: dict[str, Any] = msgspec.json.decode(line)
        yield child.pid, {name: process["pid"] for name, process in report["processes"].items()}
    finally:
        child.send_signal(signal.SIGINT)
        await child.wait()


def family(up: int, named: Mapping[str, int]) -> dict[str, list[int]]:
    """Return every process below `referral up`, by the nearest named one above it; what belongs to none is `up` itself."""
    parents = weight.parents()
    names, found = {pid: name for name, pid in named.items()} | {up: "up"}, dict[str, list[int]]()
    for pid in parents:
        above = pid
        while above in parents and above not in names:
            above = parents[above]
        if above in names:
            found.setdefault(names[above], []).append(pid)
    return found


def _cpu(pids: list[int]) -> float:
    """Return the processor seconds of these processes, and of their children that have ended."""
    seconds = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            seconds += weight.cpu(pid, children=True)
    return seconds
