"""A piece of network between a channel and its server, which a test cuts: it carries, is away, swallows, or dies with the answer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

Mode = Literal["carries", "away", "swallows", "dies"]


class Wire:
    """A forwarder on a free port of this machine. It changes its ways for connections that begin afterwards.

    carries: forwards both ways. away: nobody listens. swallows: takes everything, forwards nothing, answers nothing. dies: forwards what
    the channel sends, and breaks the connection instead of the answer.

    swallowed: connections that wait for the answer to what was swallowed.
    """

    def __init__(self, target: int) -> None:
        self.mode: Mode = "carries"
        self.port = 0
        self.swallowed = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def set(self, mode: Mode) -> None:
        """Change its ways; "away" closes what is open."""
        self.mode = mode
        if mode == "away":
            await self.close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close every connection, and stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await (self._swallow(reader) if self.mode == "swallows" else self._forward(reader, writer))
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        if not await reader.read(65536):
            return
        self.swallowed += 1  # a connection without a message is one that a client keeps for the next
        try:
            while await reader.read(65536):
                pass
        finally:
            self.swallowed -= 1

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._target)
        dies = self.mode == "dies"
        ways = [asyncio.ensure_future(_copy(reader, forth)), asyncio.ensure_future(_copy(back, None if dies else writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            forth.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
    """Copy until the end; without a writer, end with the first bytes."""
    while part := await reader.read(65536):
        if writer is None:
            return
        writer.write(part)
        await writer.drain()
