"""An erasure as intake says it, for tests of those who read it."""

from __future__ import annotations

from referral.domain.events import CaseErased
from referral.runtime import erasure
from referral.runtime.keys import Keys

PLAIN = CaseErased(
    requested_by="00000000-0000-4000-8000-0000000000a1",
    requested_at=1,
    approved_by="00000000-0000-4000-8000-0000000000a2",
    approved_at=2,
    basis="storage-ended",
    records=1,
)


def erased(keys: Keys, case_id: str) -> CaseErased:
    """With the tag that makes it believed."""
    return erasure.tagged(keys, case_id, PLAIN)
