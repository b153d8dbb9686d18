"""Send e-mail by SMTP (RFC 5321). No address and no words of the server leave this file, whatever it answers: servers quote addresses."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.utils import formatdate
from typing import Any

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)

from referral.channels import Handed, Outgoing, Refused, Unreached, Unsure
from referral.channels.message import compose
from referral.runtime.settings import Channels, SmtpServer, secret

CONNECT_SECONDS = 5.0
"""Limit to connect, greet and secure. A relay on our own network answers in milliseconds; a dead one must not hold a sender."""
ANSWER_SECONDS = 10.0
"""Limit for one answer of the server. RFC 5321 §4.5.3.2 allows minutes; so late a knock is better retried or sent elsewhere."""
WHOLE_SECONDS = 20.0
"""Limit for one message from first to last byte (ours): so late a knock is better retried or sent elsewhere."""
ASK_AFTER_SECONDS = 5.0
"""Idle time after which a connection is probed (NOOP) before it gets a message; servers hang up after minutes."""
ADDRESS = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,255}")
"""Addresses that we send to: no space, no control character, nothing that would end a header."""
MAILBOX = re.compile(r"4\.2\.")
"""Enhanced status of a mailbox that is full or closed for now (RFC 3463 §3.3): about this person. Every other 4xx is about the server."""
TLS = {"offered": None, "required": True, "never": False}


@dataclass(frozen=True, slots=True)
class Relay:
    """The server that takes our mail. tls: None if offered, True always, False never. domain: right side of Message-ID.

    ValueError: a password would be sent in clear.
    """

    host: str
    port: int
    sender: str
    tls: bool | None = None
    user: str | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        if self.user is not None and self.tls is False:
            raise ValueError("a password would go out in clear")

    def __repr__(self) -> str:
        return f"Relay({self.host}:{self.port})"

    @property
    def start_tls(self) -> bool | None:
        """Require TLS whenever there is a user: a relay without TLS, or an attacker who strips the offer, gets no password."""
        return True if self.user is not None else self.tls

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]


def relays(channels: Channels) -> dict[str, Relay]:
    """Return the relays of a program's settings, the preferred one first. Rejected: a password cannot be read."""
    return {f"email-{n}": _relay(found, f"{channels.variable}_SMTP_PASSWORD_FILE") for n, found in enumerate(channels.smtp, 1)}


def _relay(found: SmtpServer, variable: str) -> Relay:
    """Return one relay. Certificates are checked against the system's or SSL_CERT_FILE."""
    host, _, port = found.server.rpartition(":")
    password = secret(found.password_file, variable) if found.password_file else None
    return Relay(host.strip("[]"), int(port), found.sender, TLS[found.tls], found.user or None, password)


def letter(relay: Relay, out: Outgoing) -> bytes:
    """Return the whole e-mail: plain text, no picture, no link but inbox and answer, and headers that prevent automatic answers (RFC 3834).

    Built with the older half of the library: the newer one took 1.6 ms a letter, this one 0.3. ValueError: no address.
    """
    words = compose(out)
    if not ADDRESS.fullmatch(out.address):
        raise ValueError("no address")
    charset = Charset("utf-8")
    charset.body_encoding = QP
    mail = Message()
    mail["From"] = relay.sender
    mail["To"] = out.address
    mail["Subject"] = Header(words.subject, "utf-8", header_name="Subject").encode()
    mail["Message-ID"] = f"<{out.reference}@{relay.domain}>"
    mail["Date"] = formatdate(out.at // 1_000_000, usegmt=True)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["Importance"] = "high"
    mail.set_payload(words.text, charset)
    return mail.as_bytes()


class Email:
    """One connection to the relay, kept between messages."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._line: SMTP | None = None
        self._used = 0.0

    async def open(self) -> None:
        """Connect, greet and secure, or reuse the open connection; probe it first if it was idle."""
        if not await self._alive():
            self._line = SMTP(
                hostname=self._relay.host,
                port=self._relay.port,
                start_tls=False,  # done in _greet, so that no password can precede it
                local_hostname=self._relay.domain,
                timeout=ANSWER_SECONDS,
            )
            failure = await _failure(self._greet(self._line), CONNECT_SECONDS)
            if failure is not None:
                self._drop()
                raise Unreached("server-away" if isinstance(failure, Refused) else str(failure))

    async def _greet(self, line: SMTP) -> None:
        """Connect, secure as the settings require, and only then sign in."""
        await line.connect(timeout=CONNECT_SECONDS)
        await line.ehlo()
        if self._relay.start_tls is not False and line.supports_extension("starttls"):
            await line.starttls()
        elif self._relay.start_tls:
            raise ssl.SSLError("the relay offers no STARTTLS")
        if self._relay.user is not None:
            await line.login(self._relay.user, self._relay.password or "")

    async def send(self, out: Outgoing) -> Handed:
        """Send one e-mail; if the failure concerns the server, drop the connection. Raises Refused, Unreached or Unsure."""
        assert self._line is not None, "open() first"
        try:
            mail = letter(self._relay, out)
        except ValueError:
            mail = None
        if mail is None:
            raise Refused("bad-address")
        transfer = _Transfer(self._line, self._relay.sender, out.address, mail)
        try:
            failure = await _failure(transfer.run(), WHOLE_SECONDS)
        except asyncio.CancelledError:
            self._drop()
            raise
        self._used = asyncio.get_running_loop().time()
        if failure is None:
            return Handed()
        if not isinstance(failure, Refused) or await _failure(self._line.rset(), ANSWER_SECONDS) is not None:
            self._drop()
        raise Unsure(*failure.args) if transfer.leaving and str(failure) in ("no-answer", "server-away") else failure

    async def close(self) -> None:
        """Send QUIT, and close the connection."""
        if self._line is not None and self._line.is_connected:
            await _failure(self._line.quit(timeout=1.0), 1.0)
        self._drop()

    async def _alive(self) -> bool:
        if self._line is None or not self._line.is_connected:
            return False
        slept = asyncio.get_running_loop().time() - self._used
        return slept < ASK_AFTER_SECONDS or await _failure(self._line.noop(), ANSWER_SECONDS) is None

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None


class _Transfer:
    """One message in three steps. leaving: its text may have reached the relay, so a broken connection proves nothing."""

    def __init__(self, line: SMTP, sender: str, address: str, mail: bytes) -> None:
        self._line, self._sender, self._address, self._mail = line, sender, address, mail
        self.leaving = False

    async def run(self) -> None:
        """Send the message. Raises what aiosmtplib does."""
        await self._line.mail(self._sender)
        await self._line.rcpt(self._address)
        self.leaving = True
        await self._line.data(self._mail)


async def _failure(work: Coroutine[Any, Any, object], seconds: float) -> Refused | Unreached | None:
    """Run one exchange. Return its failure in our own words; the caller raises it, so that no traceback contains the server's error."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except SMTPRecipientRefused as error:
        if 500 <= error.code < 600:
            return Refused("refused")
        return Unreached("try-later" if MAILBOX.match(error.message) else "server-busy")
    except SMTPDataError as error:
        return Refused("refused") if 500 <= error.code < 600 else Unreached("server-busy")
    except SMTPResponseException as error:  # greeting, sign-in or sender: our own settings, which an operator will correct
        return Unreached("server-busy" if 400 <= error.code < 500 else "server-refuses-us")
    except TimeoutError:
        return Unreached("no-answer")
    except ssl.SSLError:
        return Unreached("not-secured")
    except (SMTPException, OSError):
        return Unreached("server-away")
    except (ValueError, UnicodeError):
        return Refused("bad-address")
    return None
