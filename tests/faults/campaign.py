"""A number of kills under load, and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from referral.cli import cast, up
from referral.local.wish import Wish
from tests.faults.kill import Done, plan, strike
from tests.faults.load import Load
from tests.faults.verdict import Verdict, judge


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


async def run(data: Path, seed: int, kills: int, told: Callable[[str], None] = lambda _: None) -> Campaign:
    """Two instances of each service under load; kills until so many have hit, then the verdict."""
    begun, draw, done = time.monotonic(), random.Random(seed), list[Done]()
    async with up.running(Wish(data=data, instances=2), told=told) as stack:
        load = Load(lambda: [stack.url("intake", 1), stack.url("intake", 2)], cast.load(data), seed)
        running = asyncio.create_task(load.run())
        try:
            for kill in plan(seed, kills * 2):  # some hit nothing
                await asyncio.sleep(draw.uniform(0.2, 1.5))
                done.append(await strike(stack, kill, draw))
                hits = sum(d.hit for d in done)
                result = "hit" if done[-1].hit else "nothing to hit"
                told(f"{hits:>4} of {kills}: {kill.how:>9} {done[-1].victim:<11} {result}; {load.done} taken")
                if hits >= kills or running.done():
                    break
            load.end()
            await running
            verdict = await judge(stack, load)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    return Campaign(seed, done, verdict, time.monotonic() - begun)


def table(campaign: Campaign) -> list[tuple[str, str, int, str]]:
    """Rows (victim, how, hits, slowest return) for people."""
    groups: dict[tuple[str, str], list[Done]] = defaultdict(list)
    for done in campaign.done:
        if done.hit:
            groups[(done.kill.target, done.kill.how)].append(done)
    return [(target, how, len(hits), f"{max(d.back_s for d in hits):.1f} s") for (target, how), hits in sorted(groups.items())]
