"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.roster_row import RosterRow
from referral.domain.value import Value


class RosterChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody changed whom the notifier may knock, or paused it. Belongs to no case: its records stand under the id of the roster's book."""

    TYPE: ClassVar[str] = "roster-changed.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("changed_by",)

    at: int
    """When."""
    changed_by: str
    """Pseudonym of the operator: a keyed digest of the operating system's account that ran the command."""
    rows: tuple[RosterRow, ...]
    """What began and what ended."""
    thrown_away: int
    """How many waiting knocks were thrown away with it; each is told as knock-failed under its own case."""
