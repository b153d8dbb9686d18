"""`referral security`: show the security events with the alarms that they raised, and plant honey that nobody has a use for."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer
from msgspec import to_builtins
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, connection, console
from referral.domain.durations import HOUR_US
from referral.domain.local_time import moment
from referral.errors import Rejected
from referral.proof import act, heartbeat
from referral.proof.security import Alarm, altered, raised
from referral.runtime import settings
from referral.runtime.postgres import clock, tokens
from referral.runtime.settings import Settings
from referral.wire.security_event import DIGITS, KEPT_DAYS, Kind, Row

HOURS = 24
"""Hours that are shown (ours): a day, as the office asks in the morning."""
MOST_HOURS = KEPT_DAYS * 24
NONE = 2**63 - 1
"""An entry that no log reaches."""
EVENTS = text(
    "SELECT id, at, service, kind, who, detail, place, times, idx FROM audit.security WHERE at > :since OR idx IS NULL OR idx >= :first"
    " ORDER BY id"
)
HEARTBEATS = text("SELECT * FROM audit.entry WHERE kind = 'HEARTBEAT' ORDER BY idx DESC")
PLANTED = text("SELECT encode(digest, 'hex') AS digest, kind, label, made_at, ended_at FROM audit.honey ORDER BY made_at, digest")
PLANT = text("INSERT INTO audit.honey (digest, kind, label, made_at) VALUES (:digest, :kind, :label, :now)")
END = text(
    "UPDATE audit.honey SET ended_at = :now WHERE ended_at IS NULL AND starts_with(encode(digest, 'hex'), :digits) RETURNING kind, digest"
)


class Bait(StrEnum):
    """Kind of honey."""

    TOKEN = "token"  # noqa: S105 - a word, no secret
    CASE = "case"


def events_command(
    hours: Annotated[int, typer.Option(min=1, max=MOST_HOURS, help="Hours until now.")] = HOURS,
    kind: Annotated[Kind | None, typer.Option(help="Only of this kind.")] = None,
    who: Annotated[str, typer.Option(help="Only of this account, agency or office, as the column `who` shows it.")] = "",
    as_json: console.Json = False,
) -> int:
    """List the security events: sign-ins, refusals, readings. First come the alarms of these hours, then whether the log still seals all
    of it.

    An alarm stands for an hour, and is listed with the time from which on it stood. The events of these hours are compared with their seals
    in the log, whatever is shown of them: --hours 8760 compares a year.

    Exit 0 no alarm stood and nothing was altered, 1 an alarm stood or something was altered, 2 the database is down.

    Example: referral security events --hours 8 --kind refused
    """
    rows, changed, now = connection.ask(lambda tx, _: _read(tx, hours * HOUR_US))
    stood = {alarm: about for alarm, about in raised(row for row in rows if row.at > now - hours * HOUR_US).items() if about}
    shown = [row for row in rows if row.at > now - hours * HOUR_US and kind in (None, row.kind) and who in ("", row.who)]
    if as_json:
        found = {alarm: dict(sorted(about.items())) for alarm, about in stood.items()}
        console.document({"alarms": found, "altered": changed, "events": [to_builtins(row) for row in shown]})
    else:
        _print(stood, changed, sum(row.idx is None for row in rows), shown)
    return int(bool(changed or stood))


def _print(stood: dict[Alarm, dict[str, int]], changed: list[str], waiting: int, shown: Iterable[Row]) -> None:
    for at, alarm, who in sorted((at, alarm, who) for alarm, about in stood.items() for who, at in about.items()):
        console.say(f"ALARM {moment(at)} {alarm}: {who}")
    for line in changed:
        console.say(f"ALTERED {line}: somebody wrote past the services. Who has the administrator's password?")
    if not changed:
        console.say(f"the log seals all of these but the newest {waiting}")
    lines = [
        (moment(row.at), row.service, row.kind, row.who, row.detail, row.place, "" if row.times == 1 else f"{row.times} times")
        for row in shown
    ]
    console.table(("time", "service", "event", "who", "detail", "from", "how often"), lines)


async def _read(tx: AsyncConnection, span: int) -> tuple[list[Row], list[str], int]:
    """Return the events of a time until now (µs), what is wrong with them, and now."""
    now = await clock.now(tx)
    return *await read(tx, span, now), now


async def read(tx: AsyncConnection, span: int, now: int) -> tuple[list[Row], list[str]]:
    """Return the events of a time until `now` (both µs), and what is wrong with them."""
    seals = dict[int, tuple[int, str, int]]()
    since = now - span
    async with tx.stream(HEARTBEATS) as found:
        async for row in found:
            entry = connection.entry(row)
            if entry.logged_at <= since:
                break
            beat = heartbeat.read(entry)
            if beat.events:
                seals[entry.idx] = (beat.events, beat.seal, entry.logged_at)
    asked = {"since": since, "first": min(seals, default=NONE)}
    rows = [Row(**{**row._mapping, "kind": Kind(row.kind)}) for row in await tx.execute(EVENTS, asked)]
    return rows, altered(rows, seals, now)


def honey_command(
    kind: Annotated[Bait, typer.Argument(help="token: of a system. case: the number of a case that does not exist.")] = Bait.TOKEN,
    label: Annotated[str, typer.Option(help="Where you put it, so that an alarm says which place was read.")] = "",
    end: Annotated[str | None, typer.Option(help="End the honey of this name (see --list); makes none.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the honey; makes none.")] = False,
    as_json: console.Json = False,
) -> int:
    """Make a token, or the number of a case, that nobody has a use for, and print it once: whoever uses it raises an alarm.

    Put it where only a thief looks: beside the true tokens, in a note, in a copy of the files. Doors refuse it as any wrong one.

    Exit 0 done, 1 no honey has this name, 2 the database is down.

    Example: referral security honey token --label 'the vault of the operators'
    """
    found = settings.load()
    if list_:
        return _list(found, as_json)
    if end is not None:
        if len(end) < DIGITS:
            raise Rejected("name", "--end", f"give the {DIGITS} digits that --list shows")

        async def ended(tx: AsyncConnection, about: list[str]) -> int:
            rows = (await tx.execute(END, {"digits": end, "now": await clock.now(tx)})).all()
            if not rows:
                raise Rejected("unknown-honey", "--end", "nothing that is planted has this name")
            about += [_subject(row.kind, row.digest) for row in rows]
            return len(rows)

        count = administration.change(found, "security honey", ended)
        return console.answer(as_json, {"ended": count}, f"{count} ended")
    bait = tokens.made() if kind is Bait.TOKEN else str(uuid.uuid4())  # noqa: TID251 - no case has this number
    hash_ = tokens.digest(bait)

    async def plant(tx: AsyncConnection, _: list[str]) -> None:
        await tx.execute(PLANT, {"digest": hash_, "kind": kind, "label": label, "now": await clock.now(tx)})

    administration.change(found, "security honey", plant, _subject(kind, hash_))
    return console.answer(as_json, {"kind": kind, "honey": bait}, bait)


def _subject(kind: str, digest: bytes) -> str:
    return f"honey:{kind}-{digest.hex()[: act.DIGITS]}"


def _list(found: Settings, as_json: bool) -> int:
    async def read(tx: AsyncConnection) -> list[tuple[str, str, str, int, int | None]]:
        rows = await tx.execute(PLANTED)
        return [(row.digest[:DIGITS], row.kind, row.label, row.made_at, row.ended_at) for row in rows]

    names = ("name", "kind", "label", "made_at", "ended_at")
    planted = connection.run(found, read)
    if as_json:
        return console.document([dict(zip(names, row, strict=True)) for row in planted])
    lines = [(name, kind, label, moment(made), moment(ended)) for name, kind, label, made, ended in planted]
    return console.table(("honey", "kind", "where it is", "made", "ended"), lines)
