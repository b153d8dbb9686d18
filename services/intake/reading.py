"""Which sections an offer lets somebody read now. Pure; asked inside the transaction that records the reading."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from referral.domain.events import Consent, ConsentState, Traits


class Standing(Struct, frozen=True, kw_only=True):
    """What the doors keep of a case, sealed: its traits and consent as they hold from now on."""

    traits: Traits
    consent: Consent | None = None

    def __repr__(self) -> str:
        return "Standing()"


class Reader(Struct, frozen=True, kw_only=True):
    """Who wants to read. account: of the person; None when the agency's system reads."""

    agency: str
    account: str | None = None


class Grant(Struct, frozen=True, kw_only=True):
    """The part of an offer that reading depends on. withdrawal: what its pathway does without consent: continue, anonymous, stop.

    bare: the sections that it may read all the same where it is done anonymously.
    """

    agency: str
    shows: tuple[str, ...]
    skip: tuple[str, ...]
    open: bool
    declined: bool
    withdrawal: str
    bare: tuple[str, ...] = ()


def readable(reader: Reader, grant: Grant, consent: Consent | None, excluded: Collection[tuple[str, str]], now: int) -> tuple[str, ...]:
    """The sections that may be read, in the procedure's order; empty when none. excluded: (kind, actor) of the case."""
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
    """Whether the case excludes this agency or this person."""
    return ("AGENCY", reader.agency) in excluded or (reader.account is not None and ("STAFF", reader.account) in excluded)


def _agreed(consent: Consent, agency: str, section: str) -> bool:
    return (not consent.scope or section in consent.scope) and (not consent.recipients or agency in consent.recipients)
