"""The made-up people and tokens of a local stack: an account for each rung of each agency, on duty at every hour; and an
auditor's and a committee's token. Never for real data."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, connection
from referral.domain.policy.directory import Agency
from referral.proof import act
from referral.proof.unlogged import Account
from referral.roster import changes as roster
from referral.roster import log as roster_log
from referral.runtime import passwords
from referral.runtime.keys import case_keys
from referral.runtime.postgres import clock
from referral.runtime.postgres.tokens import AGENCIES, AUDITORS, OVERSIGHT, digest
from referral.runtime.settings import Settings

MADE_UP = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")
"""Namespace of the account ids: the same login has the same id in every local stack."""
ALWAYS = "mon 00:00-mon 00:00"
"""The whole week as one shift."""
LABEL = "made up by referral up"
FILE = "cast.json"
AUDITOR, COMMITTEE = "made-up-auditor", "made-up-committee"
"""Offices that read the log and the figures of a local stack."""
TELEPHONED = ("police-prishtine", "police-prizren", "csw-prizren", "desk-prizren")
"""Agencies whose made-up people have a telephone: those of the demo and of docs/agencies.md. The others are reached by e-mail alone."""
NUMBER = "+99944{:02}{:02}"
"""Made-up numbers, by agency and rung: ITU-T assigns the country code 999 to nobody, so that none of them rings anywhere."""

_ACCOUNT = text(
    "INSERT INTO intake.account (id, login, password, agency, language, desk, head, disabled, created_at)"
    " VALUES (:id, :login, :password, :agency, :language, :desk, :head, false, :at) ON CONFLICT DO NOTHING"
)


class Member(Struct, frozen=True, kw_only=True):
    """One made-up person. login: `<agency>.<rung>`, also the first part of the e-mail address. phone: number; empty: none.

    head: manages the agency's people and rota in the inbox: whoever is at its last rung.
    """

    account: str
    login: str
    agency: str
    rung: str
    language: str
    email: str
    desk: bool = False
    phone: str = ""
    head: bool = False


class Cast(Struct, frozen=True, kw_only=True):
    """All made-up people. password: shared by all accounts. tokens: by agency. readers: tokens of AUDITOR and COMMITTEE."""

    password: str
    tokens: dict[str, str]
    staff: tuple[Member, ...]
    readers: dict[str, str] = {}

    def of(self, agency: str) -> tuple[Member, ...]:
        """Return the staff of an agency, lowest rung first."""
        return tuple(member for member in self.staff if member.agency == agency)

    def number(self, login: str) -> str:
        """Return somebody's telephone number; empty: none."""
        return next(member.phone for member in self.staff if member.login == login)


def members(agencies: Iterable[Agency]) -> tuple[Member, ...]:
    """Make one person for each rung. Their languages rotate through those of the agency's languages in which staff receive messages."""
    made = []
    for agency in agencies:
        spoken = [language for language in agency.languages if language in passwords.LANGUAGES] or ["en"]
        for n, rung in enumerate(agency.ladder):
            login = f"{agency.id}.{rung}"
            member = Member(
                account=str(uuid.uuid5(MADE_UP, login)),
                login=login,
                agency=agency.id,
                rung=rung,
                language=spoken[n % len(spoken)],
                email=f"{login}@example.org",
                desk=agency.desk,
                head=n == len(agency.ladder) - 1,
                phone=NUMBER.format(TELEPHONED.index(agency.id) + 1, n + 1) if agency.id in TELEPHONED else "",
            )
            made.append(member)
    return tuple(made)


def load(data: Path) -> Cast:
    """Read the cast from a running stack's data folder. FileNotFoundError: it has none."""
    return msgspec.json.decode((data / FILE).read_bytes(), type=Cast)


def gather(data: Path, agencies: Iterable[Agency]) -> Cast:
    """Return the cast of a data folder, and add new agencies to it. The first call makes it, in a file that only its owner may read."""
    file, known = data / FILE, tuple(agencies)
    before = msgspec.json.decode(file.read_bytes(), type=Cast) if file.exists() else None
    tokens = dict(before.tokens) if before else {}
    for agency in known:
        tokens.setdefault(agency.id, secrets.token_urlsafe(32))
    readers = {office: secrets.token_urlsafe(32) for office in (AUDITOR, COMMITTEE)} | (before.readers if before else {})
    password = before.password if before else f"demo-{secrets.token_urlsafe(9)}"
    cast = Cast(password=password, tokens=tokens, staff=members(known), readers=readers)
    if cast != before:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(cast), indent=1))
    return cast


async def seed(settings: Settings, cast: Cast, *, telephones: bool) -> None:
    """Add the missing accounts, rota entries and tokens. All accounts share one password hash: 50 ms once instead of 50 ms each.

    telephones: the stack has a handset, so that an SMS or a call to a made-up number arrives somewhere.
    """
    box = case_keys.read(settings)
    async with connection.opened(settings) as tx, tx.begin():
        there = set((await tx.execute(text("SELECT id FROM intake.account"))).scalars())
        new = [member for member in cast.staff if member.account not in there]
        at = await clock.now(tx)
        if new:
            password = passwords.hashed(cast.password)
            await tx.execute(_ACCOUNT, [_row(member, password, at) for member in new])
        people = [_person(member, telephones) for member in new]
        async with roster_log.change(tx, settings):
            await roster.add_people(tx, box, people)
            await roster.add_weekly(tx, people, ALWAYS)
        await _add_tokens(tx, settings, cast, new)


async def _add_tokens(tx: AsyncConnection, settings: Settings, cast: Cast, new: Iterable[Member]) -> None:
    """Add the missing tokens, and record the act if anything was missing. new: whose accounts were."""
    auditor, committee = {AUDITOR: cast.readers[AUDITOR]}, {COMMITTEE: cast.readers[COMMITTEE]}
    known = {token.digest for table in (AGENCIES, AUDITORS, OVERSIGHT) for token in await table.read(tx)}
    digests = [digest(token) for tokens in (cast.tokens, auditor, committee) for token in tokens.values()]
    missing = [one for one in digests if one.hex() not in known]
    about = (
        *(subject for one in new for subject in Account(one.account, one.agency, one.desk, one.head, False).subjects()),
        *map(act.token, missing),
    )
    if not about:
        return
    async with administration.recorded(tx, settings, "up", *about):
        await AGENCIES.add(tx, cast.tokens, note=LABEL)
        await AUDITORS.add(tx, auditor)
        await OVERSIGHT.add(tx, committee, note="committee")


def _row(member: Member, password: str, at: int) -> dict[str, object]:
    own = {"id": member.account, "login": member.login, "agency": member.agency, "language": member.language}
    return {**own, "password": password, "desk": member.desk, "head": member.head, "at": at}


def _person(member: Member, telephones: bool) -> roster.Person:
    phone = member.phone if telephones and member.phone else None
    return roster.Person(account=member.account, agency=member.agency, rungs=(member.rung,), email=member.email, sms=phone, voice=phone)
