"""Where two logs part: from their roots down to the first leaf that differs, by a few tiles of each."""

from __future__ import annotations

from referral.proof.merkle import Nodes, nodes_of


def first_difference(one: Nodes, other: Nodes, size: int) -> int | None:
    """The first of the first `size` leaves that is another; None: they are the same. Malformed, Differs: a tile."""
    for level, index in nodes_of((0, size)):
        if one(level, index) != other(level, index):
            while level:
                level, index = level - 1, 2 * index
                if one(level, index) == other(level, index):
                    index += 1
            return index
    return None
