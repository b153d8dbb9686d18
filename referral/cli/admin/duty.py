"""`referral duty`: manage the people that the notifier may knock, their channels, and their shifts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, console
from referral.cli.admin import roster
from referral.cli.connection import run
from referral.domain import rota
from referral.domain.local_time import moment
from referral.domain.policy.reading.reader import allowed
from referral.errors import Rejected
from referral.roster import changes, log
from referral.runtime import settings
from referral.runtime.keys import case_keys as keys_
from referral.runtime.keys.case_keys import Keys

T = TypeVar("T")

Account = Annotated[str, typer.Argument(help="Id of the inbox account (a uuid).")]


def person_command(
    account: Account,
    agency: Annotated[str, typer.Option(help="Id of the agency, as in the directory.")],
    rung: Annotated[list[str], typer.Option(help="A rung of its ladder, e.g. duty-officer; may be given several times.")],
    email: Annotated[str | None, typer.Option(help="Address for knocks; stored sealed. - ends the stored one.")] = None,
    sms: Annotated[str | None, typer.Option(help="Number for SMS, +99944000001; stored sealed. - ends the stored one.")] = None,
    voice: Annotated[str | None, typer.Option(help="Number to be called, also a landline; stored sealed. - ends the stored one.")] = None,
) -> None:
    """Add a person who can be knocked, or change one. Knocks are in the language of the inbox account.

    Exit 0 done, 1 refused, 2 the database is down.

    Example: referral duty person ACCOUNT --agency police-prizren --rung duty-officer --email besa@example.org --voice +99944000001
    """

    found = settings.load()
    names = roster.rungs(found, roster.agency(found, agency), rung)

    async def work(tx: AsyncConnection, keys: Keys) -> None:
        await roster.owner(tx, account, agency)
        await changes.add_person(tx, keys, account=account, agency=agency, rungs=names, email=email, sms=sms, voice=voice)

    _change("duty person", work, account, f"agency:{agency}")
    console.say(f"{account} may be knocked for {agency}: {', '.join(names)}")


def rule_command(
    account: Account,
    loudness: Annotated[str, typer.Argument(help="urgent (at most 2 h are left), normal (at most a day) or quiet.")],
    channel: Annotated[str, typer.Argument(help="email, sms or voice.")],
    after: Annotated[int | None, typer.Argument(help="Seconds after the first message; without it, the step ends.")] = None,
) -> None:
    """Decide by which channels, and how soon, a person is knocked. The steps of a loudness replace the usual ones; without any, those hold.

    What is urgent always uses SMS or telephone, where there is a number.

    Exit 0 done, 1 refused, 2 the database is down.

    Example: referral duty rule ACCOUNT urgent voice 60
    """
    _change("duty rule", lambda tx, _: changes.set_rule(tx, account=account, loudness=loudness, channel=channel, after=after), account)


def shift_command(
    account: Account,
    shift: Annotated[str, typer.Argument(help=rota.HINT)],
    rung: Annotated[str, typer.Option(help="The person's rung in the ladder.")],
    since: Annotated[str | None, typer.Option(help="First day of a weekly shift, 2026-12-01.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day on which it begins.")] = None,
) -> None:
    """Put a person on duty, once or every week; times are wall clock in Belgrade.

    Exit 0 done, 1 refused, 2 the database is down.

    Example: referral duty shift ACCOUNT 'mon-fri 20:00-08:00' --rung duty-officer
    """

    found, first, last = settings.load(), _date(since), _date(until)
    if first is not None and last is not None and last < first:
        raise Rejected("backwards", "--until", "the last day must not lie before the first")

    async def work(tx: AsyncConnection, _: Keys) -> int:
        roster.rungs(found, await changes.agency_of(tx, account), [rung])
        return await changes.add_shift(tx, account=account, rung=rung, written=shift, since=first, until=last)

    console.say(f"{_change('duty shift', work, account)} shifts")


def absence_command(account: Account, begin: str, end: str) -> None:
    """Take a person off all shifts between two moments.

    Exit 0 done, 1 refused, 2 the database is down.

    Example: referral duty absence ACCOUNT '2026-12-24 20:00' '2027-01-02 08:00'
    """

    async def work(tx: AsyncConnection, _: Keys) -> None:
        await changes.add_absence(tx, account=account, begin=begin, end=end)

    _change("duty absence", work, account)


def remove_command(kind: Annotated[str, typer.Argument(help="weekly, single or absence.")], number: int) -> None:
    """End a shift or an absence, by the number that `referral duty show` prints. Its row stays, for `referral duty history`.

    Exit 0 done, 1 no such number, 2 the database is down.

    Example: referral duty remove weekly 12
    """
    if kind not in changes.PARTS:
        raise Rejected("unknown-kind", "kind", allowed(kind, changes.PARTS))
    _change("duty remove", lambda tx, _: changes.end(tx, kind, number), "", f"{kind}:{number}")


def disable_command(account: Account) -> None:
    """Stop knocking this person; knocks already planned are not sent either.

    Exit 0 done, 1 no such person, 2 the database is down.

    Example: referral duty disable ACCOUNT
    """
    _change("duty disable", lambda tx, _: _disabled(tx, account, True), account)


def enable_command(account: Account) -> None:
    """Knock this person again.

    Exit 0 done, 1 no such person, 2 the database is down.

    Example: referral duty enable ACCOUNT
    """
    _change("duty enable", lambda tx, _: _disabled(tx, account, False), account)


def pause_command(reason: Annotated[str, typer.Option(help="Reason for other operators; nothing about a case.")]) -> None:
    """Send nothing at all from now on, for instance in a storm of messages. Offers go on: they escalate and expire by their limits.

    Exit 0 done, 1 it is paused already, 2 the database is down.

    Example: referral duty pause --reason 'the relay sends everything twice'
    """
    _change("duty pause", lambda tx, _: changes.pause(tx, reason))
    console.say("paused; a message that is under way ends by itself. `referral duty resume` goes on")


def resume_command(
    drop: Annotated[bool, typer.Option("--drop", help="Discard the waiting knocks instead of sending them.")] = False,
) -> None:
    """Send again: what waits and is still wanted, once.

    Exit 0 done, 1 nothing is paused, 2 the database is down.

    Example: referral duty resume
    """

    async def work(tx: AsyncConnection, _: Keys) -> None:
        await changes.resume(tx)
        if drop:
            await changes.drop(tx)

    _change("duty resume", work)


def show_command(agency: Annotated[str | None, typer.Option(help="Only of this agency.")] = None, as_json: console.Json = False) -> int:
    """Show the people, their channels (never an address), shifts, absences, a pause of sending, and the rungs that a rota leaves empty.

    Exit 0 shown, 1 no such agency, 2 the database is down.

    Example: referral duty show --agency police-prizren
    """
    if agency is not None:
        roster.agency(settings.load(), agency)
    tables = run(settings.load(), lambda tx: roster.read(tx, agency))
    tables["bare"] = roster.uncovered(roster.notifier_history(*([] if agency is None else [agency]))["rungs"])
    if as_json:
        return console.document(tables)
    for name, rows in tables.items():
        if rows:
            console.table(list(rows[0]), [[_cell(k, v) for k, v in row.items()] for row in rows], title=name)
    return 0


def history_command(
    agency: Annotated[str, typer.Option(help="Id of the agency, as in the directory.")],
    at: Annotated[str, typer.Option(help="An instant: 2026-11-26 02:00 by the wall clock in Belgrade, or RFC 3339.")],
    as_json: console.Json = False,
) -> int:
    """Show who was on duty at an instant, by the roster of that time, and who had changed it in the week before.

    Exit 0 shown, 1 no such agency or no such time, 2 the database is down.

    Example: referral duty history --agency police-prizren --at '2026-11-26 02:00'
    """
    roster.agency(settings.load(), agency)
    history = roster.notifier_history(agency, str(rota.moment(at)))
    if as_json:
        return console.document(history)
    rungs = [(r["rung"], ", ".join(r["people"]) or "nobody", r["said"]) for r in history["rungs"]]
    console.table(("rung", "on duty", "why"), rungs, title=f"{agency} at {at}")
    changes = [(moment(c["at"]), c["by"], c["did"], c["part"], c["account"], c["what"]) for c in history["changes"]]
    return console.table(("changed at", "by", "did", "part", "account", "what"), changes, title="in the week before")


async def _disabled(tx: AsyncConnection, account: str, disabled: bool) -> None:
    await changes.agency_of(tx, account)
    await changes.set_disabled(tx, account, disabled)


def _change(command: str, work: Callable[[AsyncConnection, Keys], Awaitable[T]], account: str = "", *about: str) -> T:
    """Change the roster as the database's administrator, and record the act; the notifier's topic gets what has changed of the roster.

    account, about: subjects of the act. Unavailable: the database is down.
    """
    found = settings.load()

    async def logged(tx: AsyncConnection, _: list[str]) -> T:
        async with log.change(tx, found):
            return await work(tx, keys_.read(found))

    return administration.change(found, command, logged, *((f"account:{changes.account_id(account)}",) if account else ()), *about)


def _date(written: str | None) -> date | None:
    try:
        return None if written is None else date.fromisoformat(written)
    except ValueError:
        raise Rejected("malformed", "date", "write 2026-12-01") from None


def _cell(name: str, value: Any) -> Any:
    if name in ("starts", "ends", "at"):
        return moment(value)
    if name == "weekday":
        return rota.DAYS[value]
    if name in ("start_minute", "end_minute"):
        return f"{value // 60 % 24:02}:{value % 60:02}" + (f" +{value // rota.DAY_MIN} d" if value >= rota.DAY_MIN else "")
    return ", ".join(value) if isinstance(value, list) else value
