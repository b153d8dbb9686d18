"""`referral offers` and `referral respond`: list the offers that your agency holds, and answer one."""

from __future__ import annotations

from typing import Annotated

import typer

from referral.cli import console
from referral.client import Json
from referral.domain.local_time import moment

Word = Annotated[str, typer.Argument(help="ACKNOWLEDGE, ACCEPT, ARRIVE, COMPLETE, DECLINE, HOLD, RETURN or DECIDE.")]


def offers(
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    state: Annotated[str, typer.Option(help="open, or all.")] = "open",
    as_json: console.Json = False,
) -> int:
    """List the offers that your agency holds, most urgent first.

    Exit 0 listed, 1 refused, 2 intake cannot be reached.

    Example: referral offers --state all
    """
    with console.client(url, token) as client:
        listed = client.offers(state)
    if as_json:
        console.document(listed)
        return 0
    rows = [(o["offer_id"], o["step"], o["state"], _until(o), " ".join(o["words"])) for o in listed]
    console.table(("offer", "step", "state", "until", "answers"), rows)
    return 0


def _until(offer: Json) -> str:
    """Return the next limit of an offer and its purpose, in Kosovo's time."""
    return f"{moment(offer['due'])[:16]} {offer['due_what']}" if offer.get("due") else ""


def respond(
    offer_id: str,
    word: Word,
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    reason: Annotated[str, typer.Option(help="Coded reason of a decline, hold or return.")] = "",
    code: Annotated[str, typer.Option(help="Code of a decision.")] = "",
    key: Annotated[str, typer.Option(help="Idempotency-Key; the same key is one answer.")] = "",
    as_json: console.Json = False,
) -> int:
    """Answer one offer.

    Exit 0 received, 1 refused, 2 intake cannot be reached.

    Example: referral respond OFFER DECLINE --reason NO_CAPACITY
    """
    more = {name: value for name, value in (("reason", reason), ("code", code)) if value}
    with console.client(url, token) as client:
        receipt = client.respond(offer_id, word.upper(), key=key or None, **more)
    if as_json:
        console.document(receipt)
    else:
        console.console.print(f"{word.upper()} received {moment(receipt.get('received_at'))}; `referral offers` shows what it led to")
    return 0
