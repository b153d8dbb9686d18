"""Compare the checkpoints of one log that several parties hold, to find a split view: two signed heads that cannot belong to one tree."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from referral.errors import Unproven
from referral.tlog import checkpoint, merkle, note, note_keys
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.merkle import Nodes
from referral.tlog.note_keys import VerifierKey


class View(Struct, frozen=True):
    """A checkpoint as one party shows it, with the log's signature checked.

    who: the party.
    said: the checkpoint.
    seconds: Unix time at which a witness saw it; None for the log itself.
    shown: the bytes of the note.
    """

    who: str
    said: Checkpoint
    seconds: int | None
    shown: bytes


class Split(Struct, frozen=True):
    """Two notes of the log that contradict each other. The log's own signature is under both, so they are the proof."""

    first: View
    second: View
    why: str


def view(who: str, shown: bytes, log: VerifierKey, witness: VerifierKey | None) -> View:
    """Parse a note of one party. Malformed. Unproven: the log, or this witness, has not signed it."""
    signed = note.parse(shown)
    head, signatures = checkpoint.verify(signed, [log], [witness] if witness else [])
    if witness is None:
        return View(who, head, None, shown)
    if witness not in signatures:
        raise Unproven("cosignature", f"{who} shows a checkpoint that it has not cosigned")
    return View(who, head, note_keys.unpack(signatures[witness].value)[0], shown)


def same_size(views: Iterable[View]) -> list[Split]:
    """Return the pairs of heads that have one size and two roots. These need no further proof from the log."""
    first: dict[int, View] = {}
    splits = []
    for one in views:
        other = first.setdefault(one.said.size, one)
        if other.said.root != one.said.root:
            splits.append(Split(other, one, f"{one.said.size} entries have two roots"))
    return splits


def sizes(views: Iterable[View]) -> list[View]:
    """Return one view of each size, smallest first. If each continues the one before, all are heads of one log."""
    return sorted({one.said.size: one for one in reversed(list(views))}.values(), key=lambda one: one.said.size)


def continues(older: View, newer: View, nodes: Nodes) -> Split | None:
    """Check against the log's own tiles that the newer head continues the older one. Return None if so, else the split.

    Malformed: a tile is bad.
    """
    if older.said.size == 0:
        return None
    try:
        proof = merkle.consistency(nodes, older.said.size, newer.said.size)
        merkle.check_consistency(older.said.size, newer.said.size, proof, older.said.root, newer.said.root)
    except Unproven as error:
        return Split(older, newer, f"{newer.said.size} entries do not continue {older.said.size}: {error}")
    return None
