"""Write the roster in PostgreSQL: the people that the notifier may knock, and their rota. Commands and the notifier's door call it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import date

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.channels import NUMBER
from referral.domain import rota
from referral.domain.durations import DAY_US
from referral.domain.policy.reading.reader import allowed
from referral.domain.rota import Single, Weekly
from referral.errors import Rejected
from referral.exercise.rules import NIGHTS_DAYS
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context

ADDRESSES = {
    "email": (re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,255}"), "an address like name@example.org, without spaces or brackets"),
    "sms": (NUMBER, "a number with its country, like +38344000001"),
    "voice": (NUMBER, "a number with its country, like +38344000001"),
}
"""Form of an address by channel, and the hint for another. Numbers as in E.164: at most 15 digits."""
ENDS = "-"
"""Written instead of an address: the stored one ends."""

RETIRES_US = DAY_US
"""Time for which an address that its owner changes or ends gets messages all the same (P): a day and a night on duty, in which the owner
hears of it."""

_BY = "coalesce(current_setting('referral.by', true), '')"
_END = f"SET ended_at = runtime.clock(), ended_by = {_BY}"
_PERSON_ENDS = text(
    f"UPDATE notifier.person {_END} WHERE account = :account AND ended_at IS NULL AND (agency, rungs) IS DISTINCT FROM (:agency, :rungs)"
)
_PERSON = text(
    "INSERT INTO notifier.person (account, agency, rungs, disabled) SELECT :account, :agency, :rungs, coalesce((SELECT disabled FROM"
    " notifier.person WHERE account = :account AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1), false) ON CONFLICT DO NOTHING"
)
_ADDRESS = text("SELECT account, channel, address FROM notifier.contact WHERE account = ANY(:accounts) AND ended_at IS NULL")
_CONTACT_ENDS = text(
    f"UPDATE notifier.contact {_END}, address = NULL, former = NULL WHERE account = :account AND channel = :channel AND ended_at IS NULL"
)
_CONTACT = text("INSERT INTO notifier.contact (account, channel, address) VALUES (:account, :channel, :address)")
_HELD = text("SELECT address, former FROM notifier.contact WHERE (account, channel) = (:account, :channel) AND ended_at IS NULL")
_BESIDE = text(
    "UPDATE notifier.contact SET former = :former, until = :until, ends = false"
    " WHERE (account, channel) = (:account, :channel) AND ended_at IS NULL"
)
_RETIRE = text(
    "UPDATE notifier.contact SET until = runtime.clock() + :day, ends = true"
    " WHERE (account, channel) = (:account, :channel) AND ended_at IS NULL AND NOT ends"
)
_RULE_ENDS = text(
    f"UPDATE notifier.rule {_END} WHERE account = :account AND loudness = :loudness AND channel = :channel AND ended_at IS NULL"
)
_RULE = text("INSERT INTO notifier.rule (account, loudness, channel, after) VALUES (:account, :loudness, :channel, :after)")
_WEEKLY = text(
    "INSERT INTO notifier.weekly (account, agency, rung, weekday, start_minute, end_minute, since, until)"
    " VALUES (:account, :agency, :rung, :weekday, :start, :end, :since, :until) ON CONFLICT DO NOTHING"
)
_SINGLE = text(
    "INSERT INTO notifier.single (account, agency, rung, starts, ends) VALUES (:account, :agency, :rung, :starts, :ends)"
    " ON CONFLICT DO NOTHING"
)
_ABSENCE = text("INSERT INTO notifier.absence (account, starts, ends) VALUES (:account, :starts, :ends) ON CONFLICT DO NOTHING")
_NIGHT = text("INSERT INTO notifier.night (agency, starts, ends) VALUES (:agency, :starts, :ends)")
_NIGHTS_END = text(f"UPDATE notifier.night {_END} WHERE agency = :agency AND ended_at IS NULL AND ends > runtime.clock() RETURNING id")
_GIVEN = text(
    "INSERT INTO notifier.given (account, agency, rung, starts, ends) VALUES (:account, :agency, :rung, :starts, :ends)"
    " ON CONFLICT DO NOTHING"
)
_TAKEN_BACK = text(
    f"UPDATE notifier.given {_END} WHERE account = :account AND agency = :agency AND rung = :rung AND ended_at IS NULL"
    " AND starts < :ends AND ends > :starts RETURNING starts, ends"
)
_DISABLE = text(
    f"WITH was AS (UPDATE notifier.person {_END} WHERE account = :account AND ended_at IS NULL AND disabled <> :disabled RETURNING *)"  # noqa: S608 - the words above
    " INSERT INTO notifier.person (account, agency, rungs, disabled) SELECT account, agency, rungs, :disabled FROM was"
)
_PAUSE = text("INSERT INTO notifier.pause (reason) VALUES (:reason) ON CONFLICT DO NOTHING RETURNING id")
_RESUME = text(f"UPDATE notifier.pause {_END} WHERE ended_at IS NULL RETURNING id")
_DROP = text("UPDATE notifier.delivery SET thrown = true WHERE state = 'WAITING' AND NOT thrown")
PARTS = ("weekly", "single", "absence", "given")
LOUDNESS = ("urgent", "normal", "quiet")
"""Words of the notifier's steps: at most two hours are left to the limit, at most a day, more."""
MOST_AFTER = 24 * 3600
"""Longest delay of a step in seconds (ours): a knock of more than a day is a quiet one."""


