"""Honest instances of routing that decide at the same time are never accused, whatever their clock and their broker do."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from referral.proof.verify.facts import Decided, Sweep
from referral.proof.verify.report import Report
from services.routing.capacity import FreePlaces

SECOND = 1_000_000
PLACES = {"linden": 1, "bridge": 3, "moon": 2}
LONGEST = 45
"""Seconds of a turn, as in runtime/loop/tenure.STALL: a longer one commits nothing."""


class Turn:
    """A batch of one instance: begun at `begin`, reads the places at `look`, commits at `commit` (µs of a true clock)."""

    def __init__(self, dice: random.Random, begin: int, partitions: list[int]) -> None:
        slow = dice.random() < 0.05
        self.begin = begin
        self.look = begin + int(dice.uniform(0, 20 * SECOND if slow else SECOND // 10))
        self.commit = self.look + int(dice.uniform(0, (LONGEST - 21) * SECOND if slow else SECOND))
        self.cases = dice.choices(partitions, k=dice.randint(1, 4))
        self.seed = dice.random()


class Line:
    """Two instances, eight partitions, one table of places.

    jumps: number of times at which the drill's clock is moved on by a day. backs: at which the database's clock is set back by 25 s.
    """

    def __init__(self, seed: int, jumps: int = 0, backs: int = 0) -> None:
        self.dice, self.held, self.kept = random.Random(seed), Counter[str](), Counter[tuple[int, str]]()
        self.decided, self.offsets, self.came = list[Decided](), Counter[int](), Counter[int]()
        self.jumps = [self.dice.uniform(0, 3600 * SECOND) for _ in range(jumps)]
        self.backs = [self.dice.uniform(0, 3600 * SECOND) for _ in range(backs)]

    def clock(self, true: int) -> int:
        moved = 86_400 * sum(jump <= true for jump in self.jumps) - 25 * sum(back <= true for back in self.backs)
        return true + moved * SECOND

    def run(self) -> list[Decided]:
        waiting: list[tuple[int, int, str, Turn, Any]] = []
        for owner in range(2):
            begin = 0
            while begin < 3600 * SECOND:
                turn = Turn(self.dice, begin, list(range(4 * owner, 4 * owner + 4)))
                waiting += [(turn.look, len(waiting), "look", turn, None), (turn.commit, len(waiting) + 1, "commit", turn, None)]
                begin = turn.commit + int(self.dice.uniform(0, 30 * SECOND))
        heapq.heapify(waiting)
        looked: dict[Turn, Any] = {}
        while waiting:
            _, _, what, turn, _ = heapq.heappop(waiting)
            if what == "look":
                looked[turn] = self._decide(turn)
                continue
            said, moved = looked.pop(turn)
            if any(self.held[one] + change > PLACES[one] for one, change in moved.items() if change > 0):
                said, moved = self._decide(turn)  # with every row locked
            self._commit(turn, said, moved)
        return sorted(self.decided, key=Decided.order)

    def _decide(self, turn: Turn) -> tuple[list[tuple[int, dict[str, int], dict[str, int]]], dict[str, int]]:
        dice, said, own = random.Random(turn.seed), [], Counter[tuple[int, str]]()
        places = FreePlaces(free={one: most - self.held[one] for one, most in PLACES.items()})
        for partition in turn.cases:
            free, service = places.seen(PLACES), dice.choice([*PLACES])
            if free[service] and dice.random() < 0.6:
                change = {service: 1}
            else:
                change = {service: -1} if self.kept[partition, service] + own[partition, service] > 0 else {}
            for one, by in change.items():
                own[partition, one] += by
                places.free[one] -= by
                places.moved[one] = places.moved.get(one, 0) + by
            said.append((partition, free, change))
        return said, places.moved

    def _commit(self, turn: Turn, said: list[tuple[int, dict[str, int], dict[str, int]]], moved: dict[str, int]) -> None:
        self.held.update(moved)
        late = (30 if self.jumps else 600) * SECOND if self.dice.random() < 0.02 else 5 * SECOND
        for partition, free, change in said:
            for service, by in change.items():
                self.kept[partition, service] += by
            self.offsets[partition] += 1
            self.came[partition] = max(self.came[partition], turn.commit + int(self.dice.uniform(0, late)))
            self.decided.append(
                Decided(
                    at=self.clock(turn.begin),
                    partition=partition,
                    offset=self.offsets[partition],
                    idx=len(self.decided),
                    came=self.came[partition],
                    case_id="case",
                    case_seq=1,
                    type="offer-opened.v1",
                    bundle=1,
                    free=free,
                    moved=change,
                )
            )


def found(decided: list[Decided], drill: bool) -> Report:
    """Sweep over a log with one policy."""
    rules = SimpleNamespace(capacities=lambda: PLACES)
    bundles = SimpleNamespace(activated={1: None}, published=[0], begun=[0], policy=lambda number: rules)
    sweep = Sweep(report=Report(), bundles=bundles, drill=drill)  # type: ignore[arg-type]
    for one in decided:
        sweep.take(one)
    sweep.finish()
    return sweep.report


@pytest.mark.parametrize(("jumps", "backs"), [(0, 0), (40, 0), (0, 30)])
def test_instances_that_decide_at_the_same_time_are_not_accused(jumps: int, backs: int) -> None:
    doubted = 0
    for seed in range(20):
        decided = Line(seed, jumps, backs).run()
        held, simple = Counter[str](), 0
        for one in decided:  # a reader that believes in one order of all decisions
            simple += any(free != max(0, PLACES[service] - held[service]) for service, free in one.free.items())
            held.update(one.moved)
        doubted += simple
        assert not found(decided, drill=bool(jumps)).findings, f"seed {seed}"
    assert doubted > 50, "the races are there"


def test_a_lie_is_found_beside_the_races() -> None:
    told = 0
    for seed in range(20):
        decided = Line(seed).run()
        place = len(decided) // 2
        lie = {**decided[place].free, "bridge": 3 - decided[place].free["bridge"]}
        decided[place] = structs.replace(decided[place], free=lie)
        report = found(decided, drill=False)
        assert {one.idx for one in report.findings} <= {decided[place].idx}
        told += bool(report.findings)
    assert told > 5, "where nobody moves a place for a minute"
