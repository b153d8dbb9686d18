"""Solve equations over non-negative whole numbers for the least and greatest value of a sum: HiGHS, through SciPy.

Systems that differ only in names are solved once: most of the hundred tables of a block are such.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

FAR = 10**6
"""Stands for no bound: there are fewer children."""
NEAR = 1e-6
"""Rounding error of HiGHS at a whole number."""
UNSOLVED = (FAR, FAR)
"""A single value: a sum that HiGHS gives up on counts as known to the attacker, so nothing is released that may reveal it."""
Sum = tuple[tuple[int, int], ...]
Row = tuple[Sum, int, int]


class System(Struct):
    """A system of equations.

    rows: sum of columns, lowest and highest value, whether it is only assumed. asks: name → the sum to bound.
    """

    columns: dict[str, int] = {}
    rows: list[tuple[Sum, int, int, bool]] = []
    asks: list[tuple[str, Sum]] = []

    def row(self, parts: Mapping[str, int], low: int | None, high: int | None, assumed: bool = False) -> None:
        """Add a known range of a sum. parts: column → its factor."""
        self.rows.append((self._sum(parts), -FAR if low is None else low, FAR if high is None else high, assumed))

    def ask(self, name: str, parts: Mapping[str, int]) -> None:
        """Request the bounds of a sum."""
        self.asks.append((name, self._sum(parts)))

    def _sum(self, parts: Mapping[str, int]) -> Sum:
        return tuple(sorted((self.columns.setdefault(name, len(self.columns)), factor) for name, factor in parts.items()))


def solve(system: System) -> tuple[list[tuple[str, int, int]], bool]:
    """Return each requested sum with its least and greatest value, and whether all assumptions fit the facts.

    If they do not fit, all assumptions are dropped; if the facts contradict one another, nothing is known.
    """
    asked = tuple(sums for _, sums in system.asks)
    width = len(system.columns)
    sure = True
    bounds = _solve(width, tuple(sorted({row[:3] for row in system.rows})), asked)
    if bounds is None:
        sure = False
        bounds = _solve(width, tuple(sorted({row[:3] for row in system.rows if not row[3]})), asked)
    return [(name, low, high) for (name, _), (low, high) in zip(system.asks, bounds or [(0, FAR)] * len(asked), strict=True)], sure


@lru_cache(10_000)
def _solve(width: int, rows: tuple[Row, ...], asked: tuple[Sum, ...]) -> tuple[tuple[int, int], ...] | None:
    """Return the bounds of each requested sum; None: the rows contradict one another.

    Sums over columns of the same rows are solved once.
    """
    met: list[list[tuple[int, int]]] = [[] for _ in range(width)]
    for number, (parts, _, _) in enumerate(rows):
        for column, factor in parts:
            met[column].append((number, factor))
    sort = {column: tuple(rows) for column, rows in enumerate(met)}
    alike: dict[tuple[Any, ...], tuple[int, int]] = {}
    bounds = []
    for sums in asked:
        kind = tuple(sorted((sort[column], factor) for column, factor in sums))
        if kind not in alike:
            ends = _ends(width, rows, sums)
            if ends is None:
                return None
            alike[kind] = ends
        bounds.append(alike[kind])
    if not asked and _ends(width, rows, ()) is None:
        return None
    return tuple(bounds)


def _ends(width: int, rows: tuple[Row, ...], sums: Sum) -> tuple[int, int] | None:
    import numpy  # imported here: a service that attacks once a month need not load 40 MB at its start
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix, aim = numpy.zeros((len(rows), max(width, 1))), numpy.zeros(max(width, 1))
    for number, (parts, _, _) in enumerate(rows):
        for column, factor in parts:
            matrix[number, column] = factor
    for column, factor in sums:
        aim[column] = factor
    limits = LinearConstraint(matrix, [low for _, low, _ in rows], [high for _, _, high in rows]) if rows else ()
    ends = []
    for sign in (1, -1):
        result = milp(sign * aim, integrality=numpy.ones_like(aim), bounds=Bounds(0, FAR), constraints=limits, options={"mip_rel_gap": 0})
        if result.status == 2:
            return None
        if result.status != 0:
            return UNSOLVED
        ends.append(sign * result.fun)
    return math.ceil(ends[0] - NEAR), math.floor(ends[1] + NEAR)
