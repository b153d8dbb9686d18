"""Is it logged? Intake asks audit whether a published checkpoint covers an event, and for the proof; nothing else here asks audit."""

from __future__ import annotations

import httpx

from referral.errors import Rejected, Unavailable

ANSWER_S = 5.0
"""Longest that audit is waited for (ours); it is asked again later."""
DOOR_S = 3.0
"""The same where an agency waits for it (ours): it hears within the 5 s of DESIGN §8."""
PROOF_LIMIT = 64 * 1024
"""Bytes of a proof (ours): 63 hashes and a hundred signatures take a quarter of it."""


async def proof(log: httpx.AsyncClient | None, event_id: str) -> str:
    """The `.tlog-proof` of an event. log: None where this stack has none. Rejected 404: not logged yet. Unavailable: audit is away."""
    try:
        answer = await log.get(f"/proofs/{event_id}") if log else None
    except httpx.HTTPError:
        answer = None
    if answer is not None and answer.status_code == httpx.codes.NOT_FOUND:
        raise Rejected("not-logged-yet", "", "ask again after Retry-After seconds: witnesses are cosigning the log", status=404)
    if answer is None or answer.status_code != httpx.codes.OK or len(answer.content) > PROOF_LIMIT:
        raise Unavailable("the log")
    return answer.text


async def covered(url: str, event_id: str) -> bool:
    """Whether the log proves that it holds this event: then nobody can take it out again unseen. False also while audit is away."""
    try:
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S) as audit:
            return (await audit.get(f"/proofs/{event_id}")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
