"""A piece of network before a database, which a test cuts: new connections are refused, or those that stand fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url


class DatabaseWire:
    """A forwarder in front of a database's socket. url: leads through it."""

    def __init__(self, url: str, folder: Path) -> None:
        address = make_url(url)
        self.url = address.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
        self._server = Path(str(address.query["host"])) / f".s.PGSQL.{address.port or 5432}"
        self._passes = True
        self._silent: set[asyncio.StreamWriter] = set()
        self._lines: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def refuse(self) -> None:
        """Be as a server that is down: connections end, and new ones are refused."""
        self._passes = False
        for line in self._lines:
            line.transport.abort()
        self._lines.clear()

    def forget(self) -> None:
        """Be as a network that has lost its connections: nothing comes on them any more, and new ones work."""
        self._silent |= self._lines

    def restore(self) -> None:
        """Let new connections through."""
        self._passes = True

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        if not self._passes:
            return writer.transport.abort()
        self._lines.add(writer)
        source, to = await asyncio.open_unix_connection(self._server)

        async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while part := await source.read(65536):
                    if writer in self._silent:
                        await asyncio.Event().wait()
                    to.write(part)
                    await to.drain()
            to.transport.abort()

        for task in [asyncio.create_task(carry(reader, to)), asyncio.create_task(carry(source, writer))]:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return None

    async def close(self) -> None:
        """End what is carried."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def database_wire(url: str, folder: Path) -> AsyncIterator[DatabaseWire]:
    """Listen before the database of a URL. folder: short, for a socket of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    wire = DatabaseWire(url, folder)
    server = await asyncio.start_unix_server(wire.connected, folder / ".s.PGSQL.5432")
    try:
        yield wire
    finally:
        server.close()
        await wire.close()
