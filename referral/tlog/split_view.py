"""What several parties have seen of one log, held against one another: a split view is two heads that no one tree has."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from referral.errors import Unproven
from referral.tlog import checkpoint, merkle, note, note_keys
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.merkle import Nodes
from referral.tlog.note_keys import VerifierKey


class View(Struct, frozen=True):
    """What one party shows, with the log's signature checked. seconds: when a witness saw it, None for the log itself. shown: the note."""

    who: str
    said: Checkpoint
    seconds: int | None
    shown: bytes


class Split(Struct, frozen=True):
    """Two notes of the log that contradict one another: the proof, with its own signature under both."""

    first: View
    second: View
    why: str


def view(who: str, shown: bytes, log: VerifierKey, witness: VerifierKey | None) -> View:
    """Read a note. Malformed, Unproven: the log, or this witness, has not signed it."""
    signed = note.parse(shown)
    said, found = checkpoint.verify(signed, [log], [witness] if witness else [])
    if witness is None:
        return View(who, said, None, shown)
    if witness not in found:
        raise Unproven("cosignature", f"{who} shows a checkpoint that it has not cosigned")
    return View(who, said, note_keys.unpack(found[witness].value)[0], shown)


def same_size(views: Iterable[View]) -> list[Split]:
    """Heads of one size with two roots: no proof of the log is needed to see that."""
    first: dict[int, View] = {}
    splits = []
    for one in views:
        other = first.setdefault(one.said.size, one)
        if other.said.root != one.said.root:
            splits.append(Split(other, one, f"{one.said.size} entries have two roots"))
    return splits


def sizes(views: Iterable[View]) -> list[View]:
    """One view of each size, the smallest first: if each continues the one before, all of them are heads of one log."""
    return sorted({one.said.size: one for one in reversed(list(views))}.values(), key=lambda one: one.said.size)


def continues(older: View, newer: View, nodes: Nodes) -> Split | None:
    """None: the newer head continues the older one, by the log's own tiles. A split: they show that it does not. Malformed: a tile."""
    if older.said.size == 0:
        return None
    try:
        proof = merkle.consistency(nodes, older.said.size, newer.said.size)
        merkle.check_consistency(older.said.size, newer.said.size, proof, older.said.root, newer.said.root)
    except Unproven as error:
        return Split(older, newer, f"{newer.said.size} entries do not continue {older.said.size}: {error}")
    return None
