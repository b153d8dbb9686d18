"""`decide` alone: the heart without servers, sealing or folding; once on every line of every story, once on the way of whole cases."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from bench import decide
from bench.ground import say
from bench.plan import plan, policy
from bench.rows import Row
from referral.runtime.settings import CHECKOUT

CASES = 400
ROUNDS = 5


async def alone() -> AsyncIterator[Row]:
    """Decisions per second of one core's time, without the collector. The way of whole cases opens most offers, so it costs most."""
    rules = policy(CHECKOUT / "policy")
    planned = plan(rules, CASES, time.time_ns() // 1000, 7)
    say(f"deciding every line of every story, and {len(planned.asked)} inputs of {CASES} cases")
    yield decide.figure()
    value = len(planned.asked) / sum(decide.fastest([(*one, rules) for one in planned.asked], ROUNDS))
    made = len(planned.types) / len(planned.asked)
    yield Row(
        name=f"decide alone, {made:.1f} events each",
        value=value,
        unit="decisions/s/core",
        reference=decide.WANTED,
        against="the way of whole cases",
        wanted=f">= {decide.WANTED:,}",
        reached=value >= decide.WANTED,
    )
