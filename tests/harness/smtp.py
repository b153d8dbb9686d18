"""A real mail server for tests (aiosmtpd), which does what a test tells it: accept, refuse, put off, hang, hang up."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.harness.waiting import until

Answer = Callable[[SMTP, str], Awaitable[str]]
"""What the server answers to a recipient, or to the message of one."""


async def accept(server: SMTP, address: str) -> str:
    return "250 OK"


async def unknown(server: SMTP, address: str) -> str:
    return f"550 5.1.1 <{address}> unknown here"


async def full(server: SMTP, address: str) -> str:
    return f"452 4.2.2 <{address}> is full"


async def later(server: SMTP, address: str) -> str:
    return f"451 4.7.1 <{address}> come back later"


async def hang(server: SMTP, address: str) -> str:
    await asyncio.Event().wait()
    return "250 never"


async def hang_up(server: SMTP, address: str) -> str:
    server.transport.abort()
    return "421 gone"


class Slow:
    """An answer that waits until a test lets it `go`. taken: the message is with the server."""

    def __init__(self, answer: str) -> None:
        self.taken, self.go, self._answer = asyncio.Event(), asyncio.Event(), answer

    async def __call__(self, server: SMTP, address: str) -> str:
        self.taken.set()
        await self.go.wait()
        return self._answer


class Relay:
    """Keeps what it accepted. recipient, data: answer to RCPT and to the whole message; a test may change them at any time."""

    def __init__(self) -> None:
        self.recipient: Answer = accept
        self.data: Answer = accept
        self.port = 0
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.sessions = 0

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = await self.recipient(server, address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await self.data(server, envelope.rcpt_tos[0])
        if answer.startswith("250"):
            letter: Any = message_from_bytes(envelope.content or b"", policy=policy.default)
            self.letters.append(letter)
            self.recipients.append(envelope.rcpt_tos[0])
        return answer

    async def got(self, count: int) -> None:
        """Return when so many letters are there."""
        await until(lambda: len(self.letters) >= count, what=lambda: f"{len(self.letters)} of {count} letters")


@asynccontextmanager
async def relay(tls: ssl.SSLContext | None = None, authenticator: Any = None) -> AsyncIterator[Relay]:
    """A server on a free port of this machine. tls: it offers STARTTLS. authenticator: it lets people sign in, also without TLS."""
    made = Relay()

    def session() -> SMTP:
        made.sessions += 1
        asks = {} if authenticator is None else {"authenticator": authenticator, "auth_require_tls": False}
        return SMTP(made, hostname="relay.test", enable_SMTPUTF8=False, tls_context=tls, timeout=60, **asks)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
