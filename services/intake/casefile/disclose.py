"""Disclose the case file: lock the case, check the rules of `disclosure_rules`, queue the record of the reading. The caller commits before
it answers."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Act, Kind
from referral.domain.events import SectionDisclosed
from referral.domain.policy.questions import KNOWN
from referral.errors import Rejected
from referral.runtime.postgres import clock, queue, security_events
from referral.wire import security_event
from referral.wire.security_event import Event
from referral.wire.security_event import Kind as EventKind
from services.intake import store
from services.intake.casefile import access, disclosure_rules, filled, notes
from services.intake.casefile import sections as casefile
from services.intake.casefile.disclosure_rules import CaseFacts, Grant, Reader
from services.intake.context import IntakeContext
from services.intake.model import Offer
from services.intake.policy_view import Lists

NEW_US = 24 * 60 * 60 * 1_000_000
"""Time after a question in which reading by night is the duty of whoever was asked (P): somebody was woken for it."""


ALOUD = "location"
"""The section that a desk reads out to an office which only a telephone reaches: where the child is and the way there, nothing else."""
ACCEPTED = ("ACCEPTED", "ARRIVED")
"""States of an offer in which the office goes, or has gone, to the child."""


class Shown(Struct, frozen=True, kw_only=True):
    """Sections disclosed to a reader. sections: name → content. empty: names that the reader may read and nobody has filled."""

    sections: dict[str, Any]
    empty: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Shown({', '.join(self.sections)})"


_GRANTS = text(
    "SELECT o.offer_id, o.agency, o.step, o.seat, o.shows, o.skip, o.closed_at IS NULL, o.declined_by IS NOT NULL, "
    "coalesce((SELECT t.pathway FROM intake.track t WHERE t.track_id = o.track_id), '') "
    "FROM intake.offer o WHERE o.case_id = :case AND (:agency = '' OR o.agency = :agency) AND (:offer = '' OR o.offer_id = :offer) "
    "ORDER BY o.offer_id FOR SHARE OF o"
)
_ASKED = text("SELECT max(opened_at) FROM intake.offer WHERE case_id = :case AND agency = :agency")


async def disclose(tx: AsyncConnection, door: IntakeContext, reader: Reader, case_id: str, offer_id: str = "", *, only: str = "") -> Shown:
    """Return the sections that the reader's live offers (or this one) name. A SectionDisclosed for each is queued in the same transaction:
    the caller commits before it shows anything. only: this one section, of those.

    Rejected 404: the agency never held an offer of this case. Rejected 403 (reading-ended): none of its offers lets it read now.
    """
    await access.near(tx, _who(reader), Act.READ_FILE, case_id)
    case = await access.hold(tx, door.keys, case_id)
    leave = await access.permitted(tx, _who(reader), Act.READ_FILE, case_id)
    lists = door.lists()
    rules = await grants(tx, leave, lists, reader.agency, offer_id)
    if not rules:
        raise store.unknown("offer" if offer_id else "case", "offer_id" if offer_id else "case_id")
    involved, now = await access.involvement(tx, reader.agency, case_id), await clock.now(tx)
    excluded, until = involved.reading(reader.agency).excluded, involved.seen_until
    seen = await access.facts_seen(tx, leave, case, reader.agency, involved)
    allowed: dict[str, str] = {}
    for offer, grant in rules.items():
        for section in _allowed(reader, grant, case, seen, excluded, now):
            if only in ("", section):
                allowed.setdefault(section, offer)
    if not allowed and (
        only or disclosure_rules.barred(reader, excluded) or all(not g.open or g.declined or g.shows for g in rules.values())
    ):
        raise _ended()
    contents = await _contents(tx, leave, case, seen, allowed, lists, until)
    for section in notes.GROWS.intersection(contents):
        hidden = await unnamed(tx, leave, allowed)
        every = await casefile.versions(tx, leave, case.cipher, section, case.sealed_at)
        read = [version for version in every if version.at <= until]
        contents[section] = notes.content(notes.entries(read, hidden - {leave.agency}))
    for section in lists.tables.keys() & contents.keys():
        hidden = await unnamed(tx, leave, allowed)
        every = await casefile.versions(tx, leave, case.cipher, section, case.sealed_at)
        found = filled.entries([version for version in every if version.at <= until], hidden - {leave.agency})
        contents[section] = filled.content(lists.tables[section], found, seen.traits.age_band if seen is not None else "")
    rows = [_row(door, case, reader, section, allowed[section], now) for section in contents]
    await queue.put_all(tx, rows)
    await _noted(tx, leave, door, case, reader, now, reader.agency)
    return Shown(sections=contents, empty=tuple(section for section in allowed if section not in (*contents, KNOWN)))


async def read_out(tx: AsyncConnection, door: IntakeContext, reader: Reader, case_id: str, offer_id: str) -> Shown:
    """Return the place of the child, for a desk to read out to the office that has accepted this offer on the telephone: as far as that
    office could read it itself. The reading is queued in the same transaction: the caller commits before it shows anything.

    Rejected 404: no call of this desk. Rejected 403 (reading-ended): the office has not accepted, or may not read it now.
    """
    case = await access.hold(tx, door.keys, case_id)
    leave = await access.permitted(tx, _who(reader, Kind.DESK), Act.READ_CALL, case_id)
    offer, lists = await store.call(tx, leave, offer_id), door.lists()
    rules = await grants(tx, leave, lists, offer.agency, offer_id)
    involved, now, office = await access.involvement(tx, offer.agency, case_id), await clock.now(tx), Reader(agency=offer.agency)
    excluded = involved.reading(offer.agency).excluded
    seen = await access.facts_seen(tx, leave, case, offer.agency, involved)
    readable = {section for one in rules.values() for section in _allowed(office, one, case, seen, excluded, now)}
    if offer.state not in ACCEPTED or ALOUD not in readable:
        raise _ended()
    contents = await _contents(tx, leave, case, seen, (ALOUD,), lists, involved.seen_until)
    await queue.put_all(tx, [_row(door, case, reader, section, offer_id, now, "by-telephone") for section in contents])
    await _noted(tx, leave, door, case, reader, now, offer.agency)
    return Shown(sections=contents, empty=() if contents else (ALOUD,))


async def unnamed(tx: AsyncConnection, leave: Permit, readable: Container[str]) -> frozenset[str]:
    """Return the agencies that referred the case, unless the reader may read who reported it: the reporter is protected."""
    if "reporter" in readable:
        return frozenset()
    return frozenset(referral.agency for referral in await store.case_referrals(tx, leave))


async def earlier(tx: AsyncConnection, door: IntakeContext, reader: Reader, offer: Offer, section: str, number: int) -> dict[str, Any]:
    """Return the content of one version of a section that the reader's offer lets it read now; {} for one that there is not. The reading
    is queued in the same transaction, as by `disclose`. Rejected: as there."""
    await disclose(tx, door, reader, offer.case_id, offer.offer_id, only=section)
    case = await access.hold(tx, door.keys, offer.case_id)
    leave = await access.permitted(tx, _who(reader), Act.READ_FILE, case.case_id)
    until = (await access.involvement(tx, reader.agency, case.case_id)).seen_until
    return await casefile.earlier(tx, leave, case.cipher, section, number, case.sealed_at, until)


async def versions(tx: AsyncConnection, door: IntakeContext, reader: Reader, case_id: str, section: str) -> tuple[casefile.Version, ...]:
    """Return every version of a section that agencies wrote, for a desk of the case, the oldest first; versions put aside come before all
    others.

    Rejected 404: the agency has nothing to do with the case. Rejected 403: it is not a desk of the case.
    """
    case = await access.hold(tx, door.keys, case_id)
    act = Act.READ_VERSIONS if reader.account is None else Act.OPEN_REPORT
    leave = await access.permitted(tx, _who(reader, Kind.DESK), act, case_id)
    written = await casefile.versions(tx, leave, case.cipher, section, case.sealed_at)
    if written:
        event = SectionDisclosed(
            offer_id=None, agency=reader.agency, by=reader.account, section=section, basis="desk", at=await clock.now(tx)
        )
        await queue.put_all(tx, [queue.row(case_id, event, door.new_id(), case.key, case.drill)])
        await _noted(tx, leave, door, case, reader, event.at, reader.agency)
    return written


async def _noted(tx: AsyncConnection, leave: Permit, door: IntakeContext, case: access.Case, reader: Reader, now: int, agency: str) -> None:
    """Record the reading as a security event too, unless the child is made up. agency: for whose step it is read."""
    if case.drill:
        return
    who = security_event.account(reader.account) if reader.account else security_event.agency(reader.agency)
    kind = EventKind.FILE_READ
    if reader.account and security_event.by_night(now):
        asked = (await tx.execute(_ASKED, {"case": leave.case_id, "agency": agency})).scalar_one()
        kind = EventKind.READ_OFF_DUTY if asked is None or now - asked > NEW_US else kind
    counted = door.keys.hmac("signin", b"case", leave.case_id.encode()).hex()[: security_event.DIGITS]
    await security_events.put(tx, Event(kind=kind, who=who, detail=counted))


def _who(reader: Reader, person: Kind = Kind.STAFF) -> Who:
    """Return who reads: the agency's system, or a person in the capacity of the page."""
    return Who(Kind.SYSTEM if reader.account is None else person, reader.agency, reader.account)


