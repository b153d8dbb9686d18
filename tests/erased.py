"""An erasure as intake says it, for tests of those who read it."""

from __future__ import annotations

from msgspec import structs

from referral.domain.events import CaseErased
from referral.runtime import erasure
from referral.runtime.keys import Keys

PLAIN = CaseErased(
    requested_by="a1a1a1a1-0000-4000-8000-000000000001",
    requested_at=1,
    approved_by="a2a2a2a2-0000-4000-8000-000000000002",
    approved_at=2,
    basis="storage-ended",
    records=1,
)


def erased(keys: Keys, case_id: str, records: int = 1) -> CaseErased:
    """With the tag that makes it believed. records: of intake about the case before it."""
    return erasure.tagged(keys, case_id, structs.replace(PLAIN, records=records))
