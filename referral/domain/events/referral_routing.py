"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.shared import Consent, Head, Traits, Why
from referral.domain.value import Value


class CaseChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traits, consent or exclusions of the case, as they hold from now on."""

    TYPE: ClassVar[str] = "case-changed.v3"
    TOPIC: ClassVar[str] = "referral-routing"

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    traits: Traits
    """Traits."""
    consent: Consent | None = None
    """Consent."""
    excluded: tuple[str, ...]
    """All excluded actors as kind:id, e.g. agency:csw-prizren, relation:parent."""
    consent_by: str
    """The agency that recorded the consent that holds: what it takes back for the person counts at once. Empty where none did."""
    lifted: tuple[str, ...] = ()
    """Actors that are kept away no longer since this event, as kind:id."""


class CaseClosed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every track has ended."""

    TYPE: ClassVar[str] = "case-closed.v1"
    TOPIC: ClassVar[str] = "referral-routing"

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    outcome: str
    """Outcome."""
    sealed: bool = False
    """What was written so far is never disclosed again, also after reopening (a juvenile's record)."""


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


class CaseOpened(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case begins with one referral."""

    TYPE: ClassVar[str] = "case-opened.v2"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    referral_id: str
    """The referral."""
    agency: str
    """Its sender."""
    traits: Traits
    """Traits."""
    consent: Consent | None = None
    """Consent."""
    excluded: tuple[str, ...] = ()
    """Who is kept away from the beginning, as kind:id."""
    drill: bool
    """An exercise."""


class CaseRaised(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deadline against a child was broken: a new, linked case begins."""

    TYPE: ClassVar[str] = "case-raised.v2"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("new_case_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    new_case_id: str
    """The new case."""
    pathway: str
    """Its pathway."""
    traits: Traits
    """Its traits."""
    excluded: tuple[str, ...] = ()
    """Who is kept away from the new case: the agency that it is about."""
    about: str
    """What it is about."""


class ChangeKind(StrEnum):
    """What would change."""

    UNKNOWN = "UNKNOWN"
    TRAITS = "TRAITS"
    CONSENT = "CONSENT"
    EXCLUSION = "EXCLUSION"
    LIFT = "LIFT"


class ChangeProposed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One party has said what would end a duty to the person, or undo a protection: it holds once a second party says so too."""

    TYPE: ClassVar[str] = "change-proposed.v2"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("task_id", "by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    task_id: str
    """The desk's task that asks for the second party's word; settling it ends the proposal."""
    kind: ChangeKind
    """What would change."""
    agency: str
    """Who says so: it cannot be the second party too."""
    by: str | None = None
    """Account of the person; null when a system did it."""
    traits: Traits | None = None
    """TRAITS: all traits, as they would hold."""
    consent: Consent | None = None
    """CONSENT: what would hold."""
    actor: str
    """EXCLUSION, LIFT: the actor as kind:id; else empty. It is kept away already while an exclusion waits."""


class DeadlinePassed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit was missed."""

    TYPE: ClassVar[str] = "deadline-passed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str | None = None
    """The offer, where there is one."""
    what: str
    """Which limit."""
    was_due: int
    """When it was due."""


class Decided(StrEnum):
    """How it came about."""

    UNKNOWN = "UNKNOWN"
    PERSON = "PERSON"
    AGREED = "AGREED"
    DISAGREED = "DISAGREED"
    SILENCE = "SILENCE"
    DESK = "DESK"


class DecisionRecorded(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One seat's code, or the step's whole decision."""

    TYPE: ClassVar[str] = "decision-recorded.v2"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("track_id", "by",)

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
    """Seat; -1 for the step as a whole."""
    code: str
    """The code."""
    how: Decided
    """How it came about."""
    by: str | None = None
    """Account."""
    pointed: str | None = None
    """The level to which the form of this step pointed, as intake said; null: the step has no form, a desk or silence decided, or not known."""


class InputIgnored(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input changed nothing, and why."""

    TYPE: ClassVar[str] = "input-ignored.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id", "offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    reason: str
    """Why."""
    referral_id: str | None = None
    """Referral, where the input was one."""
    offer_id: str | None = None
    """Offer, where the input answered one."""


class NeedsPerson(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No rule can place this: a desk must look."""

    TYPE: ClassVar[str] = "needs-person.v2"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("task_id", "track_id", "offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    task_id: str
    """This task."""
    desk: str
    """The desk."""
    about: str
    """What it is about."""
    track_id: str | None = None
    """Track."""
    step: str
    """Step; else empty."""
    seat: int
    """Seat; -1 where none."""
    rung: int
    """How far above the desk it has climbed: 0 desk, 1 supervising body, 2 oversight."""
    due: int | None = None
    """When it is repeated."""
    offer_id: str | None = None
    """The offer that the desk telephones about, or whose agency our messages did not reach; null for every other task."""


class OfferAccepted(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency takes the seat."""

    TYPE: ClassVar[str] = "offer-accepted.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    by: str | None = None
    """Account."""
    late: bool
    """It undid an expiry while the seat had no other."""
    due: int | None = None
    """Next limit."""
    due_what: str
    """Which limit."""


class OfferAcknowledged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person has seen the offer."""

    TYPE: ClassVar[str] = "offer-acknowledged.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    by: str | None = None
    """Account."""
    due: int | None = None
    """Next limit."""
    due_what: str
    """Which limit."""


class OfferArrived(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person is where the step wants them, or staff is present."""

    TYPE: ClassVar[str] = "offer-arrived.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    by: str | None = None
    """Account."""
    due: int | None = None
    """Next limit."""
    due_what: str
    """Which limit."""


class How(StrEnum):
    """How it ended."""

    UNKNOWN = "UNKNOWN"
    COMPLETED = "COMPLETED"
    DECLINED_BY_AGENCY = "DECLINED_BY_AGENCY"
    DECLINED_BY_PERSON = "DECLINED_BY_PERSON"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    RETURNED = "RETURNED"
    RELEASED = "RELEASED"
    OVERTAKEN = "OVERTAKEN"
    ENTERED_IN_ERROR = "ENTERED_IN_ERROR"


class OfferClosed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The offer ends: reading and knocks end with it."""

    TYPE: ClassVar[str] = "offer-closed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    how: How
    """How it ended."""
    reason: str
    """Coded reason; else empty."""


class OfferEscalated(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rung of the agency is knocked: the next one after silence, or the same one anew."""

    TYPE: ClassVar[str] = "offer-escalated.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    rung: int
    """Rung now, from 0."""
    reason: str | None = None
    """Why it climbs: acknowledge (the limit passed), or the reason of a RungFailed; acknowledger-excluded: the same rung anew."""
    due: int | None = None
    """Next limit."""
    due_what: str
    """Which limit."""


class OfferHeld(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency keeps the seat and waits; limits stand still until due."""

    TYPE: ClassVar[str] = "offer-held.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    by: str | None = None
    """Account."""
    reason: str
    """Why."""
    due: int | None = None
    """End of the hold; null: declined under a statutory duty, and kept until another accepts."""


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


class OfferReopened(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An offer that its agency had completed is open again, as it was before: the agency took its answer back."""

    TYPE: ClassVar[str] = "offer-reopened.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id", "by", "track_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    by: str | None = None
    """Account of the person who took it back; null when a system did, or a desk for the agency."""
    track_id: str
    """Track of the offer."""
    step: str
    """Step of the offer."""
    arrived: bool
    """The arrival had been confirmed before; else it was accepted."""
    due: int | None = None
    """The limit that runs again; it may have passed meanwhile."""
    due_what: str
    """Name of that limit; empty where none runs."""
    done_at: int | None = None
    """When the answer had also finished the step, which is open again; null where it had not."""


class OfferUnheard(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our channels are away and nobody of the agency has been told, or somebody has been told at last. Silence in between is not the agency's."""

    TYPE: ClassVar[str] = "offer-unheard.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The offer."""
    rung: int
    """Rung."""
    away: bool
    """True: nobody has been told. False: somebody has been told now."""


class PersonNotNeeded(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The desk's task is settled."""

    TYPE: ClassVar[str] = "person-not-needed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("task_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    task_id: str
    """The task."""
    how: str
    """What settled it."""


class ReferralAttached(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further referral for a case that exists."""

    TYPE: ClassVar[str] = "referral-attached.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("referral_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    referral_id: str
    """The referral."""
    agency: str
    """Its sender."""


class StepDone(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step has its outcome."""

    TYPE: ClassVar[str] = "step-done.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("track_id",)

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
    outcome: str
    """Outcome: done, a decision's code, not-needed, unfilled …"""


class StepKind(StrEnum):
    """Kind of the step."""

    UNKNOWN = "UNKNOWN"
    NOTIFY = "NOTIFY"
    REQUEST = "REQUEST"
    JOINT = "JOINT"
    DECIDE = "DECIDE"
    PLACE = "PLACE"
    FEED = "FEED"


class StepOpened(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step begins, with the seats that it needs."""

    TYPE: ClassVar[str] = "step-opened.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("track_id",)

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
    kind: StepKind
    """Kind of the step."""
    seats: tuple[str, ...]
    """Role of every seat, in order."""
    starts: int | None = None
    """When its seats are offered, where that is later (a review, a monitoring visit); else null."""


class TrackState(StrEnum):
    """What happened."""

    UNKNOWN = "UNKNOWN"
    OPENED = "OPENED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    SWITCHED = "SWITCHED"
    ENDED = "ENDED"


class TrackChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pathway begins, pauses, resumes, switches or ends for the case."""

    TYPE: ClassVar[str] = "track-changed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("track_id", "opened_by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    track_id: str
    """Track."""
    pathway: str
    """Pathway."""
    digest: str
    """Digest of the procedure pinned for it."""
    state: TrackState
    """What happened."""
    paused_by: str
    """Pathway that pauses it; else empty."""
    opened_by: str | None = None
    """The track that opened this one by a change of its procedure; else null."""
    outcome: str
    """Outcome when it ends; else empty."""


class UndoAllowed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency may take back until a time that it has completed an offer: nobody else was asked because of it."""

    TYPE: ClassVar[str] = "undo-allowed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("offer_id",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    offer_id: str
    """The completed offer."""
    until: int
    """The last moment at which routing takes it back, unless somebody else is asked before."""
    arrived: bool
    """The arrival had been confirmed before it was completed; else it was accepted."""
    due: int | None = None
    """The limit that ran when it was completed."""
    due_what: str
    """Name of that limit; empty where none ran."""
    done_at: int | None = None
    """When the completion also finished the step; null where it did not."""