class Person(Struct, frozen=True, kw_only=True):
    """A person that the notifier may knock. account: id of the inbox account. rungs: names in the agency's ladder.

    email, sms, voice: addresses, sealed before they are stored; None keeps the stored one, ENDS ends it. The language
    is the inbox account's.
    """

    account: str
    agency: str
    rungs: tuple[str, ...]
    email: str | None = None
    sms: str | None = None
    voice: str | None = None


async def add_people(tx: AsyncConnection, keys: Keys, people: Iterable[Person]) -> None:
    """Add people to the notifier's roster, or update them. Rejected: not a uuid, or not an address."""
    rows, addresses = [], {}
    for person in people:
        account = account_id(person.account)
        rows.append({"account": account, "agency": person.agency, "rungs": sorted(set(person.rungs))})
        for channel in ADDRESSES:
            if (written := getattr(person, channel)) is not None:
                addresses[account, channel] = address(channel, written)
    for statement in (_PERSON_ENDS, _PERSON):
        if rows:
            await tx.execute(statement, rows)
    await _set_contacts(tx, keys, addresses)


async def set_contact(tx: AsyncConnection, keys: Keys, account: str, channel: str, written: str) -> None:
    """Give a person an address, or end it with ENDS. Rejected: it is none."""
    await _set_contacts(tx, keys, {(account_id(account), channel): address(channel, written)})


async def replace_contact(tx: AsyncConnection, keys: Keys, account: str, channel: str, written: str, until: int) -> None:
    """Give a person another address; the one before gets messages beside it, until then (µs UTC). Rejected: it is none.

    Of two changes within that time the first address stays: nobody gets rid of it by changing twice.
    """
    box, context, where = keys.box(CONTACT_BOX), contact_context(account_id(account), channel), {"account": account, "channel": channel}
    held = (await tx.execute(_HELD, where)).one_or_none()
    await set_contact(tx, keys, account, channel, written)
    before = [] if held is None else [sealed for sealed in (held.former, held.address) if sealed is not None]
    former = next((sealed for sealed in before if box.open(sealed, context) != address(channel, written)), None)
    await tx.execute(_BESIDE, {**where, "former": former, "until": None if former is None else until})


async def retire_contact(tx: AsyncConnection, account: str, channel: str) -> None:
    """Let an address of a person end in a day; `retired` ends it then."""
    await tx.execute(_RETIRE, {"account": account_id(account), "channel": channel, "day": RETIRES_US})


async def _set_contacts(tx: AsyncConnection, keys: Keys, addresses: Mapping[tuple[str, str], bytes | None]) -> None:
    ended, new = await _changed_contacts(tx, keys, addresses)
    for statement, values in ((_CONTACT_ENDS, ended), (_CONTACT, new)):
        if values:
            await tx.execute(statement, values)


def address(channel: str, written: str) -> bytes | None:
    """Return an address as the channel writes it; None for ENDS. Rejected: it is none."""
    pattern, hint = ADDRESSES[channel]
    found = written.strip() if channel == "email" else re.sub(r"[ ()./-]", "", written) or written
    if written == ENDS:
        return None
    if not pattern.fullmatch(found):
        raise Rejected("no-address", channel, hint)
    return found.encode()


Rows = list[dict[str, object]]


