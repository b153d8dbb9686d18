"""An erasure as intake says it, for tests of those who read it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from referral.domain.events import CaseErased
from referral.wire import intake_key

KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
"""Intake's own key in every test that makes no other."""
INTAKE = (KEY.public_key().public_bytes_raw(),)
"""Those by which its readers believe an erasure."""
PLAIN = CaseErased(
    requested_by="a1a1a1a1-0000-4000-8000-000000000001",
    requested_at=1,
    approved_by="a2a2a2a2-0000-4000-8000-000000000002",
    approved_at=2,
    basis="storage-ended",
    records=1,
)


def erased(case_id: str, records: int = 1, **other: object) -> CaseErased:
    """With the signature that makes it believed. records: of intake about the case before it. other: fields that it says otherwise."""
    return intake_key.signed(KEY, case_id, structs.replace(PLAIN, records=records, **other))
