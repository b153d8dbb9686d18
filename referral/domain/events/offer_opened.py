"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class OfferKind(StrEnum):
    """Kind of the step."""

    UNKNOWN = "UNKNOWN"
    NOTIFY = "NOTIFY"
    REQUEST = "REQUEST"
    JOINT = "JOINT"
    DECIDE = "DECIDE"
    PLACE = "PLACE"


class Reach(StrEnum):
    """How the agency is reached; PHONE makes a call task."""

    UNKNOWN = "UNKNOWN"
    SYSTEM = "SYSTEM"
    WEB = "WEB"
    PHONE = "PHONE"


class OfferOpened(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seat is put to one agency. Carries all that the door and the notifier need."""

    TYPE: ClassVar[str] = "offer-opened.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("track_id", "offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    track_id: str
    """Track."""
    step: str
    """Step."""
    round: int
    """Count of reviews, visits or moves, from 0."""
    seat: int
    """Seat of the step."""
    offer_id: str
    """The offer."""
    kind: OfferKind
    """Kind of the step."""
    role: str
    """Role asked for."""
    agency: str
    """Agency asked."""
    service: str
    """Service of that agency."""
    reach: Reach
    """How the agency is reached; PHONE makes a call task."""
    urgency: str
    """Urgency of the case."""
    ladder: tuple[str, ...]
    """Rungs inside the agency, lowest first."""
    rung: int
    """Rung asked first."""
    shows: tuple[str, ...]
    """Sections of the case file that it may read."""
    words: tuple[str, ...]
    """Answers that are possible now or later, e.g. ACKNOWLEDGE, ACCEPT, DECLINE."""
    reasons: tuple[str, ...]
    """Reasons that it may decline with."""
    codes: tuple[str, ...]
    """Codes of a decision; else empty."""
    needs: tuple[str, ...]
    """What must be recorded with the answer, e.g. reason, child-view."""
    skip: tuple[str, ...]
    """Members of staff that must not be knocked."""
    due: int | None = None
    """Next limit; null where no answer is needed."""
    due_what: str
    """Which limit: acknowledge, accept, arrive, present, complete, decide."""
