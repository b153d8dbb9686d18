"""Ring the stand-in telephone of a local stack. It is the channel `voice` where no trunk exists; no telephone rings.

A call is one HTTP request: the handset answers it when the call ends, and the call ends when the request does.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from referral.authorities import trusted
from referral.channels import KEYS, Handed, Outgoing, Refused, Unreached, Unsure
from referral.channels.prompts import speech, spoken

CONNECT_SECONDS = 5.0
"""Limit to connect: the handset runs on this machine."""
CALL_SECONDS = 75.0
"""Limit of one call: 25 s of ringing and three times a prompt of 12 s, with room (ours)."""
LINES = 30
"""Calls at once (ours), as on a trunk."""
ENDS = frozenset({"busy", "declined", "rings-out", "no-key"})
"""Ends of a call without a key, in the words of the voice channel."""


class Handset:
    """A line to the handset. Each call has a connection of its own."""

    def __init__(self, url: str) -> None:
        limits = httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx.AsyncClient(base_url=url, timeout=limits, verify=trusted(), trust_env=False)

    async def open(self) -> None:
        """Do nothing: a call opens its own connection."""

    async def send(self, out: Outgoing) -> Handed:
        """Ring, and wait for a key. Raises Refused, Unreached or Unsure. Cancelled: the handset stops ringing."""
        end = await self._call({"to": out.address, "text": spoken(out), "language": speech(out.language)})
        if isinstance(end, Exception):
            raise end
        return Handed(KEYS[end])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, call: Mapping[str, str]) -> str | Refused | Unreached:
        """Return the key, or the failure in our own words; the caller raises it, so that no traceback contains the number."""
        try:
            answer = await self._client.post("/calls", json=call)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return Unreached("server-away")
        except httpx.HTTPError:  # a key may have been pressed
            return Unsure("no-answer")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return Refused("wrong-number")
        end = answer.text.strip()
        if answer.is_success and end in KEYS:
            return end
        return Unreached(end if answer.is_success and end in ENDS else "server-refuses-us" if answer.is_client_error else "server-busy")
