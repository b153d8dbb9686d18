"""Send SMS through an HTTP gateway: Kannel's `sendsms`, or any aggregator by other names. No number and no password leave this file."""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import httpx
from msgspec import json

from referral.authorities import trusted
from referral.channels import NUMBER, Handed, Outgoing, Refused, Unreached, Unsure
from referral.channels.message import short
from referral.errors import Rejected

CONNECT_SECONDS = 3.0
"""Limit to connect and secure: a gateway on our own network answers in milliseconds, and another provider can be asked within 5 s."""
ANSWER_SECONDS = 10.0
"""Limit for the answer (ours). Kannel answers after its bearerbox has the message: milliseconds."""
ANSWER_BYTES = 1000
"""Part of an answer that is read; Kannel's have one line."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
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
WORDS = ("wrong-number", "server-refuses-us", "server-busy")


@dataclass(frozen=True, slots=True)
class Provider:
    """One gateway. url: of its `sendsms`, without a query. sender: number or name that the handset displays; empty: the gateway's.

    stored: references that the gateway stores while its operator is away; it sends them later, so they are not handed over again.
    receipts: URL prefix of our door for receipts; empty: none are asked for. names: its names for NAMES. posts: it takes JSON by POST.
    meanings: its own statuses. ValueError: a password would be sent in clear.
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
    clear: bool = False
    stored: dict[str, None] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        at = urlsplit(self.url)
        if at.scheme not in ("http", "https") or not at.hostname or at.query or at.username is not None:
            raise ValueError("no address of a gateway")
        if at.scheme == "http" and at.hostname not in LOOPBACK and not self.clear:
            raise ValueError("a password would go out in clear")


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


def providers(environment: Mapping[str, str], receipts: str) -> tuple[Provider, ...]:
    """Read REFERRAL_SMS (URLs, comma-separated, the preferred one first) and its companions; none without it. Rejected: malformed.

    receipts: URL prefix of our door for receipts. Each companion is one value for all gateways, or one for each, comma-separated.
    REFERRAL_SMS_USER, REFERRAL_SMS_PASSWORD_FILE: sign in · REFERRAL_SMS_FROM: sender · REFERRAL_SMS_TLS: required (default) or never ·
    REFERRAL_SMS_METHOD: GET (default) or POST (JSON) · REFERRAL_SMS_NAMES: `to=recipient text=message username= …` ·
    REFERRAL_SMS_STATUSES: `422=wrong-number 430=server-busy …`.
    """
    urls = [url.strip() for url in environment.get("REFERRAL_SMS", "").split(",") if url.strip()]
    each = {name: _each(environment, f"REFERRAL_SMS_{name}", len(urls)) for name in COMPANIONS}
    made = []
    for n, url in enumerate(urls):
        user, secret, sender, tls, method, names, statuses = (each[name][n] for name in COMPANIONS)
        if bool(user) != bool(secret):
            raise Rejected("incomplete", "REFERRAL_SMS_USER", "set it together with REFERRAL_SMS_PASSWORD_FILE, or neither")
        if tls not in ("", "required", "never"):
            raise Rejected("malformed", "REFERRAL_SMS_TLS", "one of required, never")
        if method not in ("", "GET", "POST"):
            raise Rejected("malformed", "REFERRAL_SMS_METHOD", "one of GET, POST")
        try:
            made.append(
                Provider(
                    name=f"sms-{n + 1}",
                    url=url,
                    user=user,
                    password=_secret(secret),
                    sender=sender,
                    receipts=receipts,
                    names={**NAMES, **_names(names)},
                    posts=method == "POST",
                    meanings={**MEANINGS, **_statuses(statuses)},
                    clear=tls == "never",
                )
            )
        except ValueError as error:
            hint = "https://host/path without a user or a query; plain http only on this machine, or with REFERRAL_SMS_TLS=never"
            raise Rejected("password-in-clear" if "clear" in str(error) else "malformed", "REFERRAL_SMS", hint) from None
    return tuple(made)


def receipts(base: str, secret: str) -> str:
    """Return the URL prefix for receipts of a door at `base`; empty without one, so that no receipts are asked for."""
    return f"{base.rstrip('/')}/sms/{secret}/receipt" if base else ""


def signing(environment: Mapping[str, str]) -> bytes:
    """Return the key of REFERRAL_SMS_SIGNING_FILE, by which an aggregator signs its callbacks; empty without it. Rejected: unreadable."""
    path = environment.get("REFERRAL_SMS_SIGNING_FILE", "")
    return _secret(path, "REFERRAL_SMS_SIGNING_FILE").encode()


COMPANIONS = ("USER", "PASSWORD_FILE", "FROM", "TLS", "METHOD", "NAMES", "STATUSES")


def _each(environment: Mapping[str, str], name: str, count: int) -> Sequence[str]:
    values = [value.strip() for value in environment.get(name, "").split(",")]
    if len(values) not in (1, count) and count:
        raise Rejected("malformed", name, "one value for all gateways, or one for each, comma-separated in the order of REFERRAL_SMS")
    return values * count if len(values) == 1 else values


def _secret(path: str, name: str = "REFERRAL_SMS_PASSWORD_FILE") -> str:
    try:
        return Path(path).read_text("utf-8").strip() if path else ""
    except OSError:
        raise Rejected("unreadable", name, "a file that this process may read") from None


def _names(written: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in written.split()]
    if any(key not in NAMES or not equals for key, equals, _ in pairs):
        raise Rejected("malformed", "REFERRAL_SMS_NAMES", f"words like to=recipient; left of = one of {', '.join(NAMES)}")
    return {key: value for key, _, value in pairs}


def _statuses(written: str) -> dict[int, str]:
    pairs = [word.partition("=") for word in written.split()]
    if any(not status.isdigit() or word not in WORDS for status, _, word in pairs):
        raise Rejected("malformed", "REFERRAL_SMS_STATUSES", f"words like 422=wrong-number; right of = one of {', '.join(WORDS)}")
    return {int(status): word for status, _, word in pairs}
