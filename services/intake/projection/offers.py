"""Fold routing's events into changes of intake's rows: offers, tasks, tracks, referrals and links. Pure: a later event of a batch
overwrites an earlier one."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from referral.domain.events import (
    CaseClosed,
    CaseLinked,
    CaseOpened,
    How,
    InputIgnored,
    NeedsPerson,
    OfferAccepted,
    OfferAcknowledged,
    OfferArrived,
    OfferClosed,
    OfferEscalated,
    OfferHeld,
    OfferOpened,
    OfferReopened,
    PersonNotNeeded,
    ReferralAttached,
    ReferralSubmitted,
    TrackChanged,
    TrackState,
    UndoAllowed,
)
from referral.domain.evolve import ACKNOWLEDGER_EXCLUDED, GOES_ON
from referral.domain.inputs import Input

Limited = OfferEscalated | OfferAcknowledged | OfferAccepted | OfferArrived | OfferReopened
"""Events that say which limit of an offer runs from now on."""
UNTOLD = frozenset({"EXCLUDED", "all-excluded"})
"""Reasons that the agency of an offer is not shown: an implicated agency must not learn from us that somebody named it."""


class Held(Struct, kw_only=True):
    """The state of an offer after a batch; None in a field: unchanged. opened: the offer's event, when the offer began in this batch."""

    opened: OfferOpened | None = None
    case_id: str = ""
    opened_at: int = 0
    state: str | None = None
    rung: int | None = None
    arrived: bool | None = None
    due: int | None = None
    due_what: str = ""
    at: int = 0
    closed_at: int | None = None
    reason: str = ""


class Closing(Struct, frozen=True, kw_only=True):
    """The closing of a case. at: None when the case was opened again. outcome: how it ended. sealed_at: sections written until then are
    never disclosed again; None: unchanged."""

    at: int | None
    outcome: str | None = None
    sealed_at: int | None = None


@dataclass(slots=True)
class Changes:
    """The changes that a batch of routing's events makes.

    became: referral id → its new state.
    links: (case id, other case id, kind, when, µs UTC).
    tracks: track id → (case id, pathway, when it began or changed, µs UTC).
    undos: case id → offer id → until when its agency may take its answer back; None: no longer.
    went_on: cases in which nothing can be taken back but what `undos` says: they have gone on.
    answered: id of the first event of a decision → the reason why the answer changed nothing; empty where it took effect.
    """

    offers: dict[str, Held] = field(default_factory=dict)
    tasks: dict[tuple[str, str], tuple[Input, NeedsPerson]] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    tracks: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    became: dict[str, str] = field(default_factory=dict)
    closed: dict[str, Closing] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    links: list[tuple[str, str, str, int]] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)
    undos: dict[str, dict[str, int | None]] = field(default_factory=dict)
    went_on: set[str] = field(default_factory=set)


def fold(changes: Changes, record: Input) -> None:
    """Fold one event of routing into the changes."""
    head = getattr(record.body, "head", None)
    if head is not None and head.topic == ReferralSubmitted.TOPIC:
        changes.answered[record.id] = record.body.reason if isinstance(record.body, InputIgnored) else ""
    if type(record.body) in GOES_ON:
        changes.undos.pop(record.case_id, None)
        changes.went_on.add(record.case_id)
    match record.body:
        case OfferOpened() as body:
            changes.offers[body.offer_id] = _opened(record, body)
        case OfferEscalated() as body:
            held = _limit(changes, record, body)
            held.rung = body.rung
            if body.reason == ACKNOWLEDGER_EXCLUDED:
                held.state = "OFFERED"
        case OfferAcknowledged() as body:
            _limit(changes, record, body).state = "ACKNOWLEDGED"
        case OfferAccepted() as body:
            _limit(changes, record, body).state = "ACCEPTED"
        case OfferArrived() as body:
            held = _limit(changes, record, body)
            held.state, held.arrived = "ACCEPTED", True
        case OfferHeld() as body:
            held = _held(changes, record, body.offer_id)
            held.state, held.due, held.due_what, held.reason = "ON_HOLD", body.due, "hold", body.reason
        case OfferClosed() as body:
            held = _held(changes, record, body.offer_id)
            held.state, held.due, held.due_what = ended(body.how), None, ""
            held.closed_at, held.reason = record.at, "" if body.reason in UNTOLD else body.reason
        case UndoAllowed() as body:
            changes.undos.setdefault(record.case_id, {})[body.offer_id] = body.until
        case OfferReopened() as body:
            held = _limit(changes, record, body)
            held.state, held.arrived = "ON_HOLD" if body.due_what == "hold" else "ACCEPTED", body.arrived
            changes.undos.setdefault(record.case_id, {})[body.offer_id] = None
        case _:
            _case(changes, record)


def ended(how: How) -> str:
    """Return the state of an offer that ended: CANCELLED for a way that this program does not know."""
    return "CANCELLED" if how is How.UNKNOWN else how.value


def _case(changes: Changes, record: Input) -> None:
    match record.body:
        case NeedsPerson() as body:
            changes.tasks[body.task_id, body.desk] = record, body
            changes.settled.pop(body.task_id, None)
        case PersonNotNeeded() as body:
            changes.settled[body.task_id] = record.at
        case TrackChanged() as body:
            changes.tracks[body.track_id] = record.case_id, body.pathway, record.at
            if body.state is TrackState.OPENED:
                _closing(changes, record, None, None)
        case CaseOpened() as body:
            changes.became[body.referral_id] = "OPENED"
        case ReferralAttached() as body:
            changes.became[body.referral_id] = "ATTACHED"
        case InputIgnored() as body:
            changes.ignored.append(record.id)
            if body.referral_id:
                changes.became[body.referral_id] = "IGNORED"
        case CaseLinked() as body:
            changes.links.append((record.case_id, body.other, body.how, record.at))
        case CaseClosed() as body:
            _closing(changes, record, record.at, record.at if body.sealed else None, body.outcome)
        case _:
            pass


def _closing(changes: Changes, record: Input, at: int | None, sealed_at: int | None, outcome: str | None = None) -> None:
    before = changes.closed.get(record.case_id)
    changes.closed[record.case_id] = Closing(at=at, outcome=outcome, sealed_at=sealed_at or (before.sealed_at if before else None))


def _opened(record: Input, body: OfferOpened) -> Held:
    return Held(
        opened=body,
        case_id=record.case_id,
        opened_at=record.at,
        state="OFFERED",
        rung=body.rung,
        due=body.due,
        due_what=body.due_what,
        at=record.at,
    )


def _held(changes: Changes, record: Input, offer_id: str) -> Held:
    held = changes.offers.setdefault(offer_id, Held(case_id=record.case_id))
    held.at, held.closed_at, held.reason = record.at, None, ""
    return held


def _limit(changes: Changes, record: Input, body: Limited) -> Held:
    held = _held(changes, record, body.offer_id)
    held.due, held.due_what = body.due, body.due_what
    return held