async def grants(tx: AsyncConnection, leave: Permit, lists: Lists, agency: str = "", offer_id: str = "") -> dict[str, Grant]:
    """Return offer id → its grant, in the permit's case: of one agency, of all (empty), or of one offer."""
    rows = (await tx.execute(_GRANTS, {"case": leave.case_id, "agency": agency, "offer": offer_id})).all()
    return {
        offer: Grant(
            agency=agency,
            shows=_with_known(shows, lists),
            skip=tuple(skip),
            open=open_,
            declined=declined,
            withdrawal=lists.withdrawal.get(pathway, "stop"),
            bare=tuple(s for s in shows if s not in lists.personal) if (pathway, step) in lists.without_consent else (),
            writes=lists.written_by(pathway, step, seat, shows),
        )
        for offer, agency, step, seat, shows, skip, open_, declined, pathway in rows
    }


def _with_known(shows: Iterable[str], lists: Lists) -> tuple[str, ...]:
    """Return the sections that an offer shows. What was answered about the person is read with what happened."""
    shown = tuple(shows)
    if notes.WITH not in shown or KNOWN not in lists.codes.get("section", ()):
        return shown
    after = shown.index(notes.WITH) + 1
    return *shown[:after], KNOWN, *shown[after:]


def _allowed(
    reader: Reader, grant: Grant, case: access.Case, seen: CaseFacts | None, excluded: Collection[tuple[str, str]], now: int
) -> tuple[str, ...]:
    """Return the sections that the reader may read by the consent of now and by the one that it sees, where that is known: a consent that
    comes later opens nothing to it."""
    sections = disclosure_rules.allowed(reader, grant, case.facts, excluded, now)
    then = sections if seen is None else disclosure_rules.allowed(reader, grant, seen, excluded, now)
    return tuple(section for section in sections if section in then)


