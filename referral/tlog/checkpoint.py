"""Checkpoints (C2SP tlog-checkpoint): what a log signs about its tree."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from referral.errors import Malformed, Unproven
from referral.tlog import note
from referral.tlog.merkle import HASH
from referral.tlog.note import Note, Signature
from referral.tlog.note_keys import ED25519, SignerKey, VerifierKey, named
from referral.tlog.strict_text import base64, decimal, lines, unbase64


class Checkpoint(Struct, frozen=True):
    """origin: which log; the name of its key. size: entries. root: of the tree over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """What is signed."""
        return b"%s\n%d\n%s\n" % (self.origin.encode(), self.size, base64(self.root))

    def sign(self, key: SignerKey) -> Note:
        """The log's own note. ValueError for a key of another name or kind."""
        if key.name != self.origin or key.kind != ED25519:
            raise ValueError(f"a checkpoint of {self.origin} is signed by its own key of type 1, not by {key.verifier.encode().decode()}")
        return Note(self.text, (note.sign(self.text, key, 0),))


def parse(text: bytes) -> Checkpoint:
    """The checkpoint that a note's text is. Ours have three lines, and others are refused: nobody audits an extension. Malformed."""
    said = extended(text)
    if (count := text.count(b"\n")) > 3:
        raise Malformed("checkpoint", f"it has {count} lines instead of origin, size and root")
    return said


def extended(text: bytes) -> Checkpoint:
    """The same of a log whose checkpoints may have extension lines, none of them empty (C2SP tlog-checkpoint). Malformed."""
    found = lines(text, "checkpoint")
    if len(found) < 3:
        raise Malformed("checkpoint", f"it has {len(found)} lines instead of origin, size and root")
    origin, size, root, *more = found
    if not all(more):
        raise Malformed("checkpoint", "an extension line is empty")
    return Checkpoint(
        origin=named(origin, "checkpoint", "the origin"),
        size=decimal(size, "checkpoint", "the size"),
        root=unbase64(root, "checkpoint", "the root", HASH),
    )


def verify(
    signed: Note, logs: Iterable[VerifierKey], others: Iterable[VerifierKey] = ()
) -> tuple[Checkpoint, dict[VerifierKey, Signature]]:
    """What a log of this origin signed, and who of logs and others signed it too. Malformed, Unproven."""
    said = parse(signed.text)
    return said, signers(said, signed, logs, others)


def signers(
    said: Checkpoint, signed: Note, logs: Iterable[VerifierKey], others: Iterable[VerifierKey] = ()
) -> dict[VerifierKey, Signature]:
    """Who of logs and others signed the note of a checkpoint; a log of its origin has. Malformed, Unproven."""
    own = [key for key in logs if key.name == said.origin]
    if not own:
        raise Unproven("checkpoint", f"no key is known for the log {said.origin}")
    found = note.check(signed, [*own, *others])
    if not any(key in found for key in own):
        raise Unproven("checkpoint", f"the log {said.origin} has not signed it")
    return found
