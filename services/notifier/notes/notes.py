"""Plan a note: a message to a person that belongs to no case, as a code, a test, or that the rota has a hole. No log holds it.

Notes never meet knocks: other rows, another sender, lines of their own. So none waits before a knock, carries one, or is carried by one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import HOUR_US
from referral.runtime.keys.case_keys import Keys
from services.notifier.duty import Person

MOST = {"code": 5, "test": 10, "swap": 10, "unclear": 20, "blocked": 2}
"""Notes of a kind to one person in an hour (P): SMS cost, and neither a stranger's number nor a colleague's mailbox must be flooded. The
last two are words of answers to replies, which anybody may forge; of `unclear` there is one for each message besides."""
WRITTEN = ("email", "sms")
"""Channels for what a person reads, the quiet one first."""
BOX = "notifier-note"
"""Purpose of the key that seals codes until they are sent."""
_PLAN = text("INSERT INTO note (account, channel, kind, address, code, words) VALUES (:account, :channel, :kind, :address, :code, :words)")
_COUNT = text("SELECT count(*) FROM note WHERE account = :account AND coalesce(words, kind) = :kind AND planned_at > :since")


async def plan(
    tx: AsyncConnection,
    account: str,
    channel: str,
    kind: str,
    *,
    address: bytes | None = None,
    code: bytes | None = None,
    words: str | None = None,
) -> None:
    """Plan a note.

    address: sealed; None: the person's own at the time of sending.
    code: sealed.
    words: of a `code` that is no code: `unclear`, with the digits of a message, or `blocked`, with a time of day.
    """
    values = {"account": account, "channel": channel, "kind": kind, "address": address, "code": code, "words": words}
    await tx.execute(_PLAN, values)


async def tell(tx: AsyncConnection, person: Person, kind: str) -> bool:
    """Plan a quiet note by e-mail, or by SMS for somebody without e-mail. False: the person has neither."""
    channel = quiet(person.channels)
    if channel is not None:
        await plan(tx, person.account, channel, kind)
    return channel is not None


def quiet(channels: Iterable[str]) -> str | None:
    """Return the most quiet written channel of these; None: there is none."""
    there = set(channels)
    return next((channel for channel in WRITTEN if channel in there), None)


async def may_send(tx: AsyncConnection, account: str, kind: str, now: int) -> bool:
    """Return whether one more note of this kind may go to a person in this hour."""
    return bool((await tx.execute(_COUNT, {"account": account, "kind": kind, "since": now - HOUR_US})).scalar_one() < MOST[kind])


def digits() -> str:
    """Return six random digits."""
    return f"{secrets.randbelow(10**6):06}"


def seal(keys: Keys, code: str) -> bytes:
    """Return a code as the row holds it."""
    return keys.box(BOX).seal(code.encode())


def opened(keys: Keys, sealed: bytes) -> str:
    """Return the code of a row. Malformed: sealed by another key."""
    return keys.box(BOX).open(sealed).decode()
