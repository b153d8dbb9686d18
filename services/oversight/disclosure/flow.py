"""Model a table as a flow network: each figure is an edge, children flow along it, and the other hidden figures bound a hidden one.

Groups that are nested in one another are a tree (country, region, municipality). Groups that cross (sex and age) are two trees with the
atoms between their leaves. In both cases inflow equals outflow at every node. So the possible values of a hidden figure are exactly the
whole numbers from its value minus the greatest parallel flow around it to its value plus the greatest opposite flow: no solver is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Edge = tuple[int, int]
SOURCE, SINK = 0, 1


def network(atoms: Iterable[str], groups: Mapping[str, frozenset[str]]) -> dict[str, Edge]:
    """Return each atom and each group as an edge from node to node. groups: distinct, none empty, none the whole.

    ValueError: the groups are neither nested nor two nested families that cross.
    """
    order = sorted(groups, key=lambda name: (len(groups[name]), name))
    side = _sides(order, groups)
    node = {name: number for number, name in enumerate(order, 2)}
    edges: dict[str, Edge] = {}
    for at, name in enumerate(order):
        above = next((node[other] for other in order[at + 1 :] if side[other] == side[name] and groups[name] < groups[other]), side[name])
        edges[name] = (above, node[name]) if side[name] == SOURCE else (node[name], above)
    for atom in atoms:
        ends = [next((node[name] for name in order if side[name] == end and atom in groups[name]), end) for end in (SOURCE, SINK)]
        edges[atom] = (ends[0], ends[1])
    return edges


def room(
    edges: Mapping[str, Edge], values: Mapping[str, int], hidden: Iterable[str], figure: str, enough: int, fixed: frozenset[str]
) -> int:
    """Count the other possible values of a hidden figure, up to `enough`, given the shown figures.

    fixed: hidden figures whose value is known all the same.
    """
    arcs: dict[int, list[list[int]]] = {}
    for name in hidden:
        if name == figure or name in fixed:
            continue
        tail, head = edges[name]
        forth, back = [head, enough, 0], [tail, values[name], 0]
        arcs.setdefault(tail, []).append(forth)
        arcs.setdefault(head, []).append(back)
        forth[2], back[2] = len(arcs[head]) - 1, len(arcs[tail]) - 1
    tail, head = edges[figure]
    copy = {node: [list(arc) for arc in out] for node, out in arcs.items()}
    more = _flow(copy, head, tail, enough)
    return more if more >= enough else more + _flow(arcs, tail, head, min(enough - more, values[figure]))


def _sides(order: list[str], groups: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """Return SOURCE or SINK for each group, so that the groups of one side are nested."""
    crossing = {
        name: [
            other
            for other in order
            if groups[name] & groups[other] and not (groups[name] <= groups[other] or groups[other] <= groups[name])
        ]
        for name in order
    }
    side: dict[str, int] = {}
    for begin in sorted(order):
        todo = [] if begin in side else [(begin, SOURCE)]
        while todo:
            name, wanted = todo.pop()
            if side.setdefault(name, wanted) != wanted:
                raise ValueError(f"{name} crosses groups that cross one another")
            todo += [(other, 1 - wanted) for other in crossing[name] if side.get(other) != 1 - wanted]
    return side


def _flow(arcs: dict[int, list[list[int]]], begin: int, end: int, limit: int) -> int:
    """Return the greatest flow from begin to end, at most `limit`, by shortest paths first.

    arcs: node → [to, free capacity, index of its twin].
    """
    sent = 0
    while sent < limit:
        came: dict[int, tuple[int, list[int]]] = {}
        todo = [begin]
        for node in todo:
            for arc in arcs.get(node, ()):
                if arc[1] and arc[0] not in came and arc[0] != begin:
                    came[arc[0]] = (node, arc)
                    todo.append(arc[0])
            if end in came:
                break
        if end not in came:
            break
        path, node = [], end
        while node != begin:
            node, arc = came[node]
            path.append(arc)
        part = min(limit - sent, *(arc[1] for arc in path))
        for arc in path:
            arc[1] -= part
            arcs[arc[0]][arc[2]][1] += part
        sent += part
    return sent
