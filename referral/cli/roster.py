"""The people that the notifier may knock, and their rota, in PostgreSQL: written from the command line, read by the notifier."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import rota
from referral.errors import Rejected
from referral.runtime import clock
from referral.runtime.keys import Keys

LANGUAGES = ("sq", "sr-Latn", "sr-Cyrl", "en")
EMAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,255}")
BOX = "notifier-contact"
"""Purpose of the key that seals addresses; the notifier opens them with the same."""

_PERSON = text(
    "INSERT INTO notifier.person (account, agency, rungs, language) VALUES (:account, :agency, :rungs, :language)"
    " ON CONFLICT (account) DO UPDATE SET agency = excluded.agency, rungs = excluded.rungs, language = excluded.language"
)
_CONTACT = text(
    "INSERT INTO notifier.contact (account, channel, address, confirmed_at) VALUES (:account, :channel, :address, NULL)"
    " ON CONFLICT (account, channel) DO UPDATE SET address = excluded.address, confirmed_at = NULL"
)
_WEEKLY = text(
    "INSERT INTO notifier.weekly (account, agency, rung, weekday, start_minute, end_minute, since, until)"
    " VALUES (:account, :agency, :rung, :weekday, :start, :end, :since, :until) ON CONFLICT DO NOTHING"
)
_SINGLE = text(
    "INSERT INTO notifier.single (account, agency, rung, starts, ends) VALUES (:account, :agency, :rung, :starts, :ends)"
    " ON CONFLICT DO NOTHING"
)
_ABSENCE = text("INSERT INTO notifier.absence (account, starts, ends) VALUES (:account, :starts, :ends) ON CONFLICT DO NOTHING")
_DISABLE = text("UPDATE notifier.person SET disabled = :disabled WHERE account = :account")
_PAUSE = text("INSERT INTO notifier.pause (reason, at) VALUES (:reason, :at) ON CONFLICT (one) DO UPDATE SET reason = excluded.reason")
_DROP = text(
    "UPDATE notifier.delivery SET state = 'DROPPED', ended_at = :at WHERE state = 'WAITING'"
    " AND (lease_until IS NULL OR lease_until < clock_timestamp())"
)


_READ = {
    "people": text(
        "SELECT account, agency, rungs, language, disabled,"
        " ARRAY(SELECT channel FROM notifier.contact c WHERE c.account = p.account ORDER BY channel) AS channels FROM notifier.person p"
        " WHERE CAST(:agency AS text) IS NULL OR agency = :agency ORDER BY agency, account"
    ),
    "weekly": text(
        "SELECT * FROM notifier.weekly WHERE CAST(:agency AS text) IS NULL OR agency = :agency ORDER BY agency, rung, weekday, start_minute"
    ),
    "single": text("SELECT * FROM notifier.single WHERE CAST(:agency AS text) IS NULL OR agency = :agency ORDER BY agency, rung, starts"),
    "absence": text(
        "SELECT * FROM notifier.absence WHERE account IN"
        " (SELECT account FROM notifier.person WHERE CAST(:agency AS text) IS NULL OR agency = :agency) ORDER BY starts"
    ),
    "paused": text("SELECT at, reason FROM notifier.pause"),
}


class Person(Struct, frozen=True, kw_only=True):
    """Whom the notifier may knock. account: id of the inbox account. rungs: names in the agency's ladder, `desk` for a desk.

    email: sealed before it is stored; None leaves what is known.
    """

    account: str
    agency: str
    rungs: tuple[str, ...]
    language: str
    email: str | None = None


async def add_people(tx: AsyncConnection, keys: Keys, people: Iterable[Person]) -> None:
    """Let the notifier know people, or what has changed about them. Rejected: no uuid, no such language, or no address."""
    rows, contacts, seal = [], [], keys.box(BOX)[0]
    for person in people:
        account = _account(person.account)
        if person.language not in LANGUAGES:
            raise Rejected("unknown-language", "language", f"one of {', '.join(LANGUAGES)}")
        rows.append({"account": account, "agency": person.agency, "rungs": sorted(set(person.rungs)), "language": person.language})
        if person.email is not None:
            if not EMAIL.fullmatch(person.email):
                raise Rejected("no-address", "email", "an address like name@example.org, without spaces or brackets")
            sealed = seal(person.email.encode(), f"{account}/email".encode())
            contacts.append({"account": account, "channel": "email", "address": sealed})
    for statement, values in ((_PERSON, rows), (_CONTACT, contacts)):
        if values:
            await tx.execute(statement, values)


async def add_person(
    tx: AsyncConnection, keys: Keys, *, account: str, agency: str, rungs: Iterable[str], language: str, email: str | None = None
) -> None:
    """One of add_people."""
    await add_people(tx, keys, [Person(account=account, agency=agency, rungs=tuple(rungs), language=language, email=email)])


async def add_shift(
    tx: AsyncConnection, *, account: str, rung: str, written: str, since: date | None = None, until: date | None = None
) -> int:
    """Put a person on duty, as `rota.parse` reads it; the same shift twice is one. Returns how many. Rejected: nobody, or no shift."""
    who = {"account": _account(account), "agency": await _agency(tx, account), "rung": rung}
    shift = rota.parse(written)
    if isinstance(shift, rota.Single):
        await tx.execute(_SINGLE, {**who, "starts": shift.starts, "ends": shift.ends})
        return 1
    await tx.execute(_WEEKLY, [_week(who, one, since, until) for one in shift])
    return len(shift)


async def add_weekly(tx: AsyncConnection, people: Iterable[Person], written: str) -> None:
    """Put people whom the notifier knows on duty on each of their rungs, by one shift that repeats every week. Rejected: no such shift."""
    shift = rota.parse(written)
    if isinstance(shift, rota.Single):
        raise Rejected("malformed", "shift", rota.HINT)
    stands = [{"account": _account(p.account), "agency": p.agency, "rung": rung} for p in people for rung in p.rungs]
    if stands:
        await tx.execute(_WEEKLY, [_week(who, one, None, None) for who in stands for one in shift])


def _week(who: Mapping[str, str], one: rota.Weekly, since: date | None, until: date | None) -> dict[str, object]:
    return {**who, "weekday": one.weekday, "start": one.start, "end": one.end, "since": since, "until": until}


async def set_disabled(tx: AsyncConnection, account: str, disabled: bool) -> None:
    """Nothing goes out to a disabled account, also not what is planned already. One that the notifier does not know is left alone."""
    await tx.execute(_DISABLE, {"account": _account(account), "disabled": disabled})


async def add_absence(tx: AsyncConnection, *, account: str, begin: str, end: str) -> None:
    """A person is on no shift between two moments. Rejected: nobody, or no such moments."""
    await _agency(tx, account)
    span = rota.between(begin, end)
    await tx.execute(_ABSENCE, {"account": _account(account), "starts": span.starts, "ends": span.ends})


async def pause(tx: AsyncConnection, reason: str) -> None:
    """Hold everything back that has not left."""
    await tx.execute(_PAUSE, {"reason": reason, "at": await clock.now(tx)})


async def resume(tx: AsyncConnection) -> None:
    """Send again what waits and is still wanted."""
    await tx.execute(text("DELETE FROM notifier.pause"))


async def drop(tx: AsyncConnection) -> None:
    """Throw away what waits to be sent."""
    await tx.execute(_DROP, {"at": await clock.now(tx)})


async def read(tx: AsyncConnection, agency: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Table → rows as mappings; of one agency or of all. Never an address."""
    found = {}
    for name, statement in _READ.items():
        values = {} if name == "paused" else {"agency": agency}
        found[name] = [dict(row) for row in (await tx.execute(statement, values)).mappings()]
    return found


async def _agency(tx: AsyncConnection, account: str) -> str:
    found = await tx.execute(text("SELECT agency FROM notifier.person WHERE account = :account"), {"account": _account(account)})
    agency = found.scalar_one_or_none()
    if agency is None:
        raise Rejected("unknown", "account", "add the person first: `referral duty person`")
    return str(agency)


def _account(written: str) -> str:
    try:
        return str(uuid.UUID(written))
    except ValueError:
        raise Rejected("malformed", "account", "the id of an inbox account, a uuid; `referral staff add` prints it") from None
