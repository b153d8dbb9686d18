"""`referral offers` and `referral respond`: list the offers that your agency holds, and answer one."""

from __future__ import annotations

import secrets
import time
from typing import Annotated

import typer

from referral.cli import console
from referral.client import Away, Client, Json, Problem
from referral.domain.local_time import moment

DECIDED_S, AGAIN_S = 3.0, 0.1
"""Longest wait for routing's decision about an answer, and the gap between two looks, seconds (ours): it takes some hundredths."""

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
        return console.document(listed)
    rows = [(o["offer_id"], o["step"], o["state"], _until(o), " ".join(o["words"])) for o in listed]
    return console.table(("offer", "step", "state", "until", "answers"), rows)


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
    """Answer one offer, and show whether the answer counted.

    Exit 0 received, 1 refused or ignored, 2 intake cannot be reached.

    Example: referral respond OFFER DECLINE --reason NO_CAPACITY
    """
    more = {name: value for name, value in (("reason", reason), ("code", code)) if value}
    key = key or secrets.token_hex(16)
    with console.client(url, token) as client:
        receipt = client.respond(offer_id, word.upper(), key=key, **more)
        decided = _decided(client, key)
    console.answer(
        as_json,
        receipt | {name: decided.get(name, "") for name in ("became", "reason")},
        f"{word.upper()} received {moment(receipt.get('received_at'))}: {_became(decided, key)}",
    )
    return 1 if decided.get("became") == "IGNORED" else 0


def _decided(client: Client, key: str) -> Json:
    """Return the state of an answer once it is decided, or after DECIDED_S; empty: intake does not say, and yet it has the answer."""
    until = time.monotonic() + DECIDED_S
    try:
        while (state := client.submission(key)).get("became") == "RECEIVED" and time.monotonic() < until:
            time.sleep(AGAIN_S)
    except (Problem, Away):  # the answer is taken: whoever is told otherwise would send it again
        return {}
    return state


def _became(state: Json, key: str) -> str:
    """Return in words what became of an answer."""
    match state.get("became"):
        case "COUNTED":
            return "it counted"
        case "IGNORED":
            why = state.get("reason") or "without a reason that you may know"
            return f"ignored, {why}: it changed nothing; `referral offers --state all` shows what stands"
        case _:
            return f"no decision is known yet; `referral submission {key}` shows it"
