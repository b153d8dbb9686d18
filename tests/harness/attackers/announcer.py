"""Somebody who announces requests to a broker and never sends them:
`python -m tests.harness.attackers.announcer IDENTITY SOURCE COUNT LENGTH PORT…`.

It opens COUNT connections to each port, announces LENGTH bytes on each, sends a few of them, and holds it; one that the broker closes is
opened again. It writes a line once every connection was tried, and goes on until it is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from referral.runtime import tls

SENT = 10
"""Bytes of the announced ones that are sent."""
TRIED_S = 3.0
"""Seconds after which a connection counts as tried: the broker leaves it in its queue."""
AGAIN_S = 1.0
"""Seconds between two tries of one connection."""


def announced(length: int) -> bytes:
    """Return the beginning of a request of so many bytes."""
    return length.to_bytes(4, "big") + bytes(min(SENT, length - 1))


async def hold(context: ssl.SSLContext, source: str, port: int, sent: bytes, tried: asyncio.Event) -> None:
    """Send the beginning of something, hold the connection, and begin anew when it is closed, for ever."""
    loop = asyncio.get_running_loop()
    loop.call_later(TRIED_S, tried.set)
    while True:
        with contextlib.suppress(OSError, ssl.SSLError, EOFError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="localhost", local_addr=(source, 0), ssl_handshake_timeout=600
            )
            writer.write(sent)
            tried.set()
            await reader.read()
            writer.close()
        await asyncio.sleep(AGAIN_S)


async def run(identity: Path, source: str, count: int, length: int, ports: list[int]) -> None:
    """Hold `count` connections to each port."""
    context = tls.client(identity)
    tried = [(port, asyncio.Event()) for port in ports for _ in range(count)]
    async with asyncio.TaskGroup() as group:
        for port, event in tried:
            group.create_task(hold(context, source, port, announced(length), event))
        for _, event in tried:
            await event.wait()
        print("announced", flush=True)


@asynccontextmanager
async def announcing(identity: Path, source: str, count: int, length: int, ports: tuple[int, ...]) -> AsyncIterator[None]:
    """Attack from a process of its own while the block runs; the block begins when every connection was tried."""
    words = map(str, (identity, source, count, length, *ports))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, *words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None and await process.stdout.readline() == b"announced\n"
        yield
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), [int(word) for word in sys.argv[5:]]))
