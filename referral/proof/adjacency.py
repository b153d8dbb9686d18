"""Adjacency proofs: two entries of one case and topic have consecutive sequence numbers, so no entry is missing between them.

File format: the line FIRST, a line with the lengths of two `.tlog-proof` files, and the two files, each with its leaf as `extra`.
"""

from __future__ import annotations

from msgspec import Struct

from referral.domain.events import Leaf
from referral.errors import Malformed, Unproven
from referral.proof.entry import SEQUENCED
from referral.tlog import proof_file
from referral.tlog.merkle import leaf_hash
from referral.tlog.proof_file import TlogProof
from referral.tlog.strict_text import decimal
from referral.tlog.witness_policy import Accepted, Policy
from referral.wire import leaf as wire

FIRST = b"referral.nothing-between@v1"


class Between(Struct, frozen=True):
    """An unverified adjacency proof of the entries `before` and `after`."""

    before: TlogProof
    after: TlogProof

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        one, two = self.before.encode(), self.after.encode()
        return FIRST + b"\n%d %d\n" % (len(one), len(two)) + one + two


class Shown(Struct, frozen=True, kw_only=True):
    """The verified statement: in this topic, no entry of the case is between seq and seq + 1.

    indexes: the positions of these two entries.
    """

    case_id: str
    topic: str
    seq: int
    indexes: tuple[int, int]
    accepted: Accepted


def parse(data: bytes) -> Between:
    """Parse an adjacency proof. Malformed."""
    first, _, rest = data.partition(b"\n")
    lengths, _, rest = rest.partition(b"\n")
    words = lengths.split(b" ")
    if first != FIRST or len(words) != 2:
        raise Malformed("nothing-between", "the first two lines are not those of this format")
    one, two = (decimal(word, "nothing-between", "a length") for word in words)
    if one + two != len(rest):
        raise Malformed("nothing-between", f"{one + two} bytes of proofs are said, {len(rest)} follow")
    return Between(proof_file.parse(rest[:one]), proof_file.parse(rest[one:]))


def check(pair: Between, policy: Policy) -> Shown:
    """Verify an adjacency proof under a witness policy. Malformed, NewerVersion, Unproven."""
    leaves = [_leaf_in(proof) for proof in (pair.before, pair.after)]
    accepted = [proof_file.check(proof, leaf_hash(proof.extra or b""), policy) for proof in (pair.before, pair.after)]
    one, two = leaves
    if any(leaf.kind not in SEQUENCED for leaf in leaves) or not one.case_id:
        raise Unproven("nothing-between", "an entry has no sequence of a case")
    if (one.case_id, one.topic) != (two.case_id, two.topic):
        raise Unproven("nothing-between", "the entries are of two cases or of two topics")
    if two.case_seq != one.case_seq + 1 or pair.after.index <= pair.before.index:
        raise Unproven("nothing-between", f"sequence {two.case_seq} does not follow {one.case_seq}: something stands between them")
    indexes = (pair.before.index, pair.after.index)
    newest = max(accepted, key=lambda each: each.checkpoint.size)
    return Shown(case_id=one.case_id, topic=one.topic, seq=one.case_seq, indexes=indexes, accepted=newest)


def _leaf_in(proof: TlogProof) -> Leaf:
    if proof.extra is None:
        raise Malformed("nothing-between", f"the proof of entry {proof.index} does not hold its leaf")
    return wire.decode(proof.extra)
