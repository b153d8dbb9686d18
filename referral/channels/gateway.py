"""Send SMS through an HTTP gateway: Kannel's `sendsms`, or any aggregator by other names. No number and no password leave this file."""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx
from msgspec import json

from referral.authorities import trusted
from referral.channels import NUMBER, Handed, Outgoing, Refused, Unreached, Unsure
from referral.channels.message import short
from referral.runtime.settings import Channels, secret

CONNECT_SECONDS = 3.0
"""Limit to connect and secure: a gateway on our own network answers in milliseconds, and another provider can be asked within 5 s."""
ANSWER_SECONDS = 10.0
"""Limit for the answer (ours). Kannel answers after its bearerbox has the message: milliseconds."""
ANSWER_BYTES = 1000
"""Part of an answer that is read; Kannel's have one line."""
PARAMETERS = ("username", "password", "to", "text", "from", "coding", "charset", "dlr-mask", "dlr-url")
NAMES = MappingProxyType({name: name for name in PARAMETERS})
"""Parameters of Kannel's `sendsms` (Kannel 1.4.5 user guide, table 6-7), each by its name at the gateway; an empty name leaves it out."""
EVERY_RECEIPT = "31"
"""Kannel's dlr-mask: delivered 1, failed 2, queued 4, at the provider 8, refused by the provider 16."""
ABOUT_NUMBER = re.compile(rb"receiver|'to'|black-list", re.IGNORECASE)
"""Kannel's words for a 400 about the number. Any other 400 is about our settings."""
BUFFERED = b"3:"
"""Begin of Kannel's 202 for a message that it stores because its operator is away ("3: Queued for later delivery")."""
MOST_STORED = 10_000
"""References that are remembered as stored by a gateway (ours): a storm of the bench, at 100 bytes each."""
MEANINGS = MappingProxyType(
    {401: "server-refuses-us", 402: "server-refuses-us", 403: "server-refuses-us", 404: "server-refuses-us", 408: "server-busy"}
    | {429: "server-busy"}
)
"""Words of knock-reason by HTTP status. Kannel refuses a user or a route by 403; 429 is RFC 6585's."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One gateway. url: of its `sendsms`, without a query. sender: number or name that the handset displays; empty: the gateway's.

    stored: references that the gateway stores while its operator is away; it sends them later, so they are not handed over again.
    receipts: URL prefix of our door for receipts; empty: none are asked for. names: its names for NAMES. posts: it takes JSON by POST.
    meanings: its own statuses.
    """

    name: str
    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = field(default="", repr=False)
    receipts: str = field(default="", repr=False)
    names: Mapping[str, str] = field(default_factory=lambda: NAMES)
    posts: bool = False
    meanings: Mapping[int, str] = field(default_factory=lambda: MEANINGS)
    stored: dict[str, None] = field(default_factory=dict, repr=False, compare=False)


class Stored(Unreached):
    """The gateway has the message and cannot send it now; another provider may."""


class Gateway:
    """One connection to a gateway, kept between messages."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._line: httpx.AsyncHTTPTransport | None = None

    async def open(self) -> None:
        """Prepare the connection; the first message opens it. Raises nothing."""
        if self._line is None:  # the transport and not a client: a client logs URLs, follows redirects and obeys proxies
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=5.0)
            self._line = httpx.AsyncHTTPTransport(verify=trusted(), limits=limits)

    async def send(self, out: Outgoing) -> Handed:
        """Send one SMS. Raises Refused, Unreached or Unsure."""
        assert self._line is not None, "open() first"
        if not NUMBER.fullmatch(out.address):
            raise Refused("bad-address")
        stored = self._provider.stored
        if out.reference in stored:
            raise Unreached("server-busy")
        failure = await _failure(self._line, request(self._provider, out), self._provider)
        if isinstance(failure, Stored):
            stored[out.reference] = None
            if len(stored) > MOST_STORED:
                del stored[next(iter(stored))]
            raise Unreached(*failure.args)
        if failure is not None:
            if not isinstance(failure, Refused):
                await self.close()
            raise failure
        return Handed()

    async def close(self) -> None:
        """Close the connection."""
        line, self._line = self._line, None
        if line is not None:
            await line.aclose()


def request(provider: Provider, out: Outgoing) -> httpx.Request:
    """Return the request that sends one message: its words are one part of the GSM alphabet."""
    values = {"username": provider.user, "password": provider.password, "to": out.address, "text": short(out), "from": provider.sender}
    values |= {"coding": "0", "charset": "UTF-8"}
    if provider.receipts:
        values |= {"dlr-mask": EVERY_RECEIPT, "dlr-url": f"{provider.receipts}/{out.reference}?status=%d"}
    told = {name: value for key, value in values.items() if value and (name := provider.names.get(key, ""))}
    headers = {}
    if provider.user and not provider.names.get("username"):
        headers["Authorization"] = "Basic " + b64encode(f"{provider.user}:{provider.password}".encode()).decode()
    limits = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS).as_dict()
    if provider.posts:
        headers["Content-Type"] = "application/json"
        return httpx.Request("POST", provider.url, content=json.encode(told), headers=headers, extensions={"timeout": limits})
    return httpx.Request("GET", provider.url, params=told, headers=headers, extensions={"timeout": limits})


async def _failure(line: httpx.AsyncHTTPTransport, sent: httpx.Request, provider: Provider) -> Refused | Unreached | None:
    """Exchange one request. Return its failure in our own words; the caller raises it, so that no traceback contains the request."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await line.handle_async_request(sent)
            body = b""
            async for part in answer.aiter_raw():
                body += part
                if len(body) > ANSWER_BYTES:
                    break
            await answer.aclose()
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        return Unreached("not-secured" if _is_about_tls(error) else "server-away")
    except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError):  # the request may have arrived
        return Unsure("no-answer")
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return Unreached("server-refuses-us")
    return meaning(answer.status_code, body, provider.meanings)


def meaning(status: int, body: bytes, meanings: Mapping[int, str]) -> Refused | Unreached | None:
    """Return what a gateway's answer means; None: it has the message."""
    if 200 <= status < 300 and status not in meanings:
        return Stored("server-busy") if body.startswith(BUFFERED) else None
    if status == 400 and 400 not in meanings:
        word = "wrong-number" if ABOUT_NUMBER.search(body[:ANSWER_BYTES]) else "server-refuses-us"
    else:
        word = meanings.get(status, "server-busy" if status >= 500 else "server-refuses-us")
    return Refused(word) if word == "wrong-number" else Unreached(word)


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def providers(channels: Channels, receipts: str) -> tuple[Provider, ...]:
    """Return the gateways of a program's settings, the preferred one first. Rejected: a password cannot be read.

    receipts: URL prefix of our door for receipts.
    """
    return tuple(
        Provider(
            name=f"sms-{n}",
            url=found.url,
            user=found.user,
            password=secret(found.password_file, f"{channels.variable}_SMS_PASSWORD_FILE"),
            sender=found.sender,
            receipts=receipts,
            names={**NAMES, **found.names},
            posts=found.method == "POST",
            meanings={**MEANINGS, **found.statuses},
        )
        for n, found in enumerate(channels.sms, 1)
    )


def receipts(base: str, secret: str) -> str:
    """Return the URL prefix for receipts of a door at `base`; empty without one, so that no receipts are asked for."""
    return f"{base.rstrip('/')}/sms/{secret}/receipt" if base else ""
