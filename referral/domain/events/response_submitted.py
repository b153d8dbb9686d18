"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.claim import Claim
from referral.domain.events.signed import Signed
from referral.domain.value import Value


class Word(StrEnum):
    """The answer."""

    UNKNOWN = "UNKNOWN"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    ACCEPT = "ACCEPT"
    ARRIVE = "ARRIVE"
    COMPLETE = "COMPLETE"
    DECLINE = "DECLINE"
    HOLD = "HOLD"
    RETURN = "RETURN"
    DECIDE = "DECIDE"


class Via(StrEnum):
    """How the answer came."""

    UNKNOWN = "UNKNOWN"
    SYSTEM = "SYSTEM"
    WEB = "WEB"
    PHONE = "PHONE"


class ResponseSubmitted(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency answers an offer."""

    TYPE: ClassVar[str] = "response-submitted.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("response_id", "offer_id", "by", "recorded_by",)

    response_id: str
    """This answer."""
    offer_id: str
    """The offer that it answers."""
    agency: str
    """Who answers."""
    word: Word
    """The answer."""
    reason: str
    """Coded reason of a decline, hold or return; else empty."""
    code: str
    """Code of a decision; else empty."""
    recorded: tuple[str, ...]
    """What was written to the case file with it, e.g. reason, child-view."""
    by: str | None = None
    """Account of the person who answered; null when a system did."""
    via: Via
    """How the answer came."""
    recorded_by: str | None = None
    """Account of the person who wrote down a telephone answer."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""
