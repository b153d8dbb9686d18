"""Which figures of a table can be told, so that no hidden one can be computed from them. Pure; why: docs/decisions/0016-suppression.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.oversight.counting.model import Full, Spread, Table
from services.oversight.disclosure.flow import Edge, network, room

K = 11
"""D: CTDC publishes no cell below 11. No figure tells about fewer children, and none that is hidden has fewer possible values."""
ALL = "all"
Told = dict[str, int | None]
"""Group → its value, None where it is hidden; in the order of the names."""


def suppress(table: Table, k: int = K) -> Told:
    """What is told of a table: each figure below k is hidden, and as few others as leave every hidden one at least k possible values.

    Two attackers are held off: one who knows the told figures, and, for figures of 1 to k-1 children, one who also knows every zero of the
    table (most are no secret: a procedure without a shelter has no child that arrived). Groups are told before atoms, the larger before
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
    told = frozenset({same[ALL]} & board.values.keys())
    for name in sorted(board.values, key=lambda name: (len(board.parts[name]) == 1, -board.values[name], name)):
        if name not in told and board.values[name] >= k:
            told = _also(board, told, name) or told
    values = {name: sum(table.atoms[atom] for atom in _atoms(table, name)) for name in names}
    return {name: values[name] if name == ALL or same[name] in told or same[name] == ALL else None for name in names}


def hide(table: Table, k: int = K) -> Told:
    """What is told of a table that is hidden as a whole: how many children it has."""
    whole = sum(table.atoms.values())
    every = frozenset(table.atoms)
    names = sorted({ALL, *table.atoms, *table.groups})
    return {name: whole if whole >= k and (name == ALL or _atoms(table, name) == every) else None for name in names}


def waits(spread: Spread, whole: int, k: int = K) -> Told:
    """`half` and `most` in minutes. whole: children of the block.

    Each is told where at least k children are on each side of it, and where its being told leaves k values for how many did not get there:
    at least 2k (10k) of them reached it, of at least 3k-1 (11k-1).
    """
    return {
        "half": spread.half if spread.count >= 2 * k and whole >= 3 * k - 1 else None,
        "most": spread.most if spread.count >= 10 * k and whole >= 11 * k - 1 else None,
    }


def full(kind: Full, k: int = K) -> int | None:
    """Days without a free place, where there are at least k places: what is told by the places, which are no secret, not by the days."""
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
    """Each figure → the one that stands for all figures with the same atoms."""
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


def _also(board: _Board, told: frozenset[str], name: str) -> frozenset[str] | None:
    """The told figures with this one and with those that are no secret then; None: one of these must be one."""
    told |= {name}
    while True:
        hidden = sorted(board.values.keys() - told, key=lambda other: (board.values[other], other))
        given: set[str] = set()
        for other in hidden:
            if not _kept(board, hidden, other):
                if board.values[other] < board.k:
                    return None
                given.add(other)
        if not given:
            return told
        told |= given


def _kept(board: _Board, hidden: list[str], name: str) -> bool:
    """Whether a hidden figure has enough possible values for both attackers."""
    enough = board.k - 1
    if room(board.edges, board.values, hidden, name, enough, frozenset()) < enough:
        return False
    return not 0 < board.values[name] < board.k or room(board.edges, board.values, hidden, name, enough, board.empty) >= enough
