"""An agency's system that sends as many bytes as one request may have, as fast as it is answered (finding N4)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Any

import httpx

AT_ONCE = 3
"""Requests under way (the second trial by attackers)."""
TEXT = "x" * 320_000


def flood(body: dict[str, Any]) -> dict[str, Any]:
    """Return a referral with a narrative of 320 KB."""
    return {**body, "file": {"narrative": {"text": TEXT}}}


async def send(http: httpx.AsyncClient, token: str, body: dict[str, Any]) -> httpx.Response:
    """Send it once, under a key of its own."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": secrets.token_hex(16)}
    return await http.post("/v1/referrals", json=body, headers=headers)


async def send_for_ever(http: httpx.AsyncClient, token: str, body: dict[str, Any]) -> None:
    """Send it again and again; a refusal is answered by the next one at once, for nobody waits who attacks."""

    async def one() -> None:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await send(http, token, body)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one())
