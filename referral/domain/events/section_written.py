"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class SectionWritten(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency wrote a section of the case file. Nothing of its content."""

    TYPE: ClassVar[str] = "section-written.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("by", "offers",)

    agency: str
    """Who wrote."""
    by: str | None = None
    """Account of the person; null when a system wrote."""
    section: str
    """What was written."""
    version: int
    """Number of the version, from 1; below 0 where it was put aside, because the sender of a further referral may not replace what others wrote."""
    content: bytes
    """HMAC-SHA256 over case, section, version and content, under a key of intake: who has the content and intake's key can show that it was this."""
    offers: tuple[str, ...]
    """Open offers of others that let them read the section: their agencies are knocked."""
    at: int
    """When."""
