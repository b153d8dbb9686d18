"""The Merkle tree of RFC 6962 and 9162 over SHA-256: append, root, inclusion and consistency proofs, and their checks.

A node is (level, index): the hash over the leaves index·2^level … (index+1)·2^level − 1, all of which exist. A caller that stores nodes
(a list, tiles, a database) passes a function from a node to its hash; every proof is built from that function. Leaves count from 0.

`first_difference` finds the first leaf in which two logs differ: it descends from the roots and reads a few tiles of each log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from referral.errors import Malformed, Unproven

HASH = 32
EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

Nodes = Callable[[int, int], bytes]
"""(level, index) → hash."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the leaf hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the parent of two neighbouring nodes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(peaks: Sequence[bytes]) -> bytes:
    """Combine the hashes of complete subtrees into one hash. peaks: from the largest on the left to the smallest on the right."""
    if not peaks:
        return EMPTY
    combined = peaks[-1]
    for left in reversed(peaks[:-1]):
        combined = node_hash(left, combined)
    return combined


class Frontier(Struct, frozen=True):
    """The state that appending needs. size: leaves so far. peaks: the complete subtrees, one for each bit of size, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        return fold(self.peaks)

    def encode(self) -> bytes:
        """Return size as 8 bytes, big endian, then the peaks."""
        return self.size.to_bytes(8, "big") + b"".join(self.peaks)


def decode(data: bytes) -> Frontier:
    """Parse a frontier. Malformed."""
    size, rest = int.from_bytes(data[:8], "big"), data[8:]
    if len(data) < 8 or len(rest) != HASH * size.bit_count():
        raise Malformed("frontier", "its length does not follow from its size")
    return Frontier(size, tuple(rest[at : at + HASH] for at in range(0, len(rest), HASH)))


def append(frontier: Frontier, leaves: Iterable[bytes]) -> Frontier:
    """Return the frontier after these leaf hashes."""
    size, peaks = frontier.size, list(frontier.peaks)
    for leaf in leaves:
        merged, trailing = leaf, size
        while trailing & 1:
            merged, trailing = node_hash(peaks.pop(), merged), trailing >> 1
        peaks.append(merged)
        size += 1
    return Frontier(size, tuple(peaks))


Span = tuple[int, int]
"""The leaves [start, end) whose combined hash is one element of a proof."""


def nodes_of(span: Span) -> list[tuple[int, int]]:
    """Return the complete subtrees that make up one span of a proof, left to right."""
    (start, end), nodes = span, []
    while start < end:
        room = (end - start).bit_length() - 1
        level = min(room, (start & -start).bit_length() - 1) if start else room
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _left(count: int) -> int:
    """Return the largest power of two below count, at which a tree is split."""
    return 1 << (count - 1).bit_length() - 1


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Return the spans that prove leaf `index` in the tree of `size`, the leaf's sibling first (RFC 6962 §2.1.1).

    ValueError: no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    start, end, spans = 0, size, []
    while end - start > 1:
        middle = start + _left(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Return the spans that prove that the tree of `new` begins with the tree of `old` (RFC 6962 §2.1.2). ValueError: no such proof."""
    if not 0 < old <= new:
        raise ValueError(f"there is no consistency proof from {old} to {new}")
    start, end, spans = 0, new, []
    while end != old:
        middle = start + _left(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start:
        spans.append((start, end))
    return spans[::-1]


def root(nodes: Nodes, size: int) -> bytes:
    """Return the root of the first `size` leaves."""
    return fold([nodes(*node) for node in nodes_of((0, size))])


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Return the inclusion proof of a leaf in the tree of `size`."""
    return [fold([nodes(*node) for node in nodes_of(span)]) for span in inclusion_spans(index, size)]


def consistency(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """Return the consistency proof between two sizes, old > 0."""
    return [fold([nodes(*node) for node in nodes_of(span)]) for span in consistency_spans(old, new)]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Verify that the leaf hash is at `index` in the tree of `size` with this root (RFC 9162 §2.1.3.2). Unproven otherwise."""
    _sized([leaf, root, *proof])
    if not 0 <= index < size:
        raise Unproven("inclusion", f"leaf {index} is outside a tree of {size}")
    position, last, computed = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            raise Unproven("inclusion", f"{len(proof)} hashes are too many for leaf {index} of {size}")
        if position & 1 or position == last:
            computed = node_hash(hash_, computed)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, hash_)
        position, last = position >> 1, last >> 1
    if last:
        raise Unproven("inclusion", f"{len(proof)} hashes are too few for leaf {index} of {size}")
    if computed != root:
        raise Unproven("inclusion", f"leaf {index} of {size} leads to another root")


def check_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Verify that the tree of `new` begins with that of `old` (RFC 9162 §2.1.4.2). Unproven otherwise, and always from size 0."""
    if not 0 <= old <= new:
        raise Unproven("consistency", f"a tree of {new} cannot continue one of {old}")
    if old == 0:
        raise Unproven("consistency", "every tree continues the empty one: this proves nothing")
    if old == new:
        if proof or old_root != new_root:
            raise Unproven("consistency", f"two trees of {old} need one root and no proof")
        return
    _sized([old_root, new_root, *proof])
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise Unproven("consistency", f"no hashes are too few for {old} to {new}")
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    before = after = path[0]
    for hash_ in path[1:]:
        if last == 0:
            raise Unproven("consistency", f"{len(proof)} hashes are too many for {old} to {new}")
        if position & 1 or position == last:
            before, after = node_hash(hash_, before), node_hash(hash_, after)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            after = node_hash(after, hash_)
        position, last = position >> 1, last >> 1
    if last:
        raise Unproven("consistency", f"{len(proof)} hashes are too few for {old} to {new}")
    if before != old_root or after != new_root:
        which = "old" if before != old_root else "new"
        raise Unproven("consistency", f"from {old} to {new} the proof leads to another {which} root")


def _sized(hashes: Iterable[bytes]) -> None:
    for number, hash_ in enumerate(hashes):
        if len(hash_) != HASH:
            raise Malformed("hash", f"hash {number} has {len(hash_)} bytes instead of {HASH}")


def first_difference(one: Nodes, other: Nodes, size: int) -> int | None:
    """Return the first of the first `size` leaves that differs between two logs; None if all are equal.

    Malformed, Differs: a tile is bad.
    """
    for level, index in nodes_of((0, size)):
        if one(level, index) != other(level, index):
            while level:
                level, index = level - 1, 2 * index
                if one(level, index) == other(level, index):
                    index += 1
            return index
    return None
