"""Decide which sections of the case file an offer lets a reader read now. Pure; runs inside the transaction that records the reading."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct, structs

from referral.domain.events import Consent, ConsentState, Traits


class CaseFacts(Struct, frozen=True, kw_only=True):
    """The sealed facts of a case: its traits and consent as routing has decided them. consent_by: the agency that recorded that consent.

    cap: a consent that intake has accepted and routing has not answered yet; reading needs both, so a withdrawal counts at once.
    cap_of: id of the event that carries it; empty where there is none.
    cap_by: the agency that recorded it.
    """

    traits: Traits
    consent: Consent | None = None
    consent_by: str = ""
    cap: Consent | None = None
    cap_of: str = ""
    cap_by: str = ""

    def __repr__(self) -> str:
        return "CaseFacts()"


def capped(facts: CaseFacts, consent: Consent, agency: str, event_id: str, *, desk: bool = False) -> CaseFacts:
    """Return the facts of a case with a consent about which routing has yet to decide.

    The consent counts at once when it is the first, comes from a desk, or comes from the agency that recorded the consent in force. A
    consent of another agency waits for routing.
    """
    first = facts.consent is None and facts.cap_by in ("", agency)
    if not (first or desk or agency == facts.consent_by):
        return facts
    return structs.replace(facts, cap=consent, cap_of=event_id, cap_by=agency)


class Reader(Struct, frozen=True, kw_only=True):
    """The reader. account: of the person; None when the agency's system reads."""

    agency: str
    account: str | None = None


class Grant(Struct, frozen=True, kw_only=True):
    """The part of an offer on which reading depends.

    withdrawal: rule of its pathway without consent: continue, anonymous, stop.
    bare: the sections that it may still read when the step goes on anonymously.
    writes: those of shows that its step writes.
    """

    agency: str
    shows: tuple[str, ...]
    skip: tuple[str, ...]
    open: bool
    declined: bool
    withdrawal: str
    bare: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


def allowed(reader: Reader, grant: Grant, facts: CaseFacts, excluded: Collection[tuple[str, str]], now: int) -> tuple[str, ...]:
    """Return the sections that may be read now, in the procedure's order; empty when none. excluded: (kind, actor) of the case."""
    sections = readable(reader, grant, facts.consent, excluded, now)
    if not facts.cap_of:
        return sections
    capped = readable(reader, grant, facts.cap, excluded, now)
    return tuple(section for section in sections if section in capped)


def writable(reader: Reader, grant: Grant, facts: CaseFacts, excluded: Collection[tuple[str, str]], now: int) -> tuple[str, ...]:
    """Return the sections that may be written now: those that may be read now and that the step writes."""
    return tuple(section for section in allowed(reader, grant, facts, excluded, now) if section in grant.writes)


def readable(reader: Reader, grant: Grant, consent: Consent | None, excluded: Collection[tuple[str, str]], now: int) -> tuple[str, ...]:
    """Return the sections that one consent lets the reader read."""
    if reader.agency != grant.agency or not grant.open or grant.declined or barred(reader, excluded):
        return ()
    if reader.account is not None and not {reader.account, f"staff:{reader.account}"}.isdisjoint(grant.skip):
        return ()
    if grant.withdrawal == "continue" or consent is None:
        return grant.shows
    if consent.state in (ConsentState.WITHDRAWN, ConsentState.REFUSED) or (consent.until is not None and consent.until <= now):
        return grant.bare if grant.withdrawal == "anonymous" else ()
    return tuple(section for section in grant.shows if _agreed(consent, grant.agency, section))


def barred(reader: Reader, excluded: Collection[tuple[str, str]]) -> bool:
    """Return True if the case excludes this agency or this person."""
    return ("AGENCY", reader.agency) in excluded or (reader.account is not None and ("STAFF", reader.account) in excluded)


def _agreed(consent: Consent, agency: str, section: str) -> bool:
    return (not consent.scope or section in consent.scope) and (not consent.recipients or agency in consent.recipients)
