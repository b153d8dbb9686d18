"""Measure routing in 1, 2, 4 and 8 processes on the cores of this machine, beside a model, and say what the model expects of more cores.

The model has two bounds. A process decides no faster than one alone on idle cores, and the busiest one has ⌈12 ÷ n⌉ of the twelve
partitions. And all together use no more processor time than there is: that of routing, broker and PostgreSQL for one event, times events.
It knows nothing of what processes wait for from one another, so what is measured below it shows that.

    python -m bench.instances              on all cores of this machine
    python -m bench.instances --cores 1    on one of them, servers included
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.ground import ground, say
from bench.peers import measured, system
from bench.rows import Row, show
from referral.wire import topics

INSTANCES = (1, 2, 4, 8)
ELSEWHERE = 8
"""Cores of a machine that is not here."""
CASES = 3000
"""Cases of one run, 14 inputs each: half of it is measured, after the processes have divided the partitions."""
WARM = 0.5


class Run(NamedTuple):
    """One run. pace: events in and out per second. process, broker, postgres: µs of processor time for an event."""

    instances: int
    pace: float
    process: float
    broker: float
    postgres: float

    @property
    def micros(self) -> float:
        """Return the processor time of an event."""
        return self.process + self.broker + self.postgres


def model(alone: float, micros: float, instances: int, cores: int) -> float:
    """Return the events a second that so many processes may decide. alone: those of one. micros: of processor time for an event."""
    busiest = -(-topics.PARTITIONS // instances)
    return min(alone * topics.PARTITIONS / busiest, cores * 1e6 / micros)


async def measure(instances: Sequence[int]) -> list[Run]:
    """Return a run of each number of instances, all on one line. AssertionError: other events than foreseen."""
    runs = []
    with tempfile.TemporaryDirectory(prefix="bench-instances-") as folder:
        async with ground() as at, at.line("routing", instances=max(instances)) as made:
            await asyncio.gather(*(made[f"routing-{number + 1}"].stop() for number in range(max(instances))))
            for number in instances:
                of = await measured.load(at, made, CASES, number, Path(folder))
                await measured.publish(of)
                figures = await measured.full(of, system.Ours(of.made, number), WARM)
                runs.append(Run(number, *(figures[name] for name in Run._fields[1:])))
                say(f"{number}: " + " · ".join(f"{name} {value:,.4g}" for name, value in runs[-1]._asdict().items()))
    return runs


def rows(runs: Sequence[Run], cores: int) -> Iterator[Row]:
    """Yield each run beside the model, and the model of more cores. The first run is of one process."""
    one = runs[0]
    for run in runs:
        expected = model(one.pace, one.micros, run.instances, cores)
        yield Row(name=f"{run.instances} processes on {cores} cores", value=run.pace, unit="1/s", reference=expected, against="the model")
        yield Row(name="  processor time of an event", value=run.micros, unit="µs", reference=one.micros, against="one process")
    for number in INSTANCES if cores > 1 else ():  # on one core no process is alone
        expected = model(one.pace, one.micros, number, ELSEWHERE)
        yield Row(name=f"the model: {number} on {ELSEWHERE} cores", value=expected, unit="1/s", reference=one.pace, against="one process")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.instances", description=__doc__)
    here = len(os.sched_getaffinity(0))
    parser.add_argument("--cores", type=int, choices=range(1, here + 1), default=here, help="cores of this machine to run on")
    cores = parser.parse_args().cores
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    show(rows(asyncio.run(measure(INSTANCES)), cores))


if __name__ == "__main__":
    main()
