"""Compare routing with that of another commit, in alternated pairs: `python -m bench.pairs COMMIT`.

Each side keeps a line of its own; only the one that is measured runs. On a busy machine trust the processor time and the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench import latency
from bench.ground import say
from bench.pairs import side
from bench.rows import Row, show
from referral.runtime.settings import CHECKOUT

NAMES = {
    "full": {
        "pace": ("events in and out", "1/s"),
        "process": ("processor time of routing for an event", "µs"),
        "postgres": ("processor time of PostgreSQL for an event", "µs"),
        "broker": ("processor time of the broker for an event", "µs"),
    },
    "steady": {
        "p50": ("record in to decisions out, p50", "ms"),
        "p99": ("record in to decisions out, p99", "ms"),
        "process": ("processor time of routing for a record", "ms"),
        "postgres": ("processor time of PostgreSQL for a record", "ms"),
        "broker": ("processor time of the broker for a record", "ms"),
    },
}
"""Measure of `bench.pairs.side` → its figures, for the table."""


class Side:
    """A checkout that measures itself in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def figures(self, what: str = "", *numbers: int) -> side.Figures:
        """Return what one run measures; without arguments, wait until the line is there. RuntimeError: the run failed.

        numbers: cases, seed, records a second.
        """
        assert self._process.stdin and self._process.stdout
        if what:
            self._process.stdin.write(f"{what} {' '.join(map(str, numbers))}\n".encode())
        while line := (await self._process.stdout.readline()).decode():
            if line.startswith("FIGURES "):
                found: side.Figures = json.loads(line.removeprefix("FIGURES "))
                return found
        raise RuntimeError("a side ended; its error is above")


@asynccontextmanager
async def standing(checkout: Path) -> AsyncIterator[Side]:
    """Let a checkout stand ready, on servers of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", side.__file__),
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        one = Side(process)
        await one.figures()
        yield one
    finally:
        if process.stdin:
            process.stdin.close()
        await process.wait()


@asynccontextmanager
async def _tree(commit: str, folder: Path) -> AsyncIterator[Path]:
    """Check a commit out for the block."""
    git = ("git", "-C", str(CHECKOUT), "worktree")
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


async def compare(commit: str, what: str, pairs: int, cases: int, rate: int) -> list[Row]:
    """Measure both sides so many times, each side first in every second pair."""
    ours, theirs = list[side.Figures](), list[side.Figures]()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with _tree(commit, Path(folder) / "before") as before, standing(before) as old, standing(CHECKOUT) as new:
            for seed in range(pairs):
                for one, into in [(old, theirs), (new, ours)][:: -1 if seed % 2 else 1]:
                    into.append(await one.figures(what, cases, seed, rate))
                found = " · ".join(f"{name} {theirs[-1][name]:,.4g} → {ours[-1][name]:,.4g}" for name in NAMES[what])
                say(f"pair {seed + 1}, load average {os.getloadavg()[0]:.1f}: {found}")
    return [_row(name, unit, [o[key] for o in ours], [t[key] for t in theirs]) for key, (name, unit) in NAMES[what].items()]


def _row(name: str, unit: str, ours: list[float], theirs: list[float]) -> Row:
    """Return the medians of a figure; the ratios of the pairs say how far they can be trusted."""
    ratios = sorted(o / t for o, t in zip(ours, theirs, strict=True) if t)
    against = f"pairs: {statistics.median(ratios):.3f} ({ratios[0]:.3f}–{ratios[-1]:.3f})" if ratios else ""
    return Row(name=name, value=statistics.median(ours), unit=unit, reference=statistics.median(theirs), against=against)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.pairs", description=__doc__)
    parser.add_argument("commit", help="what this checkout is compared with")
    parser.add_argument("--what", choices=NAMES, default="full", help="a full log that is decided, or records at a steady rate")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cases", type=int, help="cases of one run: 1000 of a full log, 400 records at a steady rate")
    parser.add_argument("--rate", type=int, default=latency.RATE, help="records a second; where it is low, each is a batch of its own")
    asked = parser.parse_args()
    cases = asked.cases or {"full": 1000, "steady": 400}[asked.what]
    show(asyncio.run(compare(asked.commit, asked.what, asked.pairs, cases, asked.rate)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
