"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class CaseErased(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two persons have had the case erased: after this entry its key and rows are destroyed. Travels unsealed, because its key will be gone, and says nothing about the child."""

    TYPE: ClassVar[str] = "case-erased.v2"
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
    tag: bytes | None = None
    """HMAC-SHA256 under a key that the master key yields, over the case and the fields above: who can only write to the topic erases nothing."""
