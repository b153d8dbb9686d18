"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.shared import Claim, Consent, Signed, Traits
from referral.domain.value import Value


class AccountChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody changed who may sign in for an agency, or who is a head of it. Belongs to no case: its records stand under the id of the roster's book."""

    TYPE: ClassVar[str] = "account-changed.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("account", "changed_by",)

    at: int
    """When."""
    agency: str
    """The agency of the account."""
    account: str
    """The inbox account that was changed."""
    change: str
    """Change that was made: added, invited, head, no-head, off or on."""
    changed_by: str
    """Account of the head who did it (version 4), or pseudonym of the operator (version 5), as in roster-changed."""


class ActorKind(StrEnum):
    """What is excluded."""

    UNKNOWN = "UNKNOWN"
    AGENCY = "AGENCY"
    STAFF = "STAFF"
    RELATION = "RELATION"


class ActorExcluded(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency, a member of staff or a relative must neither be asked nor see anything."""

    TYPE: ClassVar[str] = "actor-excluded.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("by",)

    agency: str
    """Who recorded it."""
    by: str | None = None
    """Account of the person."""
    kind: ActorKind
    """What is excluded."""
    actor: str
    """Agency id, account id, or a relation such as parent."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""


class AnswerWithdrawn(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency takes back that its part is done: it was pressed by mistake."""

    TYPE: ClassVar[str] = "answer-withdrawn.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by", "recorded_by",)

    offer_id: str
    """The offer that it had completed."""
    agency: str
    """Agency that takes it back."""
    by: str | None = None
    """Account of the person who takes it back; null when a system did, or the agency by telephone."""
    recorded_by: str | None = None
    """Account at the desk that wrote it down for an agency on the telephone; else null."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""


class CaseErased(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two persons have had the case erased: after this entry its key and rows are destroyed. Travels unsealed, because its key will be gone, and says nothing about the child. Intake signs it with a key of its own, and each of the two persons with theirs."""

    TYPE: ClassVar[str] = "case-erased.v4"
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
    signature: bytes | None = None
    """Ed25519 signature of intake, under a key that no other service holds, over the case and the fields above (both persons among them): the master key and the broker erase nothing."""
    requested_signature: bytes | None = None
    """Ed25519 signature of the person who asked, under a key that no service holds, over the case, the basis and their account; none where the witness policy names no approvers."""
    approved_signature: bytes | None = None
    """Ed25519 signature of the other person, over the same case and basis, both accounts, and the request's signature."""


class ConsentChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Consent was given, refused or withdrawn."""

    TYPE: ClassVar[str] = "consent-changed.v1"
    TOPIC: ClassVar[str] = "referral-intake"

    agency: str
    """Who recorded it."""
    consent: Consent
    """What holds from now on."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""


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


class RecordDisowned(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody else wrote a record of this case on the topic of intake, and readers may have believed it: a person finds out what followed from it."""

    TYPE: ClassVar[str] = "record-disowned.v1"
    TOPIC: ClassVar[str] = "referral-intake"

    sequence: int
    """Sequence that the other record claimed in this topic."""
    offset: int
    """Its offset, in the partition of this one."""


class Door(StrEnum):
    """How it came in."""

    UNKNOWN = "UNKNOWN"
    HTTP = "HTTP"
    KAFKA = "KAFKA"
    WEB = "WEB"
    SYSTEM = "SYSTEM"


class ReferralSubmitted(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency asks for help for one person."""

    TYPE: ClassVar[str] = "referral-submitted.v2"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id",)

    referral_id: str
    """The request, as published."""
    agency: str
    """The sender."""
    door: Door
    """How it came in."""
    opens: bool
    """True when it opens a new case, false when the sender named one that it may see."""
    traits: Traits
    """What the procedure may look at."""
    consent: Consent | None = None
    """Consent, where it was asked."""
    sections: tuple[str, ...]
    """Sections of the case file that were filled."""
    excludes: tuple[str, ...] = ()
    """Who must be kept away from the first moment, as kind:id, e.g. agency:csw-prizren (a complaint's subject)."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""


class ReferralWithdrawn(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sender takes a referral back; a desk decides what that means for a child."""

    TYPE: ClassVar[str] = "referral-withdrawn.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id",)

    referral_id: str
    """The referral."""
    agency: str
    """The sender."""
    reason: str
    """Coded reason."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""


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

    TYPE: ClassVar[str] = "response-submitted.v2"
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
    pointed: str | None = None
    """The level to which the form of this step pointed when the door took it; null: the step has no form, or not known."""


class SectionDisclosed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency read a section of the case file: recorded before the answer left."""

    TYPE: ClassVar[str] = "section-disclosed.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by",)

    offer_id: str | None = None
    """Offer that allowed it; null for the desk or break-glass."""
    agency: str
    """Who read."""
    by: str | None = None
    """Account of the person; null when a system read."""
    section: str
    """What was read."""
    basis: str
    """Why it was allowed: offer, own-referral, desk, break-glass."""
    at: int
    """When."""


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


class TraitsChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Age settled, child moved, exploitation found."""

    TYPE: ClassVar[str] = "traits-changed.v3"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("by",)

    agency: str
    """Who recorded it."""
    by: str | None = None
    """Account of the person."""
    traits: Traits
    """All traits, as they hold from now on."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""
    only: tuple[str, ...] = ()
    """Names of the traits that the sender recorded; the others are as intake knew them, and say nothing. Empty: all."""
