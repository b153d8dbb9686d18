"""`referral audit token`: who may read the log over HTTP."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Annotated

import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import show
from referral.cli.agency import run
from referral.errors import Rejected
from referral.runtime import clock, settings

ADD = text("INSERT INTO audit.reader (hash, name, made_at) VALUES (:hash, :name, :at)")
END = text("UPDATE audit.reader SET ended_at = :at WHERE name = :name AND ended_at IS NULL RETURNING 1")

OFFICE = re.compile(r"[a-z][a-z0-9-]{0,62}")
Name = Annotated[str, typer.Argument(help="The auditor, as the log of readings shall call them: an office, no person.")]
End = Annotated[bool, typer.Option("--end", help="End every token of this auditor; makes none.")]


def token_command(name: Name, end: End = False, as_json: show.Json = False) -> int:
    """Make a token for the auditor's page and for the log's entries over HTTP. It is shown once, and kept as a hash.

    Exit 0 done, 1 no token of this name stands, 2 the name is none, or the database is away.

    Example: referral audit token ombudsperson
    """
    if not OFFICE.fullmatch(name):  # it stands in log lines, where nobody's name may
        raise typer.BadParameter("NAME: an office as one word, e.g. ombudsperson or court-prizren: a to z, digits and hyphens, at most 63")
    made = secrets.token_urlsafe(32)
    count = run(settings.load(), lambda tx: _end(tx, name) if end else _add(tx, name, made))
    if not count:
        raise Rejected("unknown-token", "NAME", "no token of this auditor stands")
    if end:
        show.document({"ended": count}) if as_json else show.console.print(f"{count} ended")
    else:
        show.document({"name": name, "token": made}) if as_json else show.console.print(made, soft_wrap=True)
    return 0


async def _add(tx: AsyncConnection, name: str, token: str) -> int:
    await tx.execute(ADD, {"hash": hashlib.sha256(token.encode()).digest(), "name": name, "at": await clock.now(tx)})
    return 1


async def _end(tx: AsyncConnection, name: str) -> int:
    return len((await tx.execute(END, {"name": name, "at": await clock.now(tx)})).all())
