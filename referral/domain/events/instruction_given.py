"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.claim import Claim
from referral.domain.events.signed import Signed
from referral.domain.value import Value


class Instruction(StrEnum):
    """What shall happen."""

    UNKNOWN = "UNKNOWN"
    OFFER = "OFFER"
    REOPEN = "REOPEN"
    TRANSFER = "TRANSFER"
    OVERTAKEN = "OVERTAKEN"
    LINK = "LINK"
    CLOSE = "CLOSE"
    RELEASE = "RELEASE"
    STOP = "STOP"
    RESUME = "RESUME"
    SETTLE = "SETTLE"
    CONFIRM = "CONFIRM"
    REFUSE = "REFUSE"
    LIFT = "LIFT"


class InstructionGiven(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person at a desk decides what no rule can."""

    TYPE: ClassVar[str] = "instruction-given.v2"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("instruction_id", "by", "track_id", "other", "task_id",)

    instruction_id: str
    """This instruction."""
    word: Instruction
    """What shall happen."""
    agency: str
    """The desk."""
    by: str | None = None
    """Account of the person."""
    reason: str
    """Coded reason."""
    track_id: str | None = None
    """Track, where it matters."""
    step: str
    """Step, where it matters; else empty."""
    seat: int
    """Seat of that step."""
    target: str
    """Service to ask, decision code to settle, or actor (kind:id) whose exclusion is lifted; else empty."""
    other: str | None = None
    """The other case of a link."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""
    task_id: str | None = None
    """The task that a CONFIRM or REFUSE answers."""
