"""Measure our routing beside its peers on the same records: `python -m bench.peers` (`make peers`).

In each round every system decides the same load, one after another, in another order than in the round before; at the end the bare loop,
where it is asked for, produces the same bytes. Only figures of one round are divided by one another. A busy machine is refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import topic
from bench.bare import Said, bare
from bench.ground import Ground, ground, say
from bench.peers import measured, quiet, report
from bench.peers.measured import Load
from bench.peers.report import BARE, Run
from bench.peers.system import NAMES, OURS, PYTHON, TWICE, TWO
from bench.plan import LENGTH
from bench.routing import OUT
from referral.local.stack import Stack
from referral.wire import seal

WHATS = ("full", "steady", "half", "crash")
RATE = 50
"""Records a second of `steady` (DESIGN §12)."""
CASES, KILLED = 12_000, 1500
"""Cases of a full load and of one with a kill (ours), 14 inputs each: half a minute at 24,000 events a second, so that no start counts."""
EXIT_USAGE = 2
END = 12
"""Lines of a peer's log that a failed run shows."""


def orders(names: Sequence[str], rounds: int) -> list[list[str]]:
    """Return an order for each round: each begins with the next name, and every second one goes backwards."""
    turned = ([*names[n % len(names) :], *names[: n % len(names)]] for n in range(rounds))
    return [order[:: -1 if n % 2 else 1] for n, order in enumerate(turned)]


async def said(of: Load) -> Said:
    """Return the records that ours wrote for this load, by the position of the peers' copy of each input: the bare loop produces them."""
    settings = of.made.settings
    by_cause = topic.causes(await topic.read(settings, settings.topic(OUT)))
    out = {}
    for record in await topic.read(settings, of.source):
        event_id = seal.open(record.value).meta.event_id
        out[record.partition, record.offset] = [(o.partition, o.key, o.value, list(o.headers)) for o in by_cause.get(event_id, [])]
    return out


@dataclass
class Round:
    """One order of systems, on a line of its own. halves: inputs a second at half of our full load, of the rounds so far.
    bare: the bare loop is measured too."""

    at: Ground
    made: Stack
    number: int
    order: list[str]
    cases: int
    folder: Path
    halves: list[float]
    bare: bool

    async def runs(self, what: str) -> AsyncIterator[Run]:
        """Measure every system."""
        seed = 10 * self.number + WHATS.index(what)
        async for run in self._whole(what, seed) if what in ("full", "crash") else self._rates(what, seed):
            yield run

    async def _whole(self, what: str, seed: int) -> AsyncIterator[Run]:
        """Let each decide a load that is there before it starts."""
        cases = self.cases if what == "full" else min(self.cases, KILLED)
        of = await measured.load(self.at, self.made, cases, seed, self.folder)
        await measured.publish(of)
        for name in self.order:
            if what == "crash" and name == "fast_stream":
                continue  # it forgets every state
            mine = of
            if name == TWICE:  # our topic holds what the one process has decided already: the two get as many other records
                await measured.publish(mine := await measured.load(self.at, self.made, cases, seed + 5, self.folder))
            run = await _one(mine, what, self.number, name)
            if (what, name) == ("full", OURS[0]) and run.figures:
                self.halves.append(run.figures["pace"] * of.share / 2)
            yield run
        if what == "full" and self.bare and OURS[0] in self.order:
            yield await _one(of, what, self.number, BARE)

    async def _rates(self, what: str, seed: int) -> AsyncIterator[Run]:
        """Send each as many records a second."""
        rate = RATE if what == "steady" or not self.halves else statistics.median(self.halves)
        cases, length = (RATE * 10, 1) if what == "steady" else (max(50, int(rate * 5 / LENGTH)), LENGTH)
        for place, name in enumerate(self.order):
            of = await measured.load(self.at, self.made, cases, 1000 * (place + 1) + seed, self.folder, length)
            yield await _one(of, what, self.number, name, rate)


async def rounds(at: Ground, asked: argparse.Namespace, folder: Path) -> AsyncIterator[Run]:
    """Measure every system in every order."""
    halves = list[float]()
    for number, order in enumerate(orders([name for name in asked.only if name != BARE], asked.rounds)):
        say(f"round {number + 1}: {', '.join(order)}")
        async with at.line("routing", instances=2) as made:
            await asyncio.gather(made["routing-1"].stop(), made["routing-2"].stop())
            for what in asked.what:
                async for run in Round(at, made, number, order, asked.cases, folder, halves, BARE in asked.only).runs(what):
                    yield run


async def _one(of: Load, what: str, number: int, name: str, rate: float = 0.0) -> Run:
    """Measure once. What fails becomes a run without figures, and the others are measured all the same."""
    before = quiet.spent()
    try:
        if name == BARE:
            settings = of.made.settings
            figures = {"pace": await bare(settings, of.source, f"{of.made.config.prefix}sink", await said(of))}
        elif what == "full":
            figures = await measured.full(of, await of.system(name))
        elif what == "crash":
            figures = await measured.crash(of, name)
        else:
            figures = {**await measured.steady(of, name, rate), "rate": rate}
    except Exception:
        traceback.print_exc(limit=-3)
        for log in of.folder.glob(f"*{name.removesuffix(TWO).replace('_', '-')}-*.log"):
            print("\n".join(log.read_text(errors="replace").splitlines()[-END:]), file=sys.stderr)
        return Run(name=name, round=number, what=what, figures={})
    figures.setdefault("others", quiet.spent().others(before))
    say(f"{what}, {name}: " + " · ".join(f"{key} {value:,.4g}" for key, value in figures.items()))
    return Run(name=name, round=number, what=what, figures=figures)


async def measure(asked: argparse.Namespace) -> list[Run]:
    """Return every run."""
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        async with ground() as at:
            return [run async for run in rounds(at, asked, Path(folder))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.peers", description=__doc__)
    names = [*NAMES, BARE]
    parser.add_argument("--rounds", type=int, default=3, help="orders in which the systems take turns")
    parser.add_argument("--cases", type=int, default=CASES, help="cases of a full load, 14 inputs each")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--what", nargs="+", choices=WHATS, default=list(WHATS), help="full load, 50 a second, half load, a kill")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the comparison there (SVG)")
    parser.add_argument("--busy", action="store_true", help="measure on a busy machine too; the table says so")
    asked = parser.parse_args()
    if not PYTHON.exists():
        print("bench.peers: the peers' packages are not there; `make peers` installs them", file=sys.stderr)
        return EXIT_USAGE
    if (others := quiet.others()) > quiet.QUIET and not asked.busy:
        print(f"bench.peers: other programs take {others:.2f} cores, which spoils a comparison: close them, or say --busy", file=sys.stderr)
        return EXIT_USAGE
    runs = asyncio.run(measure(asked))
    report.show(runs)
    if asked.json:
        asked.json.write_text(json.dumps([run._asdict() for run in runs], indent=1) + "\n")
    if asked.chart:
        asked.chart.write_text(report.chart(runs))
    return 1 if any(not run.figures for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