async def _contents(
    tx: AsyncConnection, leave: Permit, case: access.Case, seen: CaseFacts | None, allowed: Iterable[str], lists: Lists, until: int
) -> dict[str, Any]:
    """Return the content of these sections as of then (µs UTC): sections that agencies wrote, texts recorded with answers, and facts
    derived from the traits. seen: the facts of then; None: not known, and hidden."""
    needs = lists.codes.get("need", ())
    written = await casefile.newest(tx, leave, case.cipher, (s for s in allowed if s not in needs), case.sealed_at, until)
    recorded = await casefile.recorded(tx, leave, case.cipher, (s for s in allowed if s in needs), case.sealed_at, until)
    derived: dict[str, Any] = {}
    if seen is not None:
        traits = seen.traits
        derived = {"age-band": {"age_band": traits.age_band}, "sex": {"sex": traits.sex}, "language": {"languages": list(traits.languages)}}
    contents = {**derived, **written, **recorded}
    return {section: contents[section] for section in allowed if section in contents}


def _row(
    door: IntakeContext, case: access.Case, reader: Reader, section: str, offer_id: str, now: int, basis: str = "offer"
) -> dict[str, Any]:
    event = SectionDisclosed(offer_id=offer_id, agency=reader.agency, by=reader.account, section=section, basis=basis, at=now)
    return queue.row(case.case_id, event, door.new_id(), case.key, case.drill)


def _ended() -> Rejected:
    return Rejected("reading-ended", "case_id", "no live offer of yours lets you read this case now", status=403)
