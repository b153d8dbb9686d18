"""An SMS gateway for tests: a real HTTP server that answers as a test tells it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from referral.channels.gateway import Provider
from tests.harness.waiting import until


@dataclass(frozen=True)
class Got:
    """One request. told: the parameters of its query or its JSON body."""

    method: str
    path: str
    headers: dict[str, str]
    told: dict[str, Any]


Answer = tuple[int, bytes] | Callable[[asyncio.StreamWriter], Awaitable[None]]


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


ACCEPTED = (202, b"0: Accepted for delivery")


@dataclass
class Kept:
    """The requests that a server received. answer: a test may change it at any time. held: requests that got no answer."""

    port: int = 0
    answer: Answer = ACCEPTED
    requests: list[Got] = field(default_factory=list)
    server: asyncio.Server | None = None
    lines: set[asyncio.StreamWriter] = field(default_factory=set)
    held: int = 0

    def provider(self, **changes: Any) -> Provider:
        values: dict[str, Any] = {"name": "sms-1", "url": f"http://127.0.0.1:{self.port}/cgi-bin/sendsms", "user": "notifier"}
        return Provider(**(values | {"password": "made-up-password"} | changes))

    async def got(self, count: int) -> None:
        """Return when so many requests are there."""
        await until(lambda: len(self.requests) >= count, what=lambda: f"{len(self.requests)} of {count} requests")

    def die(self) -> None:
        """End as suddenly as a killed process: no new connection, and none of the old ones."""
        assert self.server is not None
        self.server.close()
        for writer in self.lines:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = first.split(" ")
                told = msgspec.json.decode(body) if body else dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
                self.requests.append(Got(method, urlsplit(target).path, headers, told))
                if callable(self.answer):
                    self.held += 1
                    await self.answer(writer)
                    return
                status, text = self.answer
                head = f"HTTP/1.1 {status} Word\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
                writer.write(head.encode() + text)


@asynccontextmanager
async def gateway() -> AsyncIterator[Kept]:
    """A server on a free port of this machine."""
    kept = Kept()
    kept.server = await asyncio.start_server(kept.serve, "127.0.0.1", 0)
    kept.port = kept.server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        kept.server.close()
