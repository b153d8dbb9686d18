"""`referral channels`: show how messages leave, and where providers report what came back."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.channels import PAID
from referral.cli import console
from referral.cli.connection import ask
from referral.domain.local_time import moment
from referral.runtime import settings
from referral.runtime.keys import case_keys
from referral.runtime.settings import Settings

_PROVIDERS = text(
    "SELECT p.channel, p.name, p.open_until IS NOT NULL AS away, p.slow, p.since, p.succeeded_at, (SELECT count(*) FROM notifier.delivery d"
    " JOIN notifier.asked a ON a.id = d.asked AND a.state = 'OPEN' AND a.rung = d.rung WHERE d.channel = p.channel"
    " AND d.state = 'WAITING' AND d.due_at <= runtime.clock()) AS waiting,"
    " coalesce(s.messages, 0) AS today, s.most AS cap FROM notifier.provider p LEFT JOIN notifier.spent s ON s.channel = p.channel"
    " AND s.begins <= runtime.clock() AND s.ends > runtime.clock() ORDER BY p.channel, p.name"
)


NEAR = 0.8
"""Part of a cap (P) from which the command and the alert rule CapNear warn."""


def channels_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Show each provider of each channel: its state, since when, its last success, and how many messages wait for the channel.

    `today` counts the messages of the channel since midnight, and names its cap (REFERRAL_CAPS).
    A provider that is slow delivers later than a minute after it took a message, and is tried last.

    Below stand the URLs that an SMS gateway needs. Whoever knows them can report receipts and replies: keep them secret.

    Exit 0 shown, 2 the database is down.

    Example: referral channels
    """

    async def read(tx: AsyncConnection, _: Settings) -> list[dict[str, Any]]:
        return [dict(row) for row in (await tx.execute(_PROVIDERS)).mappings()]

    found, rows = settings.load(), ask(read)
    base = (found.sms_callback or found.public_url or "NOTIFIER-URL").rstrip("/")
    door = f"{base}/sms/{case_keys.read(found).callback('sms')}"
    if as_json:
        return console.document({"providers": rows, "receipts": f"{door}/receipt", "replies": f"{door}/reply"})
    cells = [(r["channel"], r["name"], _state(r), moment(r["since"]), _at(r["succeeded_at"]), _today(r), r["waiting"]) for r in rows]
    if not rows:
        print("no provider has carried a message yet; each appears with its first one (try a trunk: referral prompts call)")
    else:
        console.table(("channel", "provider", "state", "since", "last success", "today", "waiting"), cells)
    print(f"receipts of SMS: {door}/receipt/REFERENCE?status=N (each message names it)")
    print(f"replies to SMS:  {door}/reply?from=NUMBER&text=WORDS")
    return 0


def _state(row: dict[str, Any]) -> str:
    return "away" if row["away"] else "slow" if row["slow"] else "works"


def _today(row: dict[str, Any]) -> str:
    """Return the messages of the whole channel, not of the provider, in this local day, and a word about its cap."""
    if row["channel"] not in PAID:
        return "-"
    used = row["today"] / row["cap"] if row["cap"] else 0.0
    word = " CAP REACHED" if used >= 1 else " near the cap" if used >= NEAR else ""
    return str(row["today"]) if row["cap"] is None else f"{row['today']} of {row['cap']}{word}"


def _at(time: int | None) -> str:
    return "never" if time is None else moment(time)
