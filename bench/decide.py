"""`decide` alone: one input through the heart, in one thread, without I/O, codec or the fold that routing does afterwards.

The mix is the specification itself: every line of every story in tests/stories/told, once each, in order. So calm answers stand
beside joint seats, full shelters, silence, desks, exclusions and answers that cannot count; one decision yields 3.5 events on
average and the busiest fourteen. Nothing is random, so two runs do the same work. The figure counts for every line the fastest of many
rounds and adds them up: what the machine can do, also while others use it.

    python -m bench.decide            the figure, then the costliest inputs
    python -m bench.decide 20         twenty rounds and nothing else, for a profiler: microseconds of one decision
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from bench.rows import Row
from referral.domain.case import Case
from referral.domain.decide import decide
from referral.domain.events import Facts
from referral.domain.policy import Policy
from referral.domain.record import Input
from tests.stories.teller import World, policy
from tests.stories.test_stories import TOLD

WANTED = 30_000
"""Decisions a second on one core (DESIGN §12)."""
ROUNDS = 40
Asked = tuple[Case | None, Input, Facts, Policy]


def mix() -> list[tuple[str, Asked, int]]:
    """Every line of every story: what it says, what `decide` gets for it, and how many events follow."""
    rules, found = policy(), []
    for path in TOLD:
        story = yaml.safe_load(path.read_text("utf-8"))
        world = World(rules, story.get("taken"))
        for item in story["told"]:
            before = len(world.log)
            world.tell(item["do"])
            found += [(f"{path.stem}: {item['do']}", (c, cause, facts, rules), len(said)) for c, cause, facts, said in world.log[before:]]
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Without the collector, which would charge one decision for the garbage of the whole process."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def fastest(asked: list[Asked], rounds: int = ROUNDS) -> list[float]:
    """Seconds that each of them took at best."""
    best, clock = [float("inf")] * len(asked), time.perf_counter
    with quiet():
        for _ in range(rounds):
            for number, one in enumerate(asked):
                start = clock()
                decide(*one)
                best[number] = min(best[number], clock() - start)
    return best


def figure() -> Row:
    """The row of DESIGN §12: decisions a second."""
    asked = [one for _, one, _ in mix()]
    value = len(asked) / sum(fastest(asked))
    return Row(
        name="decide alone",
        value=value,
        unit="decisions/s/core",
        reference=WANTED,
        against="every line of every story",
        wanted=f">= {WANTED:,}",
        reached=value >= WANTED,
    )


def main(words: list[str]) -> None:
    told = mix()
    spent = fastest([one for _, one, _ in told], int(words[0]) if words else ROUNDS)
    each, events = sum(spent) / len(told), sum(said for *_, said in told)
    print(f"{1 / each:,.0f} decisions/s/core, {events / len(told):.2f} events each, {1e6 * each:.1f} µs each; wanted {WANTED:,}")
    if not words:
        for cost, (name, _, said) in sorted(zip(spent, told, strict=True), key=lambda item: -item[0])[:12]:
            print(f"{1e6 * cost:8.1f} µs {said:3} events  {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
