"""Measure `referral policy check` without its printing: seconds for the whole country, and the growth of that time.

It grows with procedures, municipalities and failing agencies. What a procedure cannot distinguish is checked once, so it grows by far less
than their product.

    python -m bench.check                     the figures
    python -m bench.check 2 trafficking-child with so many failures, for some procedures
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator

from bench.rows import Row, at_most
from referral.analysis.reachability.run import CheckOptions, Result, families, run
from referral.domain.policy import compile
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

SINGLES_S, PAIRS_S = 60, 600
"""Limits for the whole country with any one failing agency, and with any two in trafficking (issue 4)."""
PROCEDURES = (1, 3, 7)
MUNICIPALITIES = (1, 10, 30)


def measure(*, depth: int = 1, deep: bool = False, pathways: tuple[str, ...] = (), places: tuple[str, ...] = ()) -> tuple[float, Result]:
    """Return the seconds on all cores, including the reading of the files, and the result."""
    began = time.perf_counter()
    files = policy_digest.read(CHECKOUT / "policy")
    policy = compile(files)
    options = CheckOptions(files=files, depth=depth, deep=deep, pathways=pathways, places=places)
    result = run(policy, options, families(policy, options), os.cpu_count() or 1, lambda done: None)
    assert not result.found, "the policy of the checkout is wrong; ask `referral policy check`"
    return time.perf_counter() - began, result


async def figures() -> AsyncIterator[Row]:
    """Measure the two promises, then growth: each size beside the one before it."""
    policy = compile(policy_digest.read(CHECKOUT / "policy"))
    whole, result = measure()
    yield at_most(f"check, any one agency fails, {_size(result)}", whole, "s", SINGLES_S)
    pairs, result = measure(deep=True)
    yield at_most(f"check --deep, any two in trafficking, {_size(result)}", pairs, "s", PAIRS_S)
    calm, result = measure(depth=0)
    yield Row(name=f"check, nobody fails, {_size(result)}", value=calm, unit="s", reference=whole, against="any one fails")
    sizes: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
        (f"{n} procedures", tuple(p.id for p in policy.current[:n]), ()) for n in PROCEDURES
    ]
    sizes += [(f"{n} municipalities", (), tuple(sorted(policy.municipalities)[:n])) for n in MUNICIPALITIES]
    before: dict[str, tuple[str, float]] = {}
    for name, pathways, places in sizes:
        all_of_it = len(pathways) == len(policy.current) or len(places) == len(policy.municipalities)
        seconds = whole if all_of_it else measure(pathways=pathways, places=places)[0]
        against, reference = before.get(name.split()[1], ("", None))
        yield Row(name=f"check, {name}", value=seconds, unit="s", reference=reference, against=against)
        before[name.split()[1]] = (name, seconds)


def _size(result: Result) -> str:
    tally = result.tally
    return f"{tally.kinds:,} kinds of cases, {tally.walked:,} of {tally.ways:,} ways walked, {tally.decisions:,} decisions"


async def _print() -> None:
    async for row in figures():
        print(f"{row.name}: {row.value:.1f} {row.unit}", flush=True)


def main(words: list[str]) -> None:
    if words:
        seconds, result = measure(depth=int(words[0]), pathways=tuple(words[1:]))
        print(f"{_size(result)}, {len(result.found)} wrong: {seconds:.1f} s")
        return
    asyncio.run(_print())


if __name__ == "__main__":
    main(sys.argv[1:])
