"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class CaseErased(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two persons have had the case erased: after this entry its key and rows are destroyed. Travels unsealed, because its key will be gone, and says nothing about the child. Intake signs it with a key of its own."""

    TYPE: ClassVar[str] = "case-erased.v3"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("requested_by", "approved_by",)

    requested_by: str | None = None
    """Account of the person who asked for it."""
    requested_at: int
    """When."""
    approved_by: str | None = None
    """Account of the other person, who approved it."""
    approved_at: int
    """When."""
    basis: str
    """Legal basis."""
    records: int
    """How many records of the case stand on referral-intake before this one."""
    signature: bytes | None = None
    """Ed25519 signature of intake, under a key that no other service holds, over the case and the fields above (both persons among them): the master key and the broker erase nothing."""
