"""Run the mail server of a local stack: it accepts every mail, stores it in memory and as a file, and delivers none.

The demo and the tests read knocks here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

from referral.local.data_folder import find, uninstalled

if TYPE_CHECKING:  # the extra `local` brings it; other commands do without
    from aiosmtpd.smtp import SMTP, Envelope, Session

LIMIT = 1_000_000
"""Largest mail in bytes (ours); a knock has about a thousand."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as received. at: seconds of the event loop's clock, to measure the duration of a knock."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: float

    @property
    def message(self) -> EmailMessage:
        """Return the parsed mail."""
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def text(self) -> str:
        """Return the decoded plain text."""
        body = self.message.get_body(("plain",))
        return "" if body is None else str(body.get_content())


class Mailbox:
    """A mail server on 127.0.0.1. mails: all received mails, in order. refusing: answer 451 to every mail, as a broken server does."""

    def __init__(self, folder: Path | None = None, port: int = 0) -> None:
        """Prepare a server. folder: stores each mail as NNNNNN.eml; None: no files. port: 0 for a free one."""
        self.mails: list[Mail] = []
        self.refusing = False
        self._folder, self._port = folder, port
        self._server: asyncio.Server | None = None
        self._kept = 0
        self._came = asyncio.Condition()

    @property
    def address(self) -> str:
        """Return host:port."""
        return f"127.0.0.1:{self._port}"

    async def start(self) -> str:
        """Listen, after a stop on the same port, and return host:port. OSError: the port is taken. Trouble: the extra is not installed."""
        if find("aiosmtpd") is None:
            raise uninstalled("mail server", "local")
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._kept = sum(1 for _ in self._folder.glob("*.eml"))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self.address

    async def stop(self) -> None:
        """Stop listening; received mails stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def wait(self, count: int) -> tuple[Mail, ...]:
        """Wait until there are `count` mails, and return all mails. The caller sets the limit (asyncio.timeout)."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.mails) >= count)
        return tuple(self.mails)

    def _session(self) -> SMTP:
        from aiosmtpd.smtp import SMTP

        return SMTP(self, data_size_limit=LIMIT, enable_SMTPUTF8=True, hostname="localhost", ident="referral mailbox")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Accept a mail; aiosmtpd calls this for each one."""
        if self.refusing:
            return "451 the mailbox was told to refuse"
        content = envelope.original_content or b""
        mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), content, asyncio.get_running_loop().time())
        if self._folder is not None:
            self._kept += 1
            (self._folder / f"{self._kept:06}.eml").write_bytes(content)
        async with self._came:
            self.mails.append(mail)
            self._came.notify_all()
        return "250 kept"
