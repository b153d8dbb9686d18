"""Count wrong digits in replies, by the account whose number they came from: five in ten minutes make its replies wait.

A sender's number can be forged, so no number of wrong digits voids a message: its page, a call and the inbox take an answer all the while,
and ten minutes after the first of them replies do again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import SECOND_US

TRIES = 5
"""Wrong digits (P): in replies of one number within WAITS_US, and on the page of one message ever."""
WAITS_US = 600 * SECOND_US
"""µs from the first of them for which replies wait (P): thirty guesses an hour, of ten thousand."""
BLOCKED = f"(g.tries >= {TRIES} AND g.since > runtime.clock() - {WAITS_US})"
"""SQL: whether the replies of a row `g` of `guess` wait."""
_UNTIL = text(f"SELECT max(g.since) FROM guess g WHERE g.account = ANY(:people) AND g.channel = :channel AND {BLOCKED}")  # noqa: S608 - numbers
_COUNT = text(
    "INSERT INTO guess AS g (account, channel, tries, since)"
    " SELECT account, :channel, 1, :now FROM unnest(CAST(:people AS text[])) AS account"
    " ON CONFLICT (account, channel) DO UPDATE SET tries = CASE WHEN g.since > :now - CAST(:waits AS bigint) THEN g.tries + 1 ELSE 1 END,"
    " since = CASE WHEN g.since > :now - CAST(:waits AS bigint) THEN g.since ELSE excluded.since END"
)


async def until(tx: AsyncConnection, people: Sequence[str], channel: str) -> int | None:
    """Return until when the replies of these accounts wait, µs UTC; None: they count."""
    since = (await tx.execute(_UNTIL, {"people": list(people), "channel": channel})).scalar_one()
    return None if since is None else int(since) + WAITS_US


async def count(tx: AsyncConnection, people: Sequence[str], channel: str, now: int) -> None:
    """Count wrong digits, once for each account that has the number."""
    await tx.execute(_COUNT, {"people": sorted(people), "channel": channel, "now": now, "waits": WAITS_US})
