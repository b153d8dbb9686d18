"""Measure every figure of the design beside its reference, in one run: `python -m bench [--json FILE] [--only NAME …]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import timeit
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bench import (
    alarms,
    check,
    deciding,
    doors,
    failover,
    figures,
    idle,
    latency,
    logged,
    proof,
    public_door,
    readers,
    routing,
    signed,
    simulate,
    start,
    storm,
    verified,
    voice,
)
from bench.ground import Ground, ground, say
from bench.rows import Row, show, write

FIGURES: dict[str, Callable[[Ground], AsyncIterator[Row]]] = {
    "decide": lambda _: deciding.alone(),
    "simulate": lambda _: simulate.figures(),
    "check": lambda _: check.figures(),
    "proof": lambda _: proof.figures(),
    "verified": lambda _: verified.figures(),
    "signed": lambda _: signed.figures(),
    "log": logged.logged,
    "routing": routing.throughput,
    "flat": routing.flat,
    "latency": latency.latency,
    "takeover": latency.takeover,
    "outage": alarms.outage,
    "intake": doors.intake,
    "knock": doors.knock,
    "public-door": public_door.door,
    "voice": lambda _: voice.figures(),
    "storm": storm.storm,
    "failover": failover.failover,
    "oversight": figures.figures,
    "progress": readers.progress,
    "doctor": readers.doctor,
    "up": start.up,
    "commands": lambda _: start.commands(),
    "idle": idle.idle,
}


async def measure(names: list[str]) -> list[Row]:
    """Measure every requested figure. A figure that fails becomes a row marked as not reached, and the others are measured all the same."""
    rows: list[Row] = []
    before = loop_ns()
    async with ground() as at:
        for name in names:
            say(f"{name} (load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")
            try:
                async for row in FIGURES[name](at):
                    rows.append(row)
                    say(f"    {row.name}: {row.value:,.4g} {row.unit}")
            except Exception:
                traceback.print_exc()
                rows.append(Row(name=f"{name} could not be measured", value=0, unit="", reached=False))
    cores = f"on {os.cpu_count()} cores"
    rows.append(Row(name="the machine: load average at the end", value=os.getloadavg()[0], unit=cores))
    rows.append(Row(name="the machine: one turn of an empty loop", value=loop_ns(), unit="ns", reference=before, against="before the run"))
    return rows


def loop_ns() -> float:
    """Return the present speed of this core, neighbours included: compare figures of two runs only if this value agrees."""
    best = min(timeit.repeat("for n in many: pass", "many = range(100_000)", number=1, repeat=20))
    return best / 100_000 * 1e9


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--only", nargs="+", choices=sorted(FIGURES), metavar="NAME", help=f"of {', '.join(FIGURES)}")
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a background shell may ignore SIGINT; servers must be stopped in order
        signal.signal(number, signal.default_int_handler)
    rows = asyncio.run(measure(asked.only or list(FIGURES)))
    show(rows)
    if asked.json:
        write(rows, asked.json)
    return 1 if any(row.reached is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
