"""The receipt of a referral, proven: the log's proof and the witnesses' policy say that its event is in a log that others have seen.

Pure and offline: what an agency keeps is enough, for ever. What is read here is nobody's secret: ids, sequence and digests.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from referral.errors import Unproven
from referral.proof import tlog_proof, witness_policy
from referral.proof.entry import INTAKE
from referral.proof.merkle import leaf_hash
from referral.wire import leaf as wire

NAMED = ("event_id", "case_id")
"""What of a receipt the leaf must name."""


class Proven(Struct, frozen=True, kw_only=True):
    """index: of the leaf. size: of the cosigned log. logged_at: µs UTC. sha256: of the sealed record as it was published, in hex."""

    event_id: str
    case_id: str
    log: str
    index: int
    size: int
    witnesses: tuple[str, ...]
    logged_at: int
    sha256: str


def check(receipt: Mapping[str, object], proof: bytes, policy: bytes) -> Proven:
    """receipt: as the door gave it. proof: the `.tlog-proof`. policy: the file that names log, witnesses and quorum, which you trust.

    Malformed: something is not what it should be. Unproven, one of them: it does not hold, or is the proof of another event. NewerVersion:
    a newer program wrote the leaf.
    """
    found = tlog_proof.parse(proof)
    if found.extra is None:
        raise Unproven("receipt", "the proof does not hold the leaf that it is of (its line `extra`)")
    accepted = tlog_proof.check(found, leaf_hash(found.extra), witness_policy.parse(policy))
    leaf = wire.decode(found.extra)
    if leaf.topic != INTAKE:
        raise Unproven("receipt", f"this proves a record of {leaf.topic}, and what an agency sends stands in {INTAKE}")
    said = {"event_id": leaf.event_id, "case_id": leaf.case_id}
    for name in NAMED:
        if receipt.get(name) != said[name]:
            raise Unproven("receipt", f"this proves another event: the {name} of the leaf is not the receipt's")
    return Proven(
        event_id=str(leaf.event_id),
        case_id=str(leaf.case_id),
        log=accepted.checkpoint.origin,
        index=found.index,
        size=accepted.checkpoint.size,
        witnesses=tuple(accepted.witnesses),
        logged_at=leaf.logged_at,
        sha256=leaf.sha256.hex(),
    )
