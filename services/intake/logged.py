"""Is it logged? Intake asks audit whether a published checkpoint covers an event; nothing else of it asks audit anything."""

from __future__ import annotations

import httpx

ANSWER_S = 5.0
"""Longest that audit is waited for (ours); it is asked again later."""


async def covered(url: str, event_id: str) -> bool:
    """Whether the log proves that it holds this event: then nobody can take it out again unseen. False also while audit is away."""
    try:
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S) as audit:
            return (await audit.get(f"/proofs/{event_id}")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
