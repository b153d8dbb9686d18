"""That nothing stands between two entries of one case and topic: their sequences follow one another, and a sequence is given once.

The file: its first line, a line with the lengths of two `.tlog-proof`s, and these, each with its leaf as `extra`.
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
    """before, after: the two entries."""

    before: TlogProof
    after: TlogProof

    def encode(self) -> bytes:
        """The file."""
        one, two = self.before.encode(), self.after.encode()
        return FIRST + b"\n%d %d\n" % (len(one), len(two)) + one + two


class Shown(Struct, frozen=True, kw_only=True):
    """What is proven: of this case in this topic nothing has a sequence between seq and seq + 1. indexes: where these two stand."""

    case_id: str
    topic: str
    seq: int
    indexes: tuple[int, int]
    accepted: Accepted


def parse(data: bytes) -> Between:
    """Malformed."""
    first, _, rest = data.partition(b"\n")
    lengths, _, rest = rest.partition(b"\n")
    words = lengths.split(b" ")
    if first != FIRST or len(words) != 2:
        raise Malformed("nothing-between", "the first two lines are others")
    one, two = (decimal(word, "nothing-between", "a length") for word in words)
    if one + two != len(rest):
        raise Malformed("nothing-between", f"{one + two} bytes of proofs are said, {len(rest)} follow")
    return Between(proof_file.parse(rest[:one]), proof_file.parse(rest[one:]))


def check(found: Between, policy: Policy) -> Shown:
    """Malformed, NewerVersion, Unproven."""
    said = [_said(proof) for proof in (found.before, found.after)]
    accepted = [proof_file.check(proof, leaf_hash(proof.extra or b""), policy) for proof in (found.before, found.after)]
    one, two = said
    if any(leaf.kind not in SEQUENCED for leaf in said) or not one.case_id:
        raise Unproven("nothing-between", "an entry is none that has a sequence of a case")
    if (one.case_id, one.topic) != (two.case_id, two.topic):
        raise Unproven("nothing-between", "the entries are of two cases or of two topics")
    if two.case_seq != one.case_seq + 1 or found.after.index <= found.before.index:
        raise Unproven("nothing-between", f"sequence {two.case_seq} does not follow {one.case_seq}: something stands between them")
    indexes = (found.before.index, found.after.index)
    newest = max(accepted, key=lambda each: each.checkpoint.size)
    return Shown(case_id=one.case_id, topic=one.topic, seq=one.case_seq, indexes=indexes, accepted=newest)


def _said(proof: TlogProof) -> Leaf:
    if proof.extra is None:
        raise Malformed("nothing-between", f"the proof of entry {proof.index} does not hold its leaf")
    return wire.decode(proof.extra)
