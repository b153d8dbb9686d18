"""Measure `referral policy simulate` without its printing: cases a second, inputs a case, and memory, which must not grow with the cases.

A case that another raised (a complaint) is a case too, with inputs of its own. Each size runs in a process of its own, so that the peak
of its memory is its own; the memory of one worker is the greatest of all processes.

    python -m bench.simulate                  1,000, 10,000 and 100,000 cases on all cores
    python -m bench.simulate 5000 --jobs 1    so many on one core
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator

from bench.rows import Row, at_least
from referral.analysis.simulation.run import SimulationOptions, run
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

SIZES = (1_000, 10_000, 100_000)
WANTED = 1_000
"""Cases a second (issue 4)."""
SEED, YEAR = 1, 2026


def measure(cases: int, jobs: int) -> dict[str, float]:
    """Measure one size in this process."""
    options = SimulationOptions(files=policy_digest.read(CHECKOUT / "policy"), other=None, cases=cases, seed=SEED, year=YEAR)
    began = time.perf_counter()
    result = run(options, jobs, lambda ended: None)
    seconds = time.perf_counter() - began
    tally = result.before
    everyone = tally.total("cases") + tally.total("raised")
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "cases": tally.total("cases"),
        "raised": tally.total("raised"),
        "seconds": seconds,
        "inputs": tally.total("decisions") / everyone,
        "inputs a second": tally.total("decisions") / seconds,
        "a second": everyone / seconds,
        "MB": max(peaks),
    }


async def figures() -> AsyncIterator[Row]:
    """Measure the cases a second on all cores, and the memory for ten times as many cases."""
    small, large = (_alone(size, os.cpu_count() or 1) for size in SIZES[:2])
    yield at_least(f"simulate, {large['inputs']:.1f} inputs a case", large["a second"], "cases/s", WANTED)
    yield Row(
        name="simulate, memory of a process for 10,000 cases",
        value=large["MB"],
        unit="MB",
        reference=small["MB"],
        against="for 1,000 cases",
        wanted="<= 1.25 of it",
        reached=large["MB"] <= 1.25 * small["MB"],
    )


def _alone(cases: int, jobs: int) -> dict[str, float]:
    """Measure one size in a process of its own."""
    call = [sys.executable, "-m", "bench.simulate", "--one", str(cases), "--jobs", str(jobs)]
    found: dict[str, float] = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    return found


def main(words: list[str]) -> None:
    jobs = os.cpu_count() or 1
    if "--jobs" in words:
        at = words.index("--jobs")
        jobs, words = int(words[at + 1]), words[:at] + words[at + 2 :]
    if words[:1] == ["--one"]:
        print(json.dumps(measure(int(words[1]), jobs)))
        return
    print(f"{jobs} processes; wanted {WANTED:,} cases/s and flat memory")
    for size in [int(word) for word in words] or SIZES:
        said = _alone(size, jobs)
        print(
            f"{said['cases']:>9,.0f} cases and {said['raised']:,.0f} raised: {said['seconds']:7.1f} s, {said['a second']:7,.0f} cases/s, "
            f"{said['inputs a second']:8,.0f} inputs/s, {said['inputs']:5.1f} inputs a case, peak of a process {said['MB']:6.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
