"""`referral duty sheet`: the last resort on paper. Who is on duty in the next two days, and under which number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli.admin import roster
from referral.cli.connection import run
from referral.domain.local_time import local
from referral.runtime import settings
from referral.runtime.keys import case_keys as keys_
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.settings import Settings
from referral.web import frame

HOURS = 48
"""Hours that a sheet covers (ours): it is printed each day, and one printing may fail."""
MOST_HOURS = 6 * 24
"""Longest sheet: times name the day of the week alone, and none may come twice."""
WIDTH = 80
"""Characters of a line: a page of A4 in any printer's own type."""
NOBODY = "NOBODY"
NO_NUMBER = "no telephone number"
_PEOPLE = text(
    "SELECT p.account, a.login, c.channel, c.address FROM notifier.person p LEFT JOIN intake.account a ON a.id = p.account"
    " LEFT JOIN notifier.contact c ON c.account = p.account AND c.ended_at IS NULL AND c.channel IN ('sms', 'voice')"
    " WHERE p.ended_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the sheet. time: from and until, in words. who: login. number: to call; of a hole both are empty."""

    rung: str
    time: str
    who: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Login of the inbox account, and the number to call."""

    login: str
    number: str


def sheet_command(
    agency: Annotated[str | None, typer.Option(help="Only of this agency.")] = None,
    hours: Annotated[int, typer.Option(min=1, max=MOST_HOURS, help="Hours from now.")] = HOURS,
    html: Annotated[bool, typer.Option("--html", help="A page to print, instead of text.")] = False,
) -> None:
    """Print who is on duty in the next 48 hours, by agency and rung, with the number to call: for the desk, each morning at 07:00.

    The sheet holds private numbers: print it, and shred yesterday's. Without people of an agency, nothing of it is printed.

    Exit 0 printed, 1 no such agency, 2 the database is down.

    Example: referral duty sheet --html > sheet.html
    """
    found = settings.load()
    if agency is not None:
        roster.agency(found, agency)
    duty = roster.notifier("spans", str(hours), *([] if agency is None else [agency]))
    people = run(found, lambda tx: _people(tx, found))
    tables = [(name, _title(found, name), list(rows)) for name, rows in _rows(found, duty["rungs"], people)]
    print((page if html else plain)(duty["begins"], duty["ends"], tables), end="")


def plain(begins: int, ends: int, tables: Iterable[tuple[str, str, Iterable[Row]]]) -> str:
    """Return the sheet as text of WIDTH columns; longer names are cut, never numbers."""
    lines = [_heading(begins, ends), "=" * WIDTH]
    for name, title, rows in tables:
        lines += ["", f"{name}: {title}"[:WIDTH], "-" * WIDTH]
        shown = ""
        for row in rows:
            rung = "" if row.rung == shown else row.rung
            shown = row.rung
            lines.append(f"{rung[:18]:18} {row.time:21} {(row.who or NOBODY)[:16]:16} {row.number}".rstrip())
    return "\n".join(lines) + "\n"


def page(begins: int, ends: int, tables: Iterable[tuple[str, str, Iterable[Row]]]) -> str:
    """Return the sheet as an HTML page for A4."""
    template = frame.templates(Path(__file__).parent).get_template("duty_sheet.html")
    return template.render(heading=_heading(begins, ends), tables=tables, nobody=NOBODY)


def _heading(begins: int, ends: int) -> str:
    return f"On duty from {_moment(begins, '%a %d.%m.%Y %H:%M')} to {_moment(ends, '%a %d.%m.%Y %H:%M')}, clock of Belgrade"


def _moment(at: int, form: str = "%a %H:%M") -> str:
    return local(at).strftime(form)


def _rows(found: Settings, duty: Iterable[Mapping[str, Any]], people: Mapping[str, Person]) -> Iterator[tuple[str, Iterator[Row]]]:
    """Yield each agency with its lines: the rungs of its ladder in their order, also those for which nobody is registered."""
    agencies: dict[str, dict[str, Any]] = {}
    for rung in duty:
        agencies.setdefault(rung["agency"], {})[rung["rung"]] = rung["spans"]
    for name, rungs in sorted(agencies.items()):
        order = [*_directory(found, name).get("ladder", ())]
        order += [rung for rung in rungs if rung not in order]
        yield name, (row for rung in order for row in _of_rung(rung, rungs.get(rung), people))


def _of_rung(rung: str, spans: Iterable[Mapping[str, Any]] | None, people: Mapping[str, Person]) -> Iterator[Row]:
    if spans is None:
        yield Row(rung, "the whole time")
        return
    for span in spans:
        time = f"{_moment(span['begins'])} - {_moment(span['ends'])}"
        if not span["people"]:
            yield Row(rung, time)
        for account in span["people"]:
            person = people.get(account, Person(account[:8], NO_NUMBER))
            yield Row(rung, time, person.login, person.number)


async def _people(tx: AsyncConnection, found: Settings) -> dict[str, Person]:
    """Return account → person. The numbers are opened with the master key, which only an administrator's command line has."""
    box, numbers, logins = keys_.read(found).box(CONTACT_BOX), {}, {}
    for row in await tx.execute(_PEOPLE):
        logins[row.account] = row.login or row.account[:8]
        if row.address is not None:
            opened = box.open(row.address, contact_context(row.account, row.channel)).decode()
            numbers[row.account, row.channel] = opened
    return {account: Person(login, _number(numbers, account)) for account, login in logins.items()}


def _number(numbers: Mapping[tuple[str, str], str], account: str) -> str:
    """Return the number to call, and the one for SMS only if it is the only one."""
    if voice := numbers.get((account, "voice")):
        return voice
    sms = numbers.get((account, "sms"))
    return f"{sms} (SMS)" if sms else NO_NUMBER


def _title(found: Settings, name: str) -> str:
    return str(_directory(found, name).get("names", {}).get("en", ""))


def _directory(found: Settings, name: str) -> dict[str, Any]:
    file = found.policy / "directory" / f"{name}.yaml"
    return yaml.safe_load(file.read_text("utf-8")) if file.is_file() else {}
