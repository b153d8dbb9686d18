"""Response bodies of the API: structs for JSON, made from row values; times as RFC 3339 in UTC. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from referral.domain.case_number import case_number
from referral.domain.events import Door
from services.intake.api.receipts import signed
from services.intake.contacts import Contact
from services.intake.messages.timestamps import when
from services.intake.model import LATER, REUSED, Offer, Receipt, Referral, Refusal, Task
from services.intake.projection.offers import UNTOLD
from services.intake.projection.timeline import Line


class RefusalState(Struct, frozen=True, kw_only=True):
    """Something that came under a key and was not taken, so nobody has it. at: when it was read. door: by which it came."""

    at: str
    door: str
    code: str
    where: str
    hint: str


class SubmissionState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a key. state: TAKEN or REFUSED. kind: referral, response … id: of it. code, where, hint: why the newest was refused.
    logged_by, signature, file: as of a receipt, for what came by Kafka too.

    became: of an answer to an offer, or of its withdrawal: RECEIVED for the second or two until it is decided upon, then COUNTED or
    IGNORED. reason: why it was ignored, a word of the list ignored-reason; empty where it is not told.

    refusals: the newest first; beside what was TAKEN those that came after it, such as another child under the same number. HTTP answers
    at once, so that they are Kafka's.
    """

    state: str
    kind: str = ""
    id: str = ""
    case_id: str = ""
    event_id: str = ""
    received_at: str = ""
    logged_by: str = ""
    signature: str = ""
    file: str = ""
    became: str = ""
    reason: str = ""
    code: str = ""
    where: str = ""
    hint: str = ""
    refusals: tuple[RefusalState, ...] = ()


class ReferralState(Struct, frozen=True, kw_only=True):
    """state: RECEIVED for the second or two until it is decided upon, WAITING while nobody is asked and a person at a desk must act first,
    then the status words. waits_for: of WAITING, consent (the person has to be asked) or desk. became: RECEIVED, OPENED, ATTACHED or
    IGNORED. case_number: what people say on the telephone, the same at every agency; it follows from case_id."""

    referral_id: str
    case_id: str
    event_id: str
    received_at: str
    state: str
    became: str
    withdrawn_at: str | None
    waits_for: str = ""
    case_number: str = ""


class ContactState(Struct, frozen=True, kw_only=True):
    """An office that you may telephone about the case. step: the one that it holds; empty for the desk of the case."""

    step: str
    agency: str
    telephone: str


class OfferState(Struct, frozen=True, kw_only=True):
    """An offer that your agency holds or held. drill: an exercise, about nobody. words: answers that are possible now or later; none once
    it has ended, but a late ACCEPT of one that expired, which counts while nobody else has accepted. due: the next limit, which due_what
    names. case_number: as the inbox and every message to staff show it. pathway: the procedure. contacts: of one offer alone, those that
    the procedure names. undo_until: until when you may take back that your part is done, as long as nobody else was asked; null: you
    cannot."""

    offer_id: str
    case_id: str
    step: str
    role: str
    service: str
    kind: str
    urgency: str
    state: str
    arrived: bool
    reason: str
    words: tuple[str, ...]
    reasons: tuple[str, ...]
    codes: tuple[str, ...]
    needs: tuple[str, ...]
    shows: tuple[str, ...]
    ladder: tuple[str, ...]
    rung: int
    due: str | None
    due_what: str
    track_id: str
    seat: int
    opened_at: str
    closed_at: str | None
    case_number: str = ""
    pathway: str = ""
    contacts: tuple[ContactState, ...] = ()
    undo_until: str | None = None
    drill: bool = False


class Offers(Struct, frozen=True, kw_only=True):
    """Open ones: the next limit first, all of them. state=all: the newest first. more: there are older ones that are not shown."""

    offers: tuple[OfferState, ...]
    more: bool = False


class Codes(Struct, frozen=True, kw_only=True):
    """The code lists of the policy in force: list → its words. bundle: number of the policy, which changes when a list may have changed."""

    bundle: int
    codes: dict[str, tuple[str, ...]]


