"""Place the steps of a procedure in its picture: in rows, each step below every step that it waits for. Pure arithmetic, no library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from referral.domain.policy.procedure import Pathway

SWEEPS = 12
"""Rounds that move each step to the middle of its neighbours; after eight, no step of our procedures moves any more."""
GAP, BEND = 34.0, 22.0
"""Pixels between two boxes, and the width that a line needs to pass through a row."""


class Edge(NamedTuple):
    """`target` waits for a word of `source`. how: after, at-once or when."""

    source: str
    target: str
    word: str
    how: str


class Spot(NamedTuple):
    """A step; or, with `edge` (a line's number), the point where that line passes a row, and `step` then names the row."""

    step: str
    edge: int = -1


def edges(pathway: Pathway) -> tuple[Edge, ...]:
    """Return each dependency once; a step that depends on itself has no line."""
    found: dict[Edge, None] = {}
    for step in pathway.asking:
        groups = (("after", sorted(step.after)), ("at-once", sorted(step.at_once)), ("when", sorted(m for g in step.when for m in g)))
        for how, marks in groups:
            for mark in marks:
                source, _, word = mark.partition(".")
                if "=" not in mark and source != step.id:
                    found[Edge(source, step.id, word, how)] = None
    return tuple(found)


def rows(pathway: Pathway, lines: Sequence[Edge]) -> dict[str, int]:
    """Return the row of each step. A line that would close a circle upwards does not count."""
    below: dict[str, set[str]] = {step.id: set() for step in pathway.asking}
    for edge in sorted(lines, key=lambda edge: ("after", "at-once", "when").index(edge.how)):
        if not _reaches(below, edge.target, edge.source):
            below[edge.source].add(edge.target)
    found: dict[str, int] = dict.fromkeys(below, 0)
    for _ in below:
        for source, targets in below.items():
            for target in targets:
                found[target] = max(found[target], found[source] + 1)
    return found


def _reaches(below: Mapping[str, Iterable[str]], start: str, goal: str) -> bool:
    seen, left = set(), [start]
    while left:
        if (one := left.pop()) == goal:
            return True
        if one not in seen:
            seen.add(one)
            left += below[one]
    return False


def arrange(pathway: Pathway, lines: Sequence[Edge], width: float) -> tuple[list[list[Spot]], dict[Spot, float]]:
    """Return the spots of every row from left to right, and the middle of each, in pixels from 0.

    Steps without lines get rows at the bottom.
    """
    row = rows(pathway, lines)
    linked = {id for edge in lines for id in (edge.source, edge.target)}
    table: list[list[Spot]] = [[] for _ in range(max(row.values(), default=0) + 1)]
    for step in pathway.asking:
        if step.id in linked:
            table[row[step.id]].append(Spot(step.id))
    beside: dict[Spot, list[Spot]] = {spot: [] for line in table for spot in line}
    for number, edge in enumerate(lines):
        if row[edge.target] <= row[edge.source]:
            continue
        chain = [Spot(edge.source), Spot(edge.target)]
        for level in range(row[edge.source] + 1, row[edge.target]):
            passing = Spot(f"~{level}", number)
            table[level].append(passing)
            beside[passing] = []
            chain.insert(-1, passing)
        for upper, lower in pairwise(chain):
            beside[upper].append(lower)
            beside[lower].append(upper)
    at = _settle(table, beside, width)
    alone = [Spot(step.id) for step in pathway.asking if step.id not in linked]
    room = max(int(max(at.values(), default=0) // (width + GAP)) + 1, 4)
    for first in range(0, len(alone), room):
        table.append(alone[first : first + room])
        at |= {spot: (n + 0.5) * (width + GAP) for n, spot in enumerate(table[-1])}
    return [line for line in table if line], at


def _settle(table: list[list[Spot]], beside: Mapping[Spot, list[Spot]], width: float) -> dict[Spot, float]:
    """Move every spot towards the middle of those above and below it, row after row, without overlaps; the order follows."""
    at: dict[Spot, float] = {}
    for line in table:
        _spread(line, {spot: n * (width + GAP) for n, spot in enumerate(line)}, at, width)
    for sweep in range(SWEEPS):
        for line in table if sweep % 2 == 0 else reversed(table):
            wish = {spot: sum(at[other] for other in beside[spot]) / len(beside[spot]) if beside[spot] else at[spot] for spot in line}
            line.sort(key=lambda spot: wish[spot])
            _spread(line, wish, at, width)
    least = min((at[spot] - _half(spot, width) for spot in at), default=0.0)
    return {spot: x - least for spot, x in at.items()}


def _half(spot: Spot, width: float) -> float:
    return (BEND if spot.edge >= 0 else width + GAP) / 2


def _spread(line: list[Spot], wish: Mapping[Spot, float], at: dict[Spot, float], width: float) -> None:
    """Place the spots nearest to their wishes without overlaps: neighbours that touch become one block in the middle of its wishes."""
    blocks: list[tuple[list[Spot], float]] = []
    for spot in line:
        block, middle = [spot], wish[spot]
        while blocks and _end(blocks[-1], width) > middle - _length(block, width) / 2:
            before, was = blocks.pop()
            middle = (was * len(before) + middle * len(block)) / (len(before) + len(block))
            block = before + block
        blocks.append((block, middle))
    for block, middle in blocks:
        x = middle - _length(block, width) / 2
        for spot in block:
            at[spot] = x + _half(spot, width)
            x += 2 * _half(spot, width)


def _length(block: Iterable[Spot], width: float) -> float:
    return sum(2 * _half(spot, width) for spot in block)


def _end(placed: tuple[list[Spot], float], width: float) -> float:
    return placed[1] + _length(placed[0], width) / 2
