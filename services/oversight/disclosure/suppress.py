"""Choose the figures of a table that can be released, so that no hidden one can be computed. Pure.

Reasons: docs/decisions/0016-suppression.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.oversight.counting.model import Full, Spread, Table
from services.oversight.disclosure.flow import Edge, network, room

K = 11
"""D: CTDC publishes no cell below 11. No figure reveals fewer children, and no hidden figure has fewer possible values."""
ALL = "all"
Values = dict[str, int | None]
"""Group → its value, None if it is hidden; in the order of the names."""


def suppress(table: Table, k: int = K) -> Values:
    """Return the released values of a table: hide each figure below k, and as few others as leave every hidden one k possible values.

    It resists two attackers: one who knows the released figures, and, for figures of 1 to k-1 children, one who also knows every zero of
    the
    table (most are no secret: a procedure without a shelter has no child that arrived). Groups are released before atoms, the larger before
    the smaller.
    ValueError: groups that are empty, or neither nested nor two nested families that cross.
    """
    whole = sum(table.atoms.values())
    names = sorted({ALL, *table.atoms, *table.groups})
    if whole < k:
        return dict.fromkeys(names)
    if not all(table.groups.values()):
        raise ValueError(f"{table.measure}: a group without atoms")
    same = _same(table)
    board = _board(table, same, k)
    released = frozenset({same[ALL]} & board.values.keys())
    for name in sorted(board.values, key=lambda name: (len(board.parts[name]) == 1, -board.values[name], name)):
        if name not in released and board.values[name] >= k:
            released = _also(board, released, name) or released
    values = {name: sum(table.atoms[atom] for atom in _atoms(table, name)) for name in names}
    return {name: values[name] if name == ALL or same[name] in released or same[name] == ALL else None for name in names}


def hide(table: Table, k: int = K) -> Values:
    """Return the released values of a table that is hidden as a whole: only its number of children."""
    whole = sum(table.atoms.values())
    every = frozenset(table.atoms)
    names = sorted({ALL, *table.atoms, *table.groups})
    return {name: whole if whole >= k and (name == ALL or _atoms(table, name) == every) else None for name in names}


def waits(spread: Spread, whole: int, k: int = K) -> Values:
    """Return `half` and `most` in minutes, None if hidden. whole: children of the block.

    Each is released if at least k children are on each side of it, and if its release leaves k values for how many did not get there:
    at least 2k (10k) of them reached it, of at least 3k-1 (11k-1).
    """
    return {
        "half": spread.half if spread.count >= 2 * k and whole >= 3 * k - 1 else None,
        "most": spread.most if spread.count >= 10 * k and whole >= 11 * k - 1 else None,
    }


def full(kind: Full, k: int = K) -> int | None:
    """Return the days without a free place if there are at least k places. The places, which are public, decide; not the days."""
    return kind.days if kind.fewest >= k else None


@dataclass(frozen=True)
class _Board:
    """The table as a network. parts: figure → its atoms, one figure for all that are equal. empty: atoms without a child."""

    parts: Mapping[str, frozenset[str]]
    edges: Mapping[str, Edge]
    values: Mapping[str, int]
    empty: frozenset[str]
    k: int


def _atoms(table: Table, name: str) -> frozenset[str]:
    if name == ALL:
        return frozenset(table.atoms)
    return table.groups[name] if name in table.groups else frozenset({name})


def _same(table: Table) -> dict[str, str]:
    """Return for each figure the one that represents all figures with the same atoms."""
    first: dict[frozenset[str], str] = {frozenset(table.atoms): ALL}
    for name in [*sorted(table.atoms), *sorted(table.groups)]:
        first.setdefault(_atoms(table, name), name)
    return {name: first[_atoms(table, name)] for name in [ALL, *table.atoms, *table.groups]}


def _board(table: Table, same: Mapping[str, str], k: int) -> _Board:
    parts = {name: _atoms(table, name) for name in sorted(set(same.values())) if name != ALL}
    atoms = [name for name in parts if len(parts[name]) == 1]
    edges = network(atoms, {name: parts[name] for name in parts if len(parts[name]) > 1})
    values = {name: sum(table.atoms[atom] for atom in parts[name]) for name in parts}
    return _Board(parts, edges, values, frozenset(name for name in atoms if not values[name]), k)


def _also(board: _Board, released: frozenset[str], name: str) -> frozenset[str] | None:
    """Return the released figures with this one and all that it makes computable; None: one of these must stay hidden."""
    released |= {name}
    while True:
        hidden = sorted(board.values.keys() - released, key=lambda other: (board.values[other], other))
        given: set[str] = set()
        for other in hidden:
            if not _kept(board, hidden, other):
                if board.values[other] < board.k:
                    return None
                given.add(other)
        if not given:
            return released
        released |= given


def _kept(board: _Board, hidden: list[str], name: str) -> bool:
    """Return whether a hidden figure has enough possible values for both attackers."""
    enough = board.k - 1
    if room(board.edges, board.values, hidden, name, enough, frozenset()) < enough:
        return False
    return not 0 < board.values[name] < board.k or room(board.edges, board.values, hidden, name, enough, board.empty) >= enough