class TaskState(Struct, frozen=True, kw_only=True):
    """A task that a desk must look at."""

    task_id: str
    about: str
    track_id: str | None
    step: str
    seat: int
    rung: int
    due: str | None
    opened_at: str
    closed_at: str | None


class Moment(Struct, frozen=True, kw_only=True):
    """One line of the timeline."""

    at: str
    what: str
    step: str
    agency: str
    detail: str


class LinkState(Struct, frozen=True, kw_only=True):
    """Another case that belongs with this one, and that you may see too. how: sibling, same-person, raised (this one is about that one)."""

    case_id: str
    how: str


class CaseState(Struct, frozen=True, kw_only=True):
    """A case as far as your agency may see it: its own referrals and offers; for its desk also the tasks and the whole timeline.
    waits_for: of a case that is WAITING, consent or desk."""

    case_id: str
    state: str
    drill: bool
    referrals: tuple[ReferralState, ...]
    offers: tuple[OfferState, ...]
    tasks: tuple[TaskState, ...]
    timeline: tuple[Moment, ...]
    links: tuple[LinkState, ...] = ()
    waits_for: str = ""
    case_number: str = ""


class FileState(Struct, frozen=True, kw_only=True):
    """The sections that you may read now. Each reading is recorded. empty: allowed, but nobody has filled it."""

    case_id: str
    sections: dict[str, dict[str, Any]]
    empty: tuple[str, ...]


class SectionVersion(Struct, frozen=True, kw_only=True):
    """One version as it was written. version: below 0 where it was put aside, because its sender may not replace what others wrote."""

    version: int
    agency: str
    at: str
    content: dict[str, Any]


class SectionVersions(Struct, frozen=True, kw_only=True):
    """Every version of a section that agencies wrote, the oldest first. That you read them is recorded."""

    case_id: str
    section: str
    versions: tuple[SectionVersion, ...]


class Written(Struct, frozen=True, kw_only=True):
    """version: of this section, from 1. Every writing counts, the same content too."""

    case_id: str
    section: str
    version: int


class IngressKey(Struct, frozen=True, kw_only=True):
    """HPKE (RFC 9180), base mode. public_key: 32 bytes in hex."""

    kem: str
    kdf: str
    aead: str
    info: str
    public_key: str


def maybe(at: int | None) -> str | None:
    return None if at is None else when(at)


def submission(
    receipt: Receipt | None, refused: Sequence[Refusal], key: Ed25519PrivateKey, became: tuple[str, str] = ("", "")
) -> SubmissionState:
    """Return the state of a key: its receipt with the refusals that came after it, or the refusals alone. One of both exists.

    became: of an answer to an offer, as `store.became` returns it.
    """
    if receipt is None:
        newest, refusals = refused[0], tuple(map(_refusal, refused))
        why = {"code": newest.code, "where": newest.place, "hint": newest.hint}
        return SubmissionState(state="REFUSED", received_at=when(newest.at), refusals=refusals, **why)
    return SubmissionState(
        state="TAKEN",
        kind=receipt.kind,
        id=receipt.id,
        **signed(receipt, key),
        file=LATER if receipt.later else "",
        became=became[0],
        reason="" if became[1] in UNTOLD else became[1],
        refusals=tuple(_refusal(refusal) for refusal in refused if refusal.code == REUSED or refusal.at >= receipt.received_at),
    )


def _refusal(refusal: Refusal) -> RefusalState:
    return RefusalState(at=when(refusal.at), door=Door.KAFKA, code=refusal.code, where=refusal.place, hint=refusal.hint)


def referral(row: Referral, state: str, waits_for: str = "") -> ReferralState:
    return ReferralState(
        referral_id=row.referral_id,
        case_id=row.case_id,
        event_id=row.event_id,
        received_at=when(row.received_at),
        state=state,
        became=row.became,
        withdrawn_at=maybe(row.withdrawn_at),
        waits_for=waits_for if state == WAITING else "",
        case_number=case_number(row.case_id),
    )


