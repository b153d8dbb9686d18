"""HTTP client of the notifier: ask who was told of offers and tasks, ask for an agency's roster, change it. No other module of intake calls
the notifier.

Pages call it outside any transaction, so that a notifier that hangs holds no connection of the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import httpx

from referral.errors import Malformed
from referral.runtime.keys.case_keys import Keys
from referral.wire import roster as wire_roster
from referral.wire import told as wire
from referral.wire.roster import Ask, Change, Done, Overview, Refused
from referral.wire.told import Told

ANSWER_S = 1.0
"""Seconds that a page waits for the notifier (ours): it answers in a few ms, and nobody who was woken waits for a line that only helps.
With the database's own limit a page still answers within the 5 s of DESIGN §8."""

CHANGE_S = 3.0
"""Seconds that a form waits for the notifier (ours): a change takes some 20 ms, and waits for a batch that plans messages."""


async def told(notifier: httpx.AsyncClient, keys: Keys, ids: Iterable[str]) -> Mapping[str, Told] | None:
    """Return who was told, by id of the offer or task; ids that the notifier has not taken in are absent. None: it does not answer.

    ids: at most MOST_ASKED, and only of what the page shows to its reader.
    """
    body = wire.question(ids)
    try:
        async with asyncio.timeout(ANSWER_S):
            reply = await notifier.post(wire.PATH, content=body, headers={"authorization": f"Bearer {keys.told(body)}"})
        if reply.status_code != httpx.codes.OK or len(reply.content) > wire.MOST_ANSWER:
            return None
        return wire.answered(reply.content)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, Malformed):
        return None


async def roster(notifier: httpx.AsyncClient, keys: Keys, ask: Ask) -> Overview | None:
    """Return an agency's roster. None: the notifier does not answer."""
    found = await _roster(notifier, keys, wire_roster.request(ask))
    return found if isinstance(found, Overview) else None


async def change_roster(notifier: httpx.AsyncClient, keys: Keys, change: Change) -> Done | Refused | None:
    """Change an agency's roster. None: the notifier did not answer; the same change may be sent again, and counts once."""
    made = await _roster(notifier, keys, wire_roster.request(change))
    return None if isinstance(made, Overview) else made


async def _roster(notifier: httpx.AsyncClient, keys: Keys, body: bytes) -> Overview | Done | Refused | None:
    try:
        async with asyncio.timeout(CHANGE_S):
            reply = await notifier.post(wire_roster.PATH, content=body, headers={"authorization": f"Bearer {keys.roster(body)}"})
        if reply.status_code != httpx.codes.OK or len(reply.content) > wire_roster.MOST_ANSWER:
            return None
        return wire_roster.answered(reply.content)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, Malformed):
        return None
