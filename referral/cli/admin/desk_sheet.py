"""`referral desk sheet`: what is open at a desk, on paper, for a power cut. Each call has its number and lines for the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli.admin import roster
from referral.cli.connection import run
from referral.domain.case_number import case_number
from referral.domain.local_time import local
from referral.domain.policy import Policy, policy
from referral.domain.rules.context import UNCONFIRMED
from referral.runtime import i18n, settings
from referral.runtime.i18n import Words
from referral.runtime.settings import Settings
from referral.web import frame
from referral.wire import policy_digest

TEXTS = Path(__file__).with_name("desk_sheet.yaml")
BLANK = "_" * 24
CROWD = 10
"""Referrals of the public page that a desk's sheet lists one by one (ours): a flood of them must not bury the calls under paper."""
_HIDDEN = (
    "NOT EXISTS (SELECT FROM intake.exclusion x WHERE x.case_id = o.case_id AND x.kind = 'AGENCY' AND x.actor = d.desk)"
    " AND NOT EXISTS (SELECT FROM intake.erasure gone WHERE gone.case_id = o.case_id AND gone.approved_at IS NOT NULL)"
)
# The same calls and tasks as on the desk's pages: of its cases, and of every case with a task at this desk.
_CALLS = text(
    "WITH d AS (SELECT case_id, desk FROM intake.casefile UNION SELECT case_id, desk FROM intake.task WHERE closed_at IS NULL)"  # noqa: S608
    " SELECT d.desk, o.case_id, o.agency, o.step, o.kind, o.due, coalesce(t.pathway, '') AS pathway FROM intake.offer o"
    " JOIN d ON d.case_id = o.case_id LEFT JOIN intake.track t ON t.track_id = o.track_id"
    f" WHERE o.reach = 'PHONE' AND o.closed_at IS NULL AND {_HIDDEN} ORDER BY d.desk, o.due NULLS LAST, o.opened_at, o.offer_id"
)
_TASKS = text(
    "SELECT o.desk, o.case_id, o.about, o.step, coalesce(t.pathway, '') AS pathway FROM intake.task o"  # noqa: S608
    " JOIN intake.task d ON d.task_id = o.task_id AND d.desk = o.desk LEFT JOIN intake.track t ON t.track_id = o.track_id"
    f" WHERE o.closed_at IS NULL AND {_HIDDEN} ORDER BY o.desk, o.opened_at, o.task_id"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One call or task. lines: what it is about, in words, and what is to be filled in by hand."""

    number: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One desk's open calls and tasks, and the title of their page."""

    desk: str
    title: str
    calls: tuple[Entry, ...]
    tasks: tuple[Entry, ...]


def sheet_command(
    desk: Annotated[str | None, typer.Option(help="Only of this desk.")] = None,
    language: Annotated[str, typer.Option(help="sq, sr-Latn, sr-Cyrl or en.")] = i18n.DEFAULT,
    html: Annotated[bool, typer.Option("--html", help="A page to print, instead of text.")] = False,
) -> None:
    """Print the open calls and tasks of each desk: for a power cut, every hour, beside `referral duty sheet`.

    A case stands there by its number, its procedure and step; nothing says who the child is. Write down the answers of the agencies, and
    record them in the inbox when it is back.

    Exit 0 printed, 1 no such desk or language, 2 the database is down.

    Example: referral desk sheet --desk desk-prizren --html > sheet.html
    """
    found = settings.load()
    if desk is not None:
        roster.agency(found, desk)
    if language not in i18n.ENDONYMS:
        raise typer.BadParameter(f"use one of: {', '.join(i18n.ENDONYMS)}", param_hint="--language")
    compiled = policy.compile(policy_digest.read(found.policy))
    say = i18n.load(TEXTS)[language]
    now, rows = run(found, lambda tx: _rows(tx, found))
    sheets = [_sheet(name, rows, compiled, say) for name in sorted(rows) if desk in (None, name)]
    if desk is not None and not sheets:
        sheets = [Sheet(desk, compiled.names("agency", desk, language), (), ())]
    print((page if html else plain)(sheets, say, now), end="")


Rows = dict[str, tuple[list[Mapping[str, object]], list[Mapping[str, object]]]]


async def _rows(tx: AsyncConnection, _: Settings) -> tuple[int, Rows]:
    """Return the time, µs UTC, and desk → its calls and its tasks."""
    found: Rows = {}
    for number, question in enumerate((_CALLS, _TASKS)):
        for row in (await tx.execute(question)).mappings():
            found.setdefault(str(row["desk"]), ([], []))[number].append(dict(row))
    return int((await tx.execute(text("SELECT runtime.clock()"))).scalar_one()), found


def _sheet(desk: str, rows: Rows, compiled: Policy, say: Words) -> Sheet:
    calls, tasks = rows[desk]
    crowd = [row for row in tasks if row["about"] == UNCONFIRMED]
    more = len(crowd) - CROWD
    return Sheet(
        desk=desk,
        title=compiled.names("agency", desk, say.language),
        calls=tuple(_call(row, compiled, say) for row in calls),
        tasks=(
            *(_task(row, compiled, say) for row in tasks if row["about"] != UNCONFIRMED or row in crowd[:CROWD]),
            *([Entry("", (say("more", number=more),))] if more > 0 else ()),
        ),
    )


def _call(row: Mapping[str, object], compiled: Policy, say: Words) -> Entry:
    agency = compiled.agencies.get(str(row["agency"]))
    number = agency.telephone if agency is not None else ""
    due = row["due"]
    limit = say("until", time=local(int(str(due))).strftime("%d.%m. %H:%M")) if due is not None else ""
    answer = f"[ ] {say('told')}" if row["kind"] == "NOTIFY" else f"[ ] {say('accepts')}   [ ] {say('declines')} {BLANK}"
    return Entry(
        case_number(str(row["case_id"])),
        (
            " · ".join(part for part in (_what(row, compiled, say), limit) if part),
            f"{compiled.names('agency', str(row['agency']), say.language)}: {number or say('nonumber')}",
            f"{say('spoke')} {BLANK} {say('at')} ____:____",
            answer,
        ),
    )


def _task(row: Mapping[str, object], compiled: Policy, say: Words) -> Entry:
    about = compiled.names("about", str(row["about"]), say.language)
    return Entry(
        case_number(str(row["case_id"])),
        (" · ".join(part for part in (about, _what(row, compiled, say)) if part), f"{say('decided')} {BLANK} {say('at')} ____:____"),
    )


def _what(row: Mapping[str, object], compiled: Policy, say: Words) -> str:
    """Return the procedure and the step, as far as the row has them."""
    named = ((kind, str(row[kind])) for kind in ("pathway", "step"))
    return ": ".join(compiled.names(kind, code, say.language) for kind, code in named if code)


def plain(sheets: Sequence[Sheet], say: Words, now: int) -> str:
    """Return the sheets as text. now: µs UTC."""
    lines = [_title(say, now), "=" * len(_title(say, now))]
    for sheet in sheets:
        lines += ["", sheet.title, "-" * len(sheet.title)]
        for heading, entries in _parts(sheet, say):
            lines += ["", heading]
            for entry in entries:
                lines += [f"  {entry.number}  {entry.lines[0]}", *(f"      {line}" for line in entry.lines[1:]), ""]
    if not any((*sheet.calls, *sheet.tasks) for sheet in sheets):
        lines += ["", say("none")]
    return "\n".join(lines).rstrip() + "\n"


def page(sheets: Sequence[Sheet], say: Words, now: int) -> str:
    """Return the sheets as an HTML page for A4. now: µs UTC."""
    empty = not any((*sheet.calls, *sheet.tasks) for sheet in sheets)
    parts = [(sheet.title, list(_parts(sheet, say))) for sheet in sheets]
    template = frame.templates(Path(__file__).parent).get_template("desk_sheet.html")
    return template.render(sheets=parts, say=say, title=_title(say, now), empty=empty)


def _title(say: Words, now: int) -> str:
    return say("title", time=local(now).strftime("%d.%m.%Y %H:%M"))


def _parts(sheet: Sheet, say: Words) -> Iterable[tuple[str, tuple[Entry, ...]]]:
    """Yield each part that has entries, with its heading."""
    return ((say(key), entries) for key, entries in (("calls", sheet.calls), ("tasks", sheet.tasks)) if entries)
