"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class CaseLinked(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person says that two cases belong together."""

    TYPE: ClassVar[str] = "case-linked.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("other",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    other: str
    """The other case."""
    how: str
    """sibling, same-person …"""
