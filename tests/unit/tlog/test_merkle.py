"""The tree proves what is in it and nothing else: published probes, every small tree, and trees of any size."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.errors import Malformed, Unproven
from referral.tlog import merkle
from referral.tlog.merkle import EMPTY, Frontier, check_consistency, check_inclusion, leaf_hash, node_hash

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "merkle" / "testdata"
SMALL = 300
LEAVES = [leaf_hash(bytes([n % 256, n // 256])) for n in range(SMALL)]


@cache
def node(level: int, index: int) -> bytes:
    if level == 0:
        return LEAVES[index]
    return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))


ROOTS = [merkle.root(node, size) for size in range(SMALL + 1)]


def probes(kind: str) -> list[Any]:
    found = sorted((VECTORS / kind).rglob("*.json"))
    why = "the published probes are not beside this project (../shared/vectors/merkle)"
    return [pytest.param(None, marks=pytest.mark.skip(reason=why))] if not found else [pytest.param(f, id=f.stem) for f in found]


def bytes_of(probe: dict[str, Any], *names: str) -> list[bytes]:
    return [b64decode(probe[name] or "") for name in names]


@pytest.mark.parametrize("file", probes("inclusion"))
def test_a_published_inclusion_probe_is_judged_as_it_says(file: Path) -> None:
    probe = json.loads(file.read_bytes())
    leaf, root = bytes_of(probe, "leafHash", "root")
    proof = [b64decode(word) for word in probe["proof"] or ()]
    judged(probe, lambda: check_inclusion(leaf, probe["leafIdx"], probe["treeSize"], proof, root))


@pytest.mark.parametrize("file", probes("consistency"))
def test_a_published_consistency_probe_is_judged_as_it_says(file: Path) -> None:
    probe = json.loads(file.read_bytes())
    old, new = bytes_of(probe, "root1", "root2")
    proof = [b64decode(word) for word in probe["proof"] or ()]
    judged(probe, lambda: check_consistency(probe["size1"], probe["size2"], proof, old, new))


def judged(probe: dict[str, Any], check: Any) -> None:
    if probe["wantErr"]:
        with pytest.raises(Malformed):
            check()
    else:
        check()


@pytest.mark.skipif(not VECTORS.exists(), reason="the published probes are not beside this project")
def test_none_of_the_published_probes_is_missing() -> None:
    assert [len(list((VECTORS / kind).rglob("*.json"))) for kind in ("inclusion", "consistency")] == [98, 98]


def test_every_leaf_of_every_small_tree_is_proven_at_its_place_and_no_other() -> None:
    for size in range(1, SMALL + 1):
        root = ROOTS[size]
        for index in range(size):
            proof = merkle.inclusion(node, index, size)
            check_inclusion(LEAVES[index], index, size, proof, root)
            if index % 5 == size % 5:  # a fifth of them, for time
                with pytest.raises(Unproven):
                    check_inclusion(LEAVES[index], (index + 1) % (size + 1), size, proof, root)


def test_every_small_tree_continues_every_smaller_one() -> None:
    for new in range(1, SMALL + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency(node, old, new)
            check_consistency(old, new, proof, ROOTS[old], ROOTS[new])
            if old % 5 == new % 5:
                with pytest.raises(Unproven):
                    check_consistency(old, new, proof, ROOTS[old - 1], ROOTS[new])


def test_the_roots_of_the_first_trees_are_those_of_the_standard() -> None:
    a, b, c = (leaf_hash(letter) for letter in (b"a", b"b", b"c"))
    assert hashlib.sha256(b"\x00a").digest() == a
    assert merkle.append(Frontier(), []).root == hashlib.sha256().digest() == EMPTY
    assert merkle.append(Frontier(), [a]).root == a
    assert merkle.append(Frontier(), [a, b, c]).root == node_hash(node_hash(a, b), c)


@given(st.lists(st.integers(0, 70), max_size=8))
def test_appending_in_any_portions_leads_to_the_same_tree(portions: list[int]) -> None:
    frontier, size = Frontier(), 0
    for portion in portions:
        leaves = LEAVES[size : size + portion]
        frontier, size = merkle.decode(merkle.append(frontier, leaves).encode()), size + len(leaves)
        assert frontier.size == size
        assert frontier.root == ROOTS[size]


@pytest.mark.parametrize("data", [b"", bytes(7), bytes(7) + b"\1", bytes(8 + 32), bytes(7) + b"\3" + bytes(32)])
def test_a_frontier_that_is_cut_or_lengthened_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        merkle.decode(data)


class Sparse:
    """A tree of any size whose leaves are all alike but one."""

    def __init__(self, place: int) -> None:
        self.place, self.other, self.special = place, [leaf_hash(b"other")], [leaf_hash(b"special")]
        for level in range(62):
            left, right = self.special[level], self.other[level]
            if place >> level & 1:
                left, right = right, left
            self.special.append(node_hash(left, right))
            self.other.append(node_hash(self.other[level], self.other[level]))

    def node(self, level: int, index: int) -> bytes:
        return self.special[level] if index == self.place >> level else self.other[level]


@st.composite
def places(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.integers(1, 2**62) | st.integers(0, 61).map(lambda bits: 1 << bits))
    return draw(st.integers(0, size - 1)), size


@given(places(), st.data())
def test_a_leaf_is_proven_in_a_tree_of_any_size(place: tuple[int, int], data: st.DataObject) -> None:
    index, size = place
    tree = Sparse(index)
    proof, root = merkle.inclusion(tree.node, index, size), merkle.root(tree.node, size)
    assert len(proof) <= 62
    check_inclusion(tree.special[0], index, size, proof, root)
    if size > 1:
        other = data.draw(st.integers(0, size - 1).filter(lambda found: found != index))
        refused(lambda proof: check_inclusion(tree.special[0], other, size, proof, root), proof)
        refused(lambda proof: check_inclusion(tree.other[0], index, size, proof, root), proof)
    for changed in changes(proof, data):
        refused(lambda proof: check_inclusion(tree.special[0], index, size, proof, root), changed)


@given(places(), st.data())
def test_a_tree_of_any_size_continues_the_smaller_one(place: tuple[int, int], data: st.DataObject) -> None:
    index, new = place
    old = data.draw(st.integers(1, new))
    tree = Sparse(index)
    roots = merkle.root(tree.node, old), merkle.root(tree.node, new)
    proof = merkle.consistency(tree.node, old, new)
    assert len(proof) <= 63
    check_consistency(old, new, proof, *roots)
    for changed in changes(proof, data):
        refused(lambda proof: check_consistency(old, new, proof, *roots), changed)
    if index < old:  # another leaf in the old part: two histories of one log
        forked = merkle.root(Sparse(new).node, old)
        refused(lambda proof: check_consistency(old, new, proof, forked, roots[1]), proof)


def changes(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    found = [[*proof, EMPTY], [EMPTY, *proof]]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        found += [[*proof[:at], *proof[at + 1 :]], [*proof[:at], node_hash(proof[at], EMPTY), *proof[at + 1 :]]]
    return found


def refused(check: Any, proof: list[bytes]) -> None:
    with pytest.raises(Unproven):
        check(proof)


def test_a_proof_that_is_too_long_is_refused_even_where_it_leads_to_the_root() -> None:
    more = leaf_hash(b"more")
    with pytest.raises(Unproven, match="too many"):
        check_inclusion(LEAVES[0], 0, 1, [more], node_hash(more, LEAVES[0]))
    with pytest.raises(Unproven, match="too many"):
        check_consistency(3, 4, [*merkle.consistency(node, 3, 4), more], node_hash(more, ROOTS[3]), node_hash(more, ROOTS[4]))


def test_a_hash_of_another_length_is_refused() -> None:
    with pytest.raises(Malformed):
        check_inclusion(LEAVES[0], 0, 2, [LEAVES[1][:31]], ROOTS[2])
    with pytest.raises(Malformed):
        check_consistency(1, 2, [LEAVES[1] + b"\0"], ROOTS[1], ROOTS[2])


def test_a_proof_that_cannot_be_is_not_made() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match="not in a tree"):
            merkle.inclusion(node, index, size)
    for old, new in ((0, 0), (0, 3), (4, 3)):
        with pytest.raises(ValueError, match="no consistency proof"):
            merkle.consistency(node, old, new)
