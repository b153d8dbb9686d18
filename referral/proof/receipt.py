"""Verify the receipt of a referral: its event is in a log that witnesses have cosigned.

Pure and offline: the files that an agency stores are enough, without a time limit. They hold ids, sequence and digests, no secret.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from referral.errors import Malformed, Unproven
from referral.proof.entry import INTAKE
from referral.tlog import proof_file, witness_policy
from referral.tlog.merkle import leaf_hash
from referral.wire import leaf as wire
from referral.wire.signed import statements, trust_lines
from referral.wire.signed.statements import Kind

PROMISE_S = 600
"""Seconds within which intake promises to log what it accepted (ours). Longer than any restart of the services, shorter than the
shortest first limit of a procedure (15 minutes), so that a lost referral is found before its silence would count.
"""
SAID = ("case_id", "event_id", "received_at", "logged_by")
"""The fields that intake signs after the receipt's id, each on its own line, as spelled in the JSON."""
NAMED = ("event_id", "case_id")
"""The fields of a receipt that the leaf must contain."""


def statement(id: str, said: Mapping[str, object]) -> bytes:
    """Return the bytes that intake signs. id: of the referral, or of another message."""
    return statements.write(Kind.RECEIPT, id, *(said.get(name) for name in SAID))


def event_statement(id: str, said: Mapping[str, object]) -> bytes:
    """Return the bytes by which intake says what it has recorded: those of a receipt, and the digest of the event's words."""
    return statements.write(Kind.EVENT_RECEIPT, id, *(said.get(name) for name in (*SAID, "event_digest")))


def promised(receipt: Mapping[str, object], policy: bytes) -> datetime:
    """Return the time until which intake has promised, under its signature, to log the event.

    policy: the file that names intake's key. Malformed: the policy names no key. Unproven: no key in it has signed this receipt, or the
    digest of the words in it.
    """
    keys = trust_lines.intake_keys(policy)
    if not keys:
        raise Malformed("policy", "no line `# intake ed25519 …` names the key with which intake signs receipts")
    try:
        signature = b64decode(str(receipt.get("signature", "")), validate=True)
        words = b64decode(str(receipt.get("event_signature", "")), validate=True) if receipt.get("event_digest") else b""
        until = datetime.fromisoformat(str(receipt.get("logged_by", "")))
    except (Error, ValueError):
        raise Unproven("receipt", "it has no signature of intake, or no time until which it must be logged") from None
    id = str(receipt.get("referral_id") or receipt.get("id") or "")
    if until.tzinfo is None or not statements.holds_by_any(keys, signature, statement(id, receipt)):
        raise Unproven("receipt", "intake has not signed this: something in it was changed, or somebody else wrote it")
    if receipt.get("event_digest") and not statements.holds_by_any(keys, words, event_statement(id, receipt)):
        raise Unproven("receipt", "intake has not signed this digest of the words that it recorded: somebody else wrote it")
    return until


class ProvenReceipt(Struct, frozen=True, kw_only=True):
    """The verified receipt. index: of the leaf. size: of the cosigned log. logged_at: µs UTC.

    sha256: of the sealed record as it was published, in hex. seen: Unix seconds at which a quorum of witnesses had signed that log.
    """

    event_id: str
    case_id: str
    log: str
    index: int
    size: int
    witnesses: tuple[str, ...]
    logged_at: int
    sha256: str
    seen: int | None


def check(receipt: Mapping[str, object], proof: bytes, policy: bytes) -> ProvenReceipt:
    """Verify a receipt.

    receipt: as intake returned it. proof: the `.tlog-proof`. policy: a trusted file that names log, witnesses and quorum.
    Malformed: one of them cannot be parsed. Unproven: one of them does not hold, or the proof is of another event. NewerVersion: a newer
    program wrote the leaf.
    """
    parsed = proof_file.parse(proof)
    if parsed.extra is None:
        raise Unproven("receipt", "the proof does not hold the leaf that it is of (its line `extra`)")
    accepted = proof_file.check(parsed, leaf_hash(parsed.extra), witness_policy.parse(policy))
    leaf = wire.decode(parsed.extra)
    if leaf.topic != INTAKE:
        raise Unproven("receipt", f"this proves a record of {leaf.topic}, and what an agency sends stands in {INTAKE}")
    expected = {"event_id": leaf.event_id, "case_id": leaf.case_id}
    for name in NAMED:
        if receipt.get(name) != expected[name]:
            raise Unproven("receipt", f"this proves another event: the {name} of the leaf is not the receipt's")
    return ProvenReceipt(
        event_id=str(leaf.event_id),
        case_id=str(leaf.case_id),
        log=accepted.checkpoint.origin,
        index=parsed.index,
        size=accepted.checkpoint.size,
        witnesses=tuple(accepted.witnesses),
        logged_at=leaf.logged_at,
        sha256=leaf.sha256.hex(),
        seen=accepted.seen,
    )
