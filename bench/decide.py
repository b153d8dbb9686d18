"""Measure `decide` alone: one input, in one thread, without I/O, codec or the fold that routing does afterwards.

Two mixes. The caseload is a made-up year of every procedure, as `referral policy simulate` makes it (its proportions, answers,
silences and full houses), every fourth input of it: the service's real load. The stories are the specification itself, every
line of tests/stories/told once: the rare and costly things side by side. Nothing is random, so two runs do the same work. The figure
adds up the fastest of many rounds for every input: the machine's capability, even while others use it.

    python -m bench.decide            the figures, the year by procedure and by kind of input, and the costliest lines of stories
    python -m bench.decide 20         twenty rounds of the year and nothing else, for a profiler: microseconds of one decision
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, NamedTuple

import yaml
from msgspec.structs import replace

from bench.rows import Row, at_least
from referral.analysis.simulation import world as simulate
from referral.analysis.simulation.caseload import a_year, worlds
from referral.domain.case import Case
from referral.domain.decide import decide
from referral.domain.events import Facts
from referral.domain.inputs import Input
from referral.domain.policy import Policy
from tests.stories.saved import TOLD
from tests.stories.teller import policy, world

WANTED = 30_000
"""Decisions a second on one core (DESIGN §12)."""
ROUNDS = 25
EVERY = 4
"""Interval of the inputs that are kept from the year, so that a round takes under a second."""


UNLIKE_LIFE = ("repeat", "policy", "engine-fails")
"""Stories with such lines show limits, other policies and failures."""


class DecideCall(NamedTuple):
    """The arguments of one `decide` call. kind, of: keys of the breakdown. said: number of resulting events."""

    name: str
    kind: str
    of: str
    given: tuple[Case | None, Input, Facts, Policy]
    said: int


def stories() -> list[DecideCall]:
    """Return every line of every story."""
    rules, found = policy(), []
    for path in TOLD:
        story = yaml.safe_load(path.read_text("utf-8"))
        if any(item["do"].startswith(UNLIKE_LIFE) for item in story["told"]):
            continue
        made = world(story, path.parent, rules)
        for item in story["told"]:
            before = len(made.log)
            made.tell(item["do"])
            for c, cause, facts, said in made.log[before:]:
                found.append(
                    DecideCall(f"{path.stem}: {item['do']}", _kind(cause.body), path.stem, (c, cause, facts, made.policy), len(said))
                )
    return found


def caseload() -> list[DecideCall]:
    """Return every fourth input of one made-up year."""
    rules, found = policy(), []
    (year,) = worlds(rules, a_year(rules), seed=1, year=2026)
    world, count, decided = simulate.World(year, rules), 0, simulate.decided  # type: ignore[attr-defined]

    def keeping(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> Any:
        nonlocal count
        told = decided(case, cause, facts, policy)
        count += 1
        if count % EVERY == 0:
            of = told.case.tracks[0].pathway if told.case.tracks else "none"
            found.append(
                DecideCall("", _kind(cause.body), of, (case, cause, replace(facts, free=dict(facts.free)), policy), len(told.events))
            )
        return told

    simulate.decided = keeping  # type: ignore[attr-defined]
    try:
        while world.next_at is not None:
            world.step()
    finally:
        simulate.decided = decided  # type: ignore[attr-defined]
    return found


def _kind(body: Any) -> str:
    word = getattr(body, "word", None)
    return str(word.value) if isinstance(word, Enum) else type(body).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Disable the garbage collector, which would charge one decision for the garbage of the whole process."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def fastest(asked: list[DecideCall], rounds: int = ROUNDS) -> list[float]:
    """Return the seconds of each call at best."""
    best, clock = [float("inf")] * len(asked), time.perf_counter
    with quiet():
        for _ in range(rounds):
            for number, one in enumerate(asked):
                given = one.given
                start = clock()
                decide(*given)
                spent = clock() - start
                if spent < best[number]:
                    best[number] = spent
    return best


def figures() -> Iterable[Row]:
    """Measure the row of DESIGN §12, and the same for the stories."""
    year, told = fastest(caseload()), fastest(stories())
    value = len(year) / sum(year)
    yield at_least("decide alone, a made-up year of all procedures", value, "decisions/s/core", WANTED)
    yield beside("decide, rare and costly", len(told) / sum(told), "every line of every story")


def beside(name: str, value: float, against: str) -> Row:
    """Return the same figure of another mix, for which nothing is promised."""
    return Row(name=f"{name}: {against}", value=value, unit="decisions/s/core", reference=WANTED, against="promised of a year")


def _table(asked: list[DecideCall], spent: list[float], by: str) -> None:
    sums: dict[str, list[float]] = {}
    for one, cost in zip(asked, spent, strict=True):
        found = sums.setdefault(getattr(one, by), [0, 0, 0])
        found[0], found[1], found[2] = found[0] + 1, found[1] + cost, found[2] + one.said
    for name, (count, cost, said) in sorted(sums.items(), key=lambda item: -item[1][1]):
        share, each = 100 * cost / sum(spent), 1e6 * cost / count
        print(f"  {name:24} {count:7.0f} inputs {share:5.1f} % of the time {each:7.1f} µs {said / count:5.2f} events each")


def main(words: list[str]) -> None:
    for name, asked in (("a made-up year of all procedures", caseload()), ("every line of every story", [] if words else stories())):
        if not asked:
            continue
        spent = fastest(asked, int(words[0]) if words else ROUNDS)
        each, events = sum(spent) / len(asked), sum(one.said for one in asked)
        print(
            f"{name}: {1 / each:,.0f} decisions/s/core, {events / len(asked):.2f} events each, {1e6 * each:.1f} µs each; wanted {WANTED:,}"
        )
        if words:
            continue
        if not asked[0].name:
            _table(asked, spent, "of")
            _table(asked, spent, "kind")
        else:
            for cost, one in sorted(zip(spent, asked, strict=True), key=lambda item: -item[0])[:12]:
                print(f"  {1e6 * cost:8.1f} µs {one.said:3} events  {one.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
