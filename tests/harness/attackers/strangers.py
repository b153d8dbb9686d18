"""Strangers from many networks: each guesses passwords at the sign-in, or sends reports of the public page, every few seconds.

Their addresses are real ones of this machine (127.0.0.0/8), so no proxy has to be believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx

from tests.harness.web.flood import EVERY
from tests.harness.web.forms import fields, hidden

COUNT = 200
"""Addresses of the second trial by attackers, in 50 networks."""
GUESS_S = 5.0
"""Seconds between two guesses of one address: 40 a second in all, five times as many as the second trial by attackers had checked."""
REPORT_S = 10.0
"""Seconds between two reports of one address: 20 a second in all, which in half a minute are as many as the page stores in an hour."""
FLOOD_S = 1.0
"""Seconds between two reports of one address in a flood: 200 a second in all."""
AGAIN_S = 1.0
"""Seconds until somebody whom the line has cut off comes again."""
TIMEOUT_S = 60.0


def networks(count: int, pattern: str = "198.51.{}.{}") -> list[str]:
    """Return 200 addresses of 50 networks, say."""
    return [pattern.format(n % (count // 4), n // (count // 4) + 1) for n in range(count)]


@contextlib.asynccontextmanager
async def browser(url: str, address: str, tls: ssl.SSLContext, device: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Connect from an address. device: the mark of a browser that was copied."""
    transport = httpx.AsyncHTTPTransport(verify=tls, local_address=address, limits=httpx.Limits(max_connections=2))
    cookies = {"__Host-device": device} if device else {}
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=TIMEOUT_S, cookies=cookies) as made:
        yield made


async def guess(http: httpx.AsyncClient, login: str, begun: Callable[[], None]) -> None:
    """Guess passwords at a login, for ever."""
    form = fields((await http.get("/signin")).text)
    while True:
        answer = await http.post("/signin", data=form | {"login": login, "password": secrets.token_hex(8)})
        if answer.status_code in (401, 429):
            begun()
        await asyncio.sleep(GUESS_S)


async def report(http: httpx.AsyncClient, town: str, begun: Callable[[], None], pause_s: float = REPORT_S) -> None:
    """Send reports for a town, each with words of its own, for ever."""
    form = hidden((await http.get("/refer")).text)
    for number in itertools.count():
        mine = {"key": secrets.token_hex(16), "at": "check", "go": "send", "found_in": town, "need.happened": f"Made up {number}."}
        answer = await http.post("/refer", data=form | EVERY | mine, follow_redirects=True)
        if answer.status_code in (200, 429):
            begun()
        await asyncio.sleep(pause_s)


async def for_ever(act: Callable[[], Awaitable[None]]) -> None:
    """Repeat what the line has ended."""
    while True:
        with contextlib.suppress(httpx.HTTPError, OSError, AssertionError):
            await act()
        await asyncio.sleep(AGAIN_S)
