"""Run each channel on lines of its own: no channel delays another, and a call that hangs costs one attempt, never a line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from referral.channels import Channel, Handed, Outgoing, Unreached, Unsure

LINES = 8
"""Messages under way at once by one channel: enough for 50 a second at 100 ms each with room, few enough for any relay."""
CALL_SECONDS = 25.0
"""Limit of one call of a channel, whatever its own limits are (ours)."""
LEASE_SECONDS = 20.0
"""Time without a renewal after which a claim on a message ends (ours): if its sender was killed, the message is sent again then. A sender
that misses a few renewals, because the machine or the database is slow, keeps its messages."""
STOP_SECONDS = 8.0
"""Time for messages under way to end when the process is asked to stop (ours): a message takes milliseconds."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lane:
    """Settings of one channel.

    make: makes the channel of a new line. lines: open at once. seconds: longest duration of one call.
    stop: seconds for messages under way when the process is asked to stop; then they are cut.
    lease: seconds that a claim lasts without a renewal; longer than a message can go on by itself when its sender's machine is gone.
    """

    make: Callable[[], Channel]
    lines: int = LINES
    seconds: float = CALL_SECONDS
    stop: float = STOP_SECONDS
    lease: float = LEASE_SECONDS


class Line:
    """One line of a lane, used by one delivery at a time. A channel whose call exceeds the limit is abandoned and replaced."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._channel = lane.make()

    async def open(self) -> None:
        """Open the channel. Raises Unreached."""
        try:
            await self._limited(self._channel.open())
        except Unsure as late:  # no message was handed over yet
            raise Unreached(*late.args) from None

    async def send(self, out: Outgoing) -> Handed:
        """Send one message. Raises Refused, Unreached or Unsure."""
        return await self._limited(self._channel.send(out))

    async def close(self) -> None:
        """Close the channel; never raises, never hangs."""
        await asyncio.wait({_quiet(self._channel.close())}, timeout=self._lane.seconds)

    async def _limited(self, call: Coroutine[Any, Any, T]) -> T:
        """Await a call for at most `seconds`. Unsure: it took longer.

        A channel that ignores its cancellation is abandoned, so that nothing waits for it."""
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
            raise Unsure("no-answer")
        return task.result()


def _quiet(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Return a task whose unread error is dropped without a log line: it may quote an address."""
    task = asyncio.ensure_future(call)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return task
