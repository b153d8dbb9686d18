"""Send many referrals as several agencies, in a process of its own: `python -m bench.posting URL BODY RATE COUNT CONNECTIONS`.

The environment has REFERRAL_SENDERS, one JSON list of [token, folder of the identity]; the connections are divided among them, because one
agency has a budget of bytes that this would use up. Prints one JSON list: [due, answered,
status, case id] of each referral, in seconds of the machine's monotonic clock. A referral is due at its time whether or not the ones
before it were answered, so that a slow door cannot hide behind its callers. RATE 0: all at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from referral.runtime import tls

Done = tuple[float, float, int, str]


class Sender:
    """One HTTP connection, kept open."""

    def __init__(self, url: str, token: str, body: bytes, context: ssl.SSLContext) -> None:
        at = urlsplit(url)
        self._at = (at.hostname or "127.0.0.1", at.port or 443)
        head = f"POST /v1/referrals HTTP/1.1\r\nHost: {at.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self._context = context
        self._head, self._body = head + f"Content-Length: {len(body)}\r\nIdempotency-Key: ", body

    async def run(self, due: asyncio.Queue[float], done: list[Done]) -> None:
        """Send until the queue is empty."""
        reader, writer = await asyncio.open_connection(*self._at, ssl=self._context)
        while not due.empty():
            at = due.get_nowait()
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            writer.write(f"{self._head}{uuid.uuid4()}\r\n\r\n".encode() + self._body)
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.decode().lower().split("\r\n") if line.startswith("content-length:"))
            answer = json.loads(await reader.readexactly(size))
            done.append((at, time.monotonic(), int(head[9:12]), answer.get("case_id", "")))
        writer.close()


async def post(
    url: str, senders: Sequence[tuple[str, ssl.SSLContext]], body: bytes, rate: float, count: int, connections: int
) -> list[Done]:
    """Send `count` referrals over several connections of several agencies. Return what became of each. senders: token and context."""
    due: asyncio.Queue[float] = asyncio.Queue()
    start = time.monotonic() + 0.5
    for number in range(count):
        due.put_nowait(start + (number / rate if rate else 0.0))
    done: list[Done] = []
    chosen = [senders[number % len(senders)] for number in range(connections)]
    await asyncio.gather(*(Sender(url, token, body, context).run(due, done) for token, context in chosen))
    return done


def main(url: str, body: str, rate: str, count: str, connections: str) -> None:
    senders = [(token, tls.client(Path(identity))) for token, identity in json.loads(os.environ["REFERRAL_SENDERS"])]
    answers = asyncio.run(post(url, senders, Path(body).read_bytes(), float(rate), int(count), int(connections)))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
