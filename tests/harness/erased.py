"""An erasure as intake says it, for tests of those who read it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from referral.domain.events import CaseErased
from referral.wire.signed import erasure_approval, trust_lines
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.trust_lines import Keyword

KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
"""Intake's own key in every test that makes no other."""
INTAKE = Erasers((KEY.public_key().public_bytes_raw(),))
"""Those by which its readers believe an erasure, where no approvers are named."""
PLAIN = CaseErased(
    requested_by="a1a1a1a1-0000-4000-8000-000000000001",
    requested_at=1,
    approved_by="a2a2a2a2-0000-4000-8000-000000000002",
    approved_at=2,
    basis="storage-ended",
    records=1,
)


FIRST, SECOND, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (21, 22, 23))
"""The keys of two approvers, and of somebody whom no policy names."""
APPROVERS = {f"desk-prizren-{n}": key.public_key().public_bytes_raw() for n, key in ((1, FIRST), (2, SECOND))}
LINES = b"".join(trust_lines.key_line(Keyword.APPROVER, name, public) for name, public in APPROVERS.items())


def approved(
    case_id: str, asks: Ed25519PrivateKey = FIRST, approves: Ed25519PrivateKey = SECOND, by: Ed25519PrivateKey = KEY, **other: object
) -> CaseErased:
    """An erasure that two persons and intake signed. other: fields that it says otherwise than `PLAIN`."""
    body = structs.replace(PLAIN, **other)
    one, two = body.requested_by or "", body.approved_by or ""
    asked = asks.sign(erasure_approval.request(case_id, body.basis, one))
    second = approves.sign(erasure_approval.approval(case_id, body.basis, two, one, asked))
    return erasure_approval.signed(by, case_id, structs.replace(body, requested_signature=asked, approved_signature=second))


def erased(case_id: str, records: int = 1, **other: object) -> CaseErased:
    """With the signature that makes it believed. records: of intake about the case before it. other: fields that it says otherwise."""
    return erasure_approval.signed(KEY, case_id, structs.replace(PLAIN, records=records, **other))
