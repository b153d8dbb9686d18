"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class RungReached(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody of the agency has been told after all: said only after a RungFailed with channels-away."""

    TYPE: ClassVar[str] = "rung-reached.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    offer_id: str
    """The offer."""
    rung: int
    """Rung of whom was told."""
    at: int
    """When."""
