"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.events.shared import RosterRow
from referral.domain.value import Value


class KnockAnswered(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person has answered a message by a key, a reply or the page that needs the digits of the message. It never does more than acknowledge."""

    TYPE: ClassVar[str] = "knock-answered.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "task_id", "person", "reference",)

    offer_id: str | None = None
    """The offer; null for a desk's task."""
    task_id: str | None = None
    """The desk's task; null for an offer."""
    rung: int
    """Rung."""
    person: str | None = None
    """Pseudonymous id of the person knocked."""
    channel: str
    """email, phone …"""
    word: str
    """LOOKS: I look at it. CANNOT: I cannot."""
    at: int
    """When."""
    reference: str
    """Reference of the message that was answered."""


class KnockDelivered(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider reports that a message has arrived on the handset. It says nothing about a person."""

    TYPE: ClassVar[str] = "knock-delivered.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "task_id", "person", "reference",)

    offer_id: str | None = None
    """The offer; null for a desk's task."""
    task_id: str | None = None
    """The desk's task; null for an offer."""
    rung: int
    """Rung."""
    person: str | None = None
    """Pseudonymous id of the person knocked."""
    channel: str
    """email, phone …"""
    again: int
    """0 for the first knock at this rung, then the count of repeats; (offer or task, rung, person, channel, again) is sent once."""
    at: int
    """When."""
    reference: str
    """Reference of the message that arrived."""


class KnockDisowned(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody else wrote a record of this case on the topic of the notifier, and readers may have believed it: a person finds out what followed from it."""

    TYPE: ClassVar[str] = "knock-disowned.v1"
    TOPIC: ClassVar[str] = "referral-notification"

    sequence: int
    """Sequence that the other record claimed in this topic."""
    offset: int
    """Its offset, in the partition of this one."""


class KnockFailed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One channel could not reach one person."""

    TYPE: ClassVar[str] = "knock-failed.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "task_id", "person",)

    offer_id: str | None = None
    """The offer; null for a desk's task."""
    task_id: str | None = None
    """The desk's task; null for an offer."""
    rung: int
    """Rung."""
    person: str | None = None
    """Pseudonymous id of the person knocked."""
    channel: str
    """email, phone …"""
    again: int
    """0 for the first knock at this rung, then the count of repeats; (offer or task, rung, person, channel, again) is sent once."""
    at: int
    """When."""
    reason: str
    """Why."""
    attempts: int
    """How often it was tried."""


class KnockSent(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message without content left for one person."""

    TYPE: ClassVar[str] = "knock-sent.v1"
    TOPIC: ClassVar[str] = "referral-notification"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "task_id", "person", "reference",)

    offer_id: str | None = None
    """The offer; null for a desk's task."""
    task_id: str | None = None
    """The desk's task; null for an offer."""
    rung: int
    """Rung."""
    person: str | None = None
    """Pseudonymous id of the person knocked."""
    channel: str
    """email, phone …"""
    again: int
    """0 for the first knock at this rung, then the count of repeats; (offer or task, rung, person, channel, again) is sent once."""
    at: int
    """When."""
    reference: str
    """Random reference that the message shows; the same in several knocks that one message carried."""


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
