"""Checkpoints (C2SP tlog-checkpoint): the log's signed statement of its size and root hash."""

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
    """A tree head. origin: the name of the log, which is the name of its key. size: number of entries. root: hash of the tree over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The bytes that are signed."""
        return b"%s\n%d\n%s\n" % (self.origin.encode(), self.size, base64(self.root))

    def sign(self, key: SignerKey) -> Note:
        """Return the log's own note. ValueError: the key has another name or is not of type ED25519."""
        if key.name != self.origin or key.kind != ED25519:
            raise ValueError(f"a checkpoint of {self.origin} is signed by its own key of type 1, not by {key.verifier.encode().decode()}")
        return Note(self.text, (note.sign(self.text, key, 0),))


def parse(text: bytes) -> Checkpoint:
    """Parse the text of a note as a checkpoint of three lines. Malformed for extension lines too: no auditor checks them."""
    parsed = extended(text)
    if (count := text.count(b"\n")) > 3:
        raise Malformed("checkpoint", f"it has {count} lines instead of origin, size and root")
    return parsed


def extended(text: bytes) -> Checkpoint:
    """Parse a checkpoint that may have extension lines, none of them empty (C2SP tlog-checkpoint). Malformed."""
    text_lines = lines(text, "checkpoint")
    if len(text_lines) < 3:
        raise Malformed("checkpoint", f"it has {len(text_lines)} lines instead of origin, size and root")
    origin, size, root, *more = text_lines
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
    """Return the checkpoint, and each key of logs and others that signed it; the log of its origin must have. Malformed, Unproven."""
    head = parse(signed.text)
    return head, signers(head, signed, logs, others)


def signers(
    head: Checkpoint, signed: Note, logs: Iterable[VerifierKey], others: Iterable[VerifierKey] = ()
) -> dict[VerifierKey, Signature]:
    """Return each key of logs and others that signed this checkpoint; the log of its origin must have. Malformed, Unproven."""
    own = [key for key in logs if key.name == head.origin]
    if not own:
        raise Unproven("checkpoint", f"no key is known for the log {head.origin}")
    signatures = note.check(signed, [*own, *others])
    if not any(key in signatures for key in own):
        raise Unproven("checkpoint", f"the log {head.origin} has not signed it")
    return signatures
