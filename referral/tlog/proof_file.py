"""Files in the `.tlog-proof` format (C2SP tlog-proof): offline proof that an entry is in a log."""

from __future__ import annotations

from msgspec import Struct

from referral.errors import Malformed, Unproven
from referral.tlog import merkle, note, witness_policy
from referral.tlog.strict_text import base64, decimal, lines, unbase64
from referral.tlog.witness_policy import Accepted, Policy

FIRST = b"c2sp.org/tlog-proof@v1"
MOST_HASHES = 63


class TlogProof(Struct, frozen=True):
    """An unverified proof file.

    index: the position of the entry, from 0.
    hashes: the inclusion proof, the entry's sibling first.
    checkpoint: the note, verbatim.
    extra: bytes that the writer of the file added; no signature covers them.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        extra = b"" if self.extra is None else b"extra " + base64(self.extra) + b"\n"
        hashes = b"".join(base64(hash_) + b"\n" for hash_ in self.hashes)
        return FIRST + b"\n" + extra + b"index %d\n" % self.index + hashes + b"\n" + self.checkpoint


def parse(data: bytes) -> TlogProof:
    """Parse a proof file. Malformed. The checkpoint is not parsed here but in `check`."""
    head, gap, checkpoint = data.partition(b"\n\n")
    if not gap:
        raise Malformed("tlog-proof", "no empty line stands before the checkpoint")
    head_lines = lines(head + b"\n", "tlog-proof")
    if head_lines.pop(0) != FIRST:
        raise Malformed("tlog-proof", "the first line is another")
    extra = None
    if head_lines and head_lines[0].startswith(b"extra "):
        extra = unbase64(head_lines.pop(0).removeprefix(b"extra "), "tlog-proof", "extra")
    if not head_lines or not head_lines[0].startswith(b"index "):
        raise Malformed("tlog-proof", "the index is not where it belongs")
    index = decimal(head_lines.pop(0).removeprefix(b"index "), "tlog-proof", "the index")
    if len(head_lines) > MOST_HASHES:
        raise Malformed("tlog-proof", f"more than {MOST_HASHES} hashes")
    hashes = tuple(unbase64(line, "tlog-proof", f"hash {number}", merkle.HASH) for number, line in enumerate(head_lines, 1))
    return TlogProof(index, hashes, checkpoint, extra)


def check(proof: TlogProof, leaf: bytes, policy: Policy) -> Accepted:
    """Return the accepted checkpoint whose tree has the leaf hash at the proof's index. Malformed, Unproven."""
    accepted = witness_policy.accept(policy, note.parse(proof.checkpoint))
    head = accepted.checkpoint
    try:
        merkle.check_inclusion(leaf, proof.index, head.size, proof.hashes, head.root)
    except Unproven as error:
        raise Unproven("tlog-proof", f"the entry is not what this proves: {error}") from None
    return accepted
