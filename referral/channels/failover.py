"""Send by the first of several providers that works. A provider that fails is reported to a breaker, which decides the order."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from referral.channels import Channel, Handed, Outgoing, Refused, Unreached, Unsure


class Breaker(Protocol):
    """Memory of which providers work, shared by all lines and instances. Neither method raises."""

    async def order(self) -> Sequence[str]:
        """Return the names of the providers to try with the next message, in order; never empty."""

    async def result(self, name: str, reached: bool) -> None:
        """Take the result of one message. reached: the provider took it, or refused the number."""


class Failover:
    """One line to each of several providers of a channel.

    ours: words of knock-reason that are the provider's or our fault: the next provider is tried at once. seconds: limit of one call.
    An unclear end is not repeated by another provider: the message may have left. The sender repeats it when no receipt came.
    """

    def __init__(self, channels: Mapping[str, Channel], breaker: Breaker, ours: Collection[str], seconds: float) -> None:
        self._channels, self._breaker, self._ours, self._seconds = channels, breaker, ours, seconds
        self._names: list[str] = []

    async def open(self) -> None:
        """Open the first provider that can be opened. Raises Unreached: none can."""
        self._names, last = list(await self._breaker.order()), Unreached("server-away")
        while self._names:
            failure = await self._open(self._names[0])
            if failure is None:
                return
            await self._breaker.result(self._names.pop(0), False)
            last = failure
        raise last

    async def send(self, out: Outgoing) -> Handed:
        """Send by the first provider that takes the message. Raises Refused, Unreached (the last one's word) or Unsure."""
        last = Unreached("server-away")
        for place, name in enumerate(self._names):
            end = (await self._open(name) if place else None) or await self._send(name, out)
            ours = isinstance(end, Unsure) or (isinstance(end, Unreached) and str(end) in self._ours)
            await self._breaker.result(name, not ours)
            if isinstance(end, Handed):
                return replace(end, provider=name)
            if isinstance(end, Refused | Unsure) or not ours:
                raise end
            last = end
        raise last

    async def close(self) -> None:
        """Close the connections to all providers."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def _open(self, name: str) -> Unreached | None:
        """Open a provider. Return its failure, so that no failure hangs on the next one."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._channels[name].open()
        except Unreached as away:
            return Unreached(*away.args)
        except TimeoutError:
            return Unreached("server-away")
        return None

    async def _send(self, name: str, out: Outgoing) -> Handed | Refused | Unreached:
        """Hand the message to a provider. Return the result, also a failure."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._channels[name].send(out)
        except (Refused, Unreached) as failure:
            return failure
        except TimeoutError:
            return Unsure("no-answer")
