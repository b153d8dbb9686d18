"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class RungFailed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nobody on duty at this rung, or nobody there can be reached: routing climbs at once. With channels-away the fault is ours: nothing climbs."""

    TYPE: ClassVar[str] = "rung-failed.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    offer_id: str
    """The offer."""
    rung: int
    """Rung."""
    reason: str
    """nobody-on-duty, all-channels-failed, all-excluded: theirs. channels-away: ours; nobody of this offer has been told yet."""
    at: int
    """When."""
