"""`referral drill report CASE …`: who answered when in an exercise, what was late, refused and read; from the log alone."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection, console
from referral.domain.local_time import local, moment
from referral.errors import Rejected
from referral.proof.history import exercise
from referral.proof.history.exercise import Asked, Report
from referral.runtime.settings import Settings

LOGINS = text("SELECT id, login FROM intake.account WHERE agency = :agency")


def report_command(
    cases: Annotated[list[str], typer.Argument(metavar="CASE…", help="Cases of the exercise, as `referral drill run` printed them.")],
    agency: Annotated[str, typer.Option(help="For the head of this agency: with the logins of its own people, and of nobody else.")] = "",
    as_json: console.Json = False,
) -> int:
    """Report an exercise: who answered when, what was late, what was refused, what was read.

    It holds no fact about a person who was referred; keep its --json as a training record. Without --agency nobody is named.
    A case about a real child is refused.

    Exit 0 reported, 1 no such exercise, 2 the database is unavailable.

    Example: referral drill report CASE --agency police-prizren
    """

    async def read(tx: AsyncConnection, found: Settings) -> tuple[list[Report], dict[str, str]]:
        reports = []
        for case in cases:
            entries, keys = await connection.case_entries(tx, found, case)
            if case not in keys:
                raise Rejected("no-such-case", "case", "there is no such case, or it is erased: a training record is what you kept of it")
            reports.append(exercise.for_agency(exercise.report(entries, keys[case]), agency))
        logins = {row.id: row.login for row in await tx.execute(LOGINS, {"agency": agency})} if agency else {}
        return reports, logins

    reports, logins = connection.ask(read)
    if as_json:
        written = [{**msgspec.to_builtins(whole), "logins": logins} for whole in reports]
        return console.document(written[0] if len(written) == 1 else written)
    for whole in reports:
        _print(whole, logins)
    return 0


def _print(whole: Report, logins: dict[str, str]) -> None:
    ended = moment(whole.ended) if whole.ended else "still open: ask the desk to close it"
    console.say(f"exercise {whole.case_id}, from {moment(whole.began)} to {ended}")
    columns = ("asked", "agency", "step", "messages", "answers", "limits", "late", "read")
    console.table(columns, [_row(one, logins) for one in whole.asked])
    if whole.tasks:
        rows = [
            (moment(one.at), one.desk, one.about, one.higher or "", moment(one.settled) if one.settled else "open") for one in whole.tasks
        ]
        console.table(("when", "desk", "question", "put higher", "settled"), rows)
    for other in whole.raised:
        console.say(f"it raised a complaint, an exercise too: referral drill report {other}")


def _row(one: Asked, logins: dict[str, str]) -> tuple[str, ...]:
    def who(by: str) -> str:
        return f" {logins[by]}" if by in logins else ""

    answers = "; ".join(
        f"{answer.word}{f' {answer.reason}' if answer.reason else ''} after {_length(answer.at - one.at)}{who(answer.by)}"
        + (f", changed nothing: {answer.ignored}" if answer.ignored else "")
        for answer in one.answers
    )
    limits = "; ".join(
        f"{limit.what}: {_length(limit.met - limit.since) if limit.met else 'open'} of {_length(limit.due - limit.since)}"
        for limit in one.limits
    )
    messages = f"{one.knocks.sent} sent, {one.knocks.arrived} arrived, {one.knocks.failed} failed" + (
        f", level {one.level} alerted" if one.level else ""
    )
    late = ", ".join(one.late) + (" (not told: nobody's fault there)" if one.excused else "")
    read = ", ".join(dict.fromkeys(f"{reading.section}{who(reading.by)}" for reading in one.read))
    return f"{local(one.at):%H:%M:%S}", one.agency, one.step, messages, answers or "none", limits, late, read


def _length(micros: int) -> str:
    minutes, seconds = divmod(max(micros, 0) // 1_000_000, 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