async def _changed_contacts(tx: AsyncConnection, keys: Keys, addresses: Mapping[tuple[str, str], bytes | None]) -> tuple[Rows, Rows]:
    """Return the rows to end and the sealed rows to add: those of (account, channel) whose address differs from the stored one."""
    box, stored = keys.box(CONTACT_BOX), await tx.execute(_ADDRESS, {"accounts": sorted({account for account, _ in addresses})})
    known = {(row.account, row.channel): box.open(row.address, contact_context(row.account, row.channel)) for row in stored}
    changed = {key: address for key, address in addresses.items() if known.get(key) != address}
    return (
        [{"account": account, "channel": channel} for account, channel in changed],
        [
            {"account": account, "channel": channel, "address": box.seal(address, contact_context(account, channel))}
            for (account, channel), address in changed.items()
            if address is not None
        ],
    )


async def add_person(tx: AsyncConnection, keys: Keys, *, account: str, agency: str, rungs: Iterable[str], **contacts: str | None) -> None:
    """Add or update one person, as `add_people` does. contacts: channel → address."""
    await add_people(tx, keys, [Person(account=account, agency=agency, rungs=tuple(rungs), **contacts)])


async def set_rule(tx: AsyncConnection, *, account: str, loudness: str, channel: str, after: int | None) -> None:
    """Give a person a step of their own; it replaces the same one. after: seconds; None ends it.

    Rejected: no such person, or no such step.
    """
    await agency_of(tx, account)
    if loudness not in LOUDNESS:
        raise Rejected("unknown", "loudness", allowed(loudness, LOUDNESS))
    if channel not in ADDRESSES:
        raise Rejected("unknown", "channel", allowed(channel, tuple(ADDRESSES)))
    if after is not None and not 0 <= after <= MOST_AFTER:
        raise Rejected("out-of-range", "after", f"seconds, 0 to {MOST_AFTER}")
    values = {"account": account_id(account), "loudness": loudness, "channel": channel}
    await tx.execute(_RULE_ENDS, values)
    if after is not None:
        await tx.execute(_RULE, {**values, "after": after})


async def add_shift(
    tx: AsyncConnection, *, account: str, rung: str, written: str, since: date | None = None, until: date | None = None
) -> int:
    """Put a person on duty and return the number of shifts; a repeated shift counts once.

    written: a shift as `rota.parse` reads it. Rejected: no such person, not a shift, or a day that is too far.
    """
    for where, day in (("since", since), ("until", until)):
        if day is not None:
            rota.planned(day, where)
    who = {"account": account_id(account), "agency": await agency_of(tx, account), "rung": rung}
    shift = rota.parse(written)
    if isinstance(shift, Single):
        await put_on(tx, **who, starts=shift.starts, ends=shift.ends)
        return 1
    await tx.execute(_WEEKLY, [_week(who, one, since, until) for one in shift])
    return len(shift)


async def add_weekly(tx: AsyncConnection, people: Iterable[Person], written: str) -> None:
    """Put known people on duty on each of their rungs, by one shift that repeats every week. Rejected: not a weekly shift."""
    shift = rota.parse(written)
    if isinstance(shift, Single):
        raise Rejected("malformed", "shift", rota.HINT)
    stands = [{"account": account_id(p.account), "agency": p.agency, "rung": rung} for p in people for rung in p.rungs]
    if stands:
        await tx.execute(_WEEKLY, [_week(who, one, None, None) for who in stands for one in shift])


def _week(who: Mapping[str, str], one: Weekly, since: date | None, until: date | None) -> dict[str, object]:
    return {**who, "weekday": one.weekday, "start": one.start, "end": one.end, "since": since, "until": until}


async def set_disabled(tx: AsyncConnection, account: str, disabled: bool) -> None:
    """Enable or disable an account. A disabled one receives nothing, not even planned knocks. An unknown account is ignored."""
    await tx.execute(_DISABLE, {"account": account_id(account), "disabled": disabled})


async def add_absence(tx: AsyncConnection, *, account: str, begin: str, end: str) -> None:
    """Take a person off all shifts between two moments. Rejected: no such person, or malformed moments."""
    await agency_of(tx, account)
    span = rota.between(begin, end)
    await tx.execute(_ABSENCE, {"account": account_id(account), "starts": span.starts, "ends": span.ends})


