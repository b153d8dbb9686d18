"""Run each channel on lines of its own: no channel delays another, and a call that hangs costs one attempt, never a line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from services.notifier.channels import Channel, Unreached
from services.notifier.message import Message

LINES = 8
"""Messages under way at once by one channel: enough for 50 a second at 100 ms each with room, few enough for any relay."""
CALL_SECONDS = 25.0
"""Limit of one call of a channel, whatever its own limits are (ours). Two of them fit into a delivery's lease
(deliveries.LEASE_SECONDS)."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Settings of one channel. make: opens a new line. lines: open at once. seconds: longest duration of one call."""

    make: Callable[[], Channel]
    lines: int = LINES
    seconds: float = CALL_SECONDS


class Line:
    """One line of a lane, used by one delivery at a time. A channel whose call exceeds the limit is abandoned and replaced."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._channel = lane.make()

    async def open(self) -> None:
        """Open the channel. Raises Unreached."""
        await self._limited(self._channel.open())

    async def send(self, address: str, message: Message, reference: str, at: int) -> None:
        """Send one message. Raises Refused or Unreached."""
        await self._limited(self._channel.send(address, message, reference, at))

    async def close(self) -> None:
        """Close the channel; never raises, never hangs."""
        await asyncio.wait({_quiet(self._channel.close())}, timeout=self._lane.seconds)

    async def _limited(self, call: Coroutine[Any, Any, None]) -> None:
        """Await a call for at most `seconds`. A channel that ignores its cancellation is abandoned, so that nothing waits for it."""
        task = _quiet(call)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._lane.seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            _quiet(self._channel.close())
            self._channel = self._lane.make()
            raise Unreached("no-answer")
        task.result()


def _quiet(call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Return a task whose unread error is dropped without a log line: it may quote an address."""
    task = asyncio.ensure_future(call)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return task
