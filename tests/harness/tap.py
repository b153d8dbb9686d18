"""A piece of network that a test listens on: it carries TCP both ways, keeps every byte, and speaks up before an answer is passed on.

An answer to a client that has died meanwhile is waited for: the server has taken what it answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

Answered = Callable[[bytes, bytes], None]
"""Takes what the client has sent since the last answer, and the answer, before the client gets it."""


OWED_SECONDS = 5.0
"""Longest wait for an answer to somebody who is gone (ours)."""


def _nothing(asked: bytes, answer: bytes) -> None:
    return None


class Tap:
    """A forwarder on a free port of this machine.

    heard: every byte, by connection and way. owed: clients that are gone, and whose last words have no answer yet. answered: see there.
    """

    def __init__(self, target: int, answered: Answered = _nothing) -> None:
        self.port = self.owed = 0
        self.heard: list[bytearray] = []
        self._target, self._answered = target, answered
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        asked, there, here = bytearray(), bytearray(), bytearray()
        self.heard += [there, here]

        async def forth(to: asyncio.StreamWriter) -> None:
            while part := await reader.read(65536):
                asked.extend(part)
                there.extend(part)
                to.write(part)

        async def back(source: asyncio.StreamReader) -> None:
            while part := await source.read(65536):
                here.extend(part)
                self._answered(bytes(asked), part)
                asked.clear()
                if ways[0].done():
                    return
                writer.write(part)

        with suppress(OSError):
            source, to = await asyncio.open_connection("127.0.0.1", self._target)
            ways = [asyncio.create_task(forth(to)), asyncio.create_task(back(source))]
            self._tasks.update(ways)
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                if asked:
                    self.owed += 1
                    await asyncio.wait(ways, timeout=OWED_SECONDS)
                    self.owed -= 1
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                to.transport.abort()
        writer.transport.abort()


@asynccontextmanager
async def tap(target: int, answered: Answered = _nothing) -> AsyncIterator[Tap]:
    """A tap in front of a port of this machine, for the length of a block."""
    made = Tap(target, answered)
    server = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for way in tuple(made._tasks):
            way.cancel()