async def agree_nights(tx: AsyncConnection, *, agency: str, begin: str, end: str) -> None:
    """Let exercises wake an agency at any hour between two moments; an earlier leave ends. Rejected: malformed, or over NIGHTS_DAYS."""
    span = rota.between(begin, end)
    if span.ends - span.starts > NIGHTS_DAYS * DAY_US:
        raise Rejected("too-long", "end", f"at most {NIGHTS_DAYS} days: agree again afterwards")
    await tx.execute(_NIGHTS_END, {"agency": agency})
    await tx.execute(_NIGHT, {"agency": agency, "starts": span.starts, "ends": span.ends})


async def end_nights(tx: AsyncConnection, agency: str) -> None:
    """End the leave for exercises at any hour. Rejected: there is none."""
    if not (await tx.execute(_NIGHTS_END, {"agency": agency})).all():
        raise Rejected("gone", "agency", "it has ended already, or never was")


async def stand_in(tx: AsyncConnection, *, agency: str, rung: str, giver: str, taker: str, starts: int, ends: int) -> None:
    """Put one person on duty instead of another at a rung between two instants, µs UTC. Outside of them nothing changes."""
    await tx.execute(_GIVEN, {"account": giver, "agency": agency, "rung": rung, "starts": starts, "ends": ends})
    await put_on(tx, account=taker, agency=agency, rung=rung, starts=starts, ends=ends)


async def put_on(tx: AsyncConnection, *, account: str, agency: str, rung: str, starts: int, ends: int) -> None:
    """Put somebody on duty once, between two instants, µs UTC. What they gave away of these hours is theirs again."""
    where = {"account": account, "agency": agency, "rung": rung}
    for row in (await tx.execute(_TAKEN_BACK, {**where, "starts": starts, "ends": ends})).all():
        for first, last in left((row.starts, row.ends), (starts, ends)):
            await tx.execute(_GIVEN, {**where, "starts": first, "ends": last})
    await tx.execute(_SINGLE, {**where, "starts": starts, "ends": ends})


def left(given: tuple[int, int], back: tuple[int, int]) -> list[tuple[int, int]]:
    """Return what is left of given hours when somebody takes others back. Both are (begin, end), half-open."""
    if back[1] <= given[0] or given[1] <= back[0]:
        return [given]
    return [(first, last) for first, last in ((given[0], back[0]), (back[1], given[1])) if first < last]


async def end(tx: AsyncConnection, part: str, number: int) -> None:
    """End a shift or an absence; its row stays. part: one of PARTS. Rejected: no such row is active."""
    assert part in PARTS
    done = await tx.execute(text(f"UPDATE notifier.{part} {_END} WHERE id = :id AND ended_at IS NULL RETURNING id"), {"id": number})
    if done.one_or_none() is None:
        raise Rejected("unknown", part, "`referral duty show` prints the numbers")


async def pause(tx: AsyncConnection, reason: str) -> None:
    """Hold back everything that has not been sent. Rejected: it is held back already, for the reason of before."""
    if (await tx.execute(_PAUSE, {"reason": reason})).one_or_none() is None:
        raise Rejected("paused", "duty", "sending is paused already: `referral duty show` displays since when and why")


async def resume(tx: AsyncConnection) -> None:
    """Resume sending: what waits and is still wanted. Rejected: nothing is paused."""
    if (await tx.execute(_RESUME)).one_or_none() is None:
        raise Rejected("not-paused", "duty", "sending is not paused: what waits is sent as soon as its channel takes it")


async def drop(tx: AsyncConnection) -> None:
    """Mark the waiting knocks as thrown away: the notifier's sender ends each of them and records it."""
    await tx.execute(_DROP)


async def agency_of(tx: AsyncConnection, account: str) -> str:
    """Return the agency for which the notifier knocks a person. Rejected: the roster has no such person."""
    known = text("SELECT agency FROM notifier.person WHERE account = :account AND ended_at IS NULL")
    found = await tx.execute(known, {"account": account_id(account)})
    agency = found.scalar_one_or_none()
    if agency is None:
        raise Rejected("unknown", "account", "add the person first: `referral duty person`")
    return str(agency)


def account_id(written: str) -> str:
    """Return the id of an inbox account as it is stored. Rejected: not a uuid."""
    try:
        return str(uuid.UUID(written))
    except ValueError:
        raise Rejected("malformed", "account", "the id of an inbox account, a uuid; `referral staff add` prints it") from None
