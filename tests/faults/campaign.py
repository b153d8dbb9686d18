"""A number of kills under load, and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from referral.cli.stack import up
from referral.local.config import StackConfig
from referral.local.stack import Stack
from tests.faults.kill import SERVERS, Done, Kill, plan, strike, works
from tests.faults.load import Load
from tests.faults.verdict import Verdict, judge

AT_ONCE = 4
"""Victims that may be down at the same moment."""
LONGEST_MIN = 50.0
"""Then the killing ends, whatever has been hit: `make faults` promises an hour."""
WORK = 30
"""Things that must have been acknowledged since a server came back, before it is killed again."""


@dataclass(frozen=True)
class Campaign:
    """All that a run of kills showed."""

    seed: int
    done: list[Done]
    verdict: Verdict
    seconds: float

    @property
    def hits(self) -> int:
        return sum(done.hit for done in self.done)

    @property
    def injected(self) -> int:
        return sum(done.hit and done.kill.how != "SIGKILL" for done in self.done)


async def run(
    data: Path, seed: int, kills: int, told: Callable[[str], None] = lambda _: None, *, injected: int = 0, minutes: float = LONGEST_MIN
) -> Campaign:
    """Two instances of each service under load; kills until so many (and so many of them injected) have hit, then the verdict."""
    async with up.running(StackConfig(data=data, instances=2), told=told) as stack:
        return await on(stack, seed, kills, told, injected=injected, minutes=minutes)


async def on(
    stack: Stack, seed: int, kills: int, told: Callable[[str], None] = lambda _: None, *, injected: int = 0, minutes: float = LONGEST_MIN
) -> Campaign:
    """The same on a stack that runs."""
    begun = time.monotonic()
    load = Load(stack, seed, settings=stack.settings)
    running = asyncio.create_task(load.run())
    killing = Killing(stack, load, seed, kills, injected, minutes, told)
    try:
        await killing.run(running)
        load.end()
        await running
        told(f"{killing.hits} hits in {(time.monotonic() - begun) / 60:.1f} min; {load.done} taken; now the verdict")
        verdict = await judge(stack, load)
    finally:
        await _cancelled(running)
    return Campaign(seed, killing.done, verdict, time.monotonic() - begun)


@dataclass
class Killing:
    """Strikes the next victim that is at work, without waiting for the last one to be back."""

    stack: Stack
    load: Load
    seed: int
    kills: int
    injected: int
    minutes: float
    told: Callable[[str], None]
    done: list[Done] = field(default_factory=list)
    _busy: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _taken: dict[str, int] = field(default_factory=dict)

    @property
    def hits(self) -> int:
        return sum(done.hit for done in self.done)

    async def run(self, running: asyncio.Task[None]) -> None:
        """Until enough have hit, the load has failed, or the time is over."""
        draw, left, end = random.Random(self.seed), plan(self.seed, self.kills * 3), time.monotonic() + 60 * self.minutes
        try:
            while left and not self._enough() and not running.done() and time.monotonic() < end:
                await asyncio.sleep(draw.uniform(0.1, 1.0))
                if len(self._busy) < AT_ONCE and (found := await self._next(left, draw)):
                    kill, victim = found
                    self._busy[victim] = asyncio.create_task(self._strike(kill, victim, draw))
                for failed in [task for task in self._busy.values() if task.done()]:
                    failed.result()
            await asyncio.gather(*self._busy.values())
        finally:
            for task in self._busy.values():
                await _cancelled(task)

    def _enough(self) -> bool:
        """Those under way are counted as hits until they are known."""
        injected = sum(done.hit and done.kill.how != "SIGKILL" for done in self.done)
        return self.hits >= self.kills and injected >= self.injected

    async def _next(self, left: list[Kill], draw: random.Random) -> tuple[Kill, str] | None:
        """The first kill of the plan that has a victim at work; it is taken out of the plan."""
        for number, kill in enumerate(left[:12]):
            names = [kill.target] if kill.target in self.stack.processes else [p.name for p in self.stack.of(kill.target)]
            draw.shuffle(names)
            for name in names:
                ready = name not in self._busy and self.stack[name].state == "ready"
                ready &= name not in SERVERS or self._busy.keys().isdisjoint(SERVERS)
                if ready and self.load.done >= self._taken.get(name, 1) and await works(self.stack, name):
                    return left.pop(number), name
        return None

    async def _strike(self, kill: Kill, victim: str, draw: random.Random) -> None:
        try:
            done = await strike(self.stack, kill, victim, draw)
        finally:
            del self._busy[victim]
        self.done.append(done)
        self._taken[victim] = self.load.done + WORK if victim in SERVERS else 1
        result = f"hit, back in {done.back_s:.1f} s" if done.hit else "nothing to hit"
        self.told(f"{self.hits:>4} of {self.kills}: {kill.how:>9} {victim:<11} {result}; {self.load.done} taken")


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def table(campaign: Campaign) -> list[tuple[str, str, int, str]]:
    """Rows (victim, how, hits, slowest return) for people."""
    groups: dict[tuple[str, str], list[Done]] = defaultdict(list)
    for done in campaign.done:
        if done.hit:
            groups[(done.kill.target, done.kill.how)].append(done)
    return [(target, how, len(hits), f"{max(d.back_s for d in hits):.1f} s") for (target, how), hits in sorted(groups.items())]