def offer(row: Offer, contacts: Iterable[Contact] = ()) -> OfferState:
    times: dict[str, Any] = {"due": maybe(row.due), "opened_at": when(row.opened_at), "closed_at": maybe(row.closed_at)}
    times["undo_until"] = maybe(row.undo_until)
    shown = tuple(ContactState(step=one.step, agency=one.agency, telephone=one.telephone) for one in contacts)
    made: dict[str, Any] = {"words": possible(row), "case_number": case_number(row.case_id), "contacts": shown}
    same = {name: getattr(row, name) for name in OfferState.__struct_fields__ if name not in (*times, *made)}
    return OfferState(**same, **times, **made)


_SPENT = {"ACKNOWLEDGED": ("ACKNOWLEDGE",), "ON_HOLD": ("HOLD",), "ACCEPTED": ("ACKNOWLEDGE", "ACCEPT", "DECLINE")}
"""State of an open offer → the answers that routing takes no more (referral/domain/rules/answers.py)."""


def possible(row: Offer) -> tuple[str, ...]:
    """Return the answers that can still count."""
    if row.closed_at is None:
        spent = (*_SPENT.get(row.state, ()), *(("ARRIVE",) if row.arrived else ()))
        return tuple(word for word in row.words if word not in spent)
    late = row.state == "EXPIRED" and "DECIDE" not in row.words
    return tuple(word for word in row.words if late and word == "ACCEPT")


def task(row: Task) -> TaskState:
    times: dict[str, Any] = {"due": maybe(row.due), "opened_at": when(row.opened_at), "closed_at": maybe(row.closed_at)}
    same = {name: getattr(row, name) for name in TaskState.__struct_fields__ if name not in times}
    return TaskState(**same, **times)


def timeline(lines: Iterable[tuple[int, Line]], offers: Sequence[Offer], agency: str, *, all_of_it: bool) -> tuple[Moment, ...]:
    """Return the lines that an agency may see: about its own offers, and the beginning and end of the case. all_of_it: for a desk, which
    sees every line."""
    by_id = {offer.offer_id: offer for offer in offers}
    shown = []
    for at, line in lines:
        about = by_id.get(line.offer_id)
        own = about is not None and about.agency == agency
        if not (all_of_it or own or line.what in ("CASE_OPENED", "CASE_CLOSED")):
            continue
        step, who = (about.step, about.agency) if about else (line.step, line.agency)
        who = who if all_of_it or who == agency else ""
        detail = line.detail if all_of_it or (own and line.what != "OFFERED" and line.detail not in UNTOLD) else ""
        shown.append(Moment(at=when(at), what=line.what, step=step, agency=who, detail=detail))
    return tuple(shown)


WAITING = "WAITING"
"""State of a case for which no offer is open, because a person at a desk must act first."""
CONSENT_MISSING = "consent-missing"


def waits_for(about: Iterable[str]) -> str:
    """Return what a WAITING case waits for, by its open tasks: the person's consent, or a desk. The answer says no more: a desk's task may
    be about somebody who must not know of it."""
    open_ = set(about)
    return "" if not open_ else "consent" if open_ == {CONSENT_MISSING} else "desk"


def state(offers: Sequence[Offer], *, closed: bool, tasks: Collection[str] = ()) -> str:
    """Return the state of a case in status words: that of its most advanced offer. RECEIVED: nothing was decided yet.

    tasks: subjects (`about`) of the open tasks of the case.
    """
    states = {offer.state for offer in offers if offer.kind != "NOTIFY"}
    if closed:
        return "COMPLETED" if "COMPLETED" in states else "CANCELLED"
    for word in ("ACCEPTED", "ON_HOLD", "ACKNOWLEDGED", "OFFERED"):
        if word in states or (word == "ACCEPTED" and "COMPLETED" in states):
            return word
    if tasks:
        return WAITING
    return "OFFERED" if states else "RECEIVED"
