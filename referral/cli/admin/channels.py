"""`referral channels`: show how messages leave, and where providers report what came back."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import console
from referral.cli.connection import ask
from referral.domain.local_time import moment
from referral.runtime import settings
from referral.runtime.keys import case_keys
from referral.runtime.settings import Settings

_PROVIDERS = text(
    "SELECT p.channel, p.name, p.open_until IS NOT NULL AS away, p.since, p.succeeded_at, (SELECT count(*) FROM notifier.delivery d"
    " JOIN notifier.asked a ON a.id = d.asked AND a.state = 'OPEN' AND a.rung = d.rung WHERE d.channel = p.channel"
    " AND d.state = 'WAITING' AND d.due_at <= runtime.clock()) AS waiting FROM notifier.provider p ORDER BY p.channel, p.name"
)


def channels_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show each provider of each channel: its state, since when, its last success, and how many messages wait for the channel.

    Below stand the URLs that an SMS gateway needs. Whoever knows them can report receipts and replies: keep them secret.

    Exit 0 shown, 2 the database is down.

    Example: referral channels
    """

    async def read(tx: AsyncConnection, _: Settings) -> list[dict[str, Any]]:
        return [dict(row) for row in (await tx.execute(_PROVIDERS)).mappings()]

    found, rows = settings.load(), ask(read)
    base = (os.environ.get("REFERRAL_SMS_CALLBACK") or found.public_url or "http://NOTIFIER").rstrip("/")
    door = f"{base}/sms/{case_keys.read(found.master_key_file).callback('sms')}"
    if as_json:
        return console.document({"providers": rows, "receipts": f"{door}/receipt", "replies": f"{door}/reply"})
    cells = [
        (r["channel"], r["name"], "away" if r["away"] else "works", moment(r["since"]), _at(r["succeeded_at"]), r["waiting"]) for r in rows
    ]
    console.table(("channel", "provider", "state", "since", "last success", "waiting"), cells)
    print(f"receipts of SMS: {door}/receipt/REFERENCE?status=N (each message names it)")
    print(f"replies to SMS:  {door}/reply?from=NUMBER&text=WORDS")
    return None


def _at(time: int | None) -> str:
    return "never" if time is None else moment(time)
