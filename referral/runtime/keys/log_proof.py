"""Fetch the proof that an event is in the log, as audit returns it. The caller checks it: audit's word alone counts for nothing."""

from __future__ import annotations

import httpx

from referral.errors import Rejected, Unavailable
from referral.runtime.keys.case_keys import Keys

LIMIT_BYTES = 64 * 1024
"""Most bytes of a proof (ours): 63 hashes and a hundred signatures take a quarter of it."""


async def fetch(log: httpx.AsyncClient | None, keys: Keys, event_id: str) -> str:
    """Return the `.tlog-proof` of an event. log: None where this stack has no audit.

    Rejected 404: the event is not logged yet. Unavailable: audit is away.
    """
    try:
        answer = await log.get(f"/proofs/{event_id}", headers={"authorization": f"Bearer {keys.lookup(event_id)}"}) if log else None
    except httpx.HTTPError:
        answer = None
    if answer is not None and answer.status_code == httpx.codes.NOT_FOUND:
        raise Rejected("not-logged-yet", "", "ask again after Retry-After seconds: witnesses are cosigning the log", status=404)
    if answer is None or answer.status_code != httpx.codes.OK or len(answer.content) > LIMIT_BYTES:
        raise Unavailable("the log")
    return answer.text
