"""`decide` alone: the heart without servers, sealing or folding."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from bench.ground import say
from bench.plan import plan, policy
from bench.rows import Row, at_least
from referral.domain.decide import decide
from referral.runtime.settings import CHECKOUT

CASES = 400
ROUNDS = 5


async def alone() -> AsyncIterator[Row]:
    """Decisions per second of one core's time: the inputs of whole cases, each with the state that it met."""
    rules = policy(CHECKOUT / "policy")
    planned = plan(rules, CASES, time.time_ns() // 1000, 7)
    say(f"deciding {len(planned.asked)} inputs {ROUNDS} times")
    best = min(_round(planned.asked, rules) for _ in range(ROUNDS))
    made = len(planned.types) / len(planned.asked)
    yield at_least(f"decide alone ({made:.1f} events each)", len(planned.asked) / best, "1/s", 30_000)


def _round(asked: list, rules: object) -> float:  # type: ignore[type-arg]
    start = time.process_time()
    for case, cause, facts in asked:
        decide(case, cause, facts, rules)  # type: ignore[arg-type]
    return time.process_time() - start
