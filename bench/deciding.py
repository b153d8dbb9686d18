"""Measure `decide` without servers, sealing or folding: on a made-up year, on every line of every story, and on the way of whole cases."""

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
    """Measure decisions per second of one core's time, without the collector. Whole cases open most offers, so they cost most."""
    rules = policy(CHECKOUT / "policy")
    planned = plan(rules, CASES, time.time_ns() // 1000, 7)
    say(f"deciding a made-up year, every line of every story, and {len(planned.asked)} inputs of {CASES} cases")
    for row in decide.figures():
        yield row
    spent = decide.fastest([decide.DecideCall("", "", "", (*one, rules), 0) for one in planned.asked], ROUNDS)
    made = len(planned.types) / len(planned.asked)
    yield decide.beside(f"decide, {made:.1f} events each", len(spent) / sum(spent), "the way of whole cases")
