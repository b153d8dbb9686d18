"""A canary beside an attack: once a second a child is referred, its offer is answered and a message about it is planned; and where the
attack is aimed at them, an officer signs in with a known browser, and somebody who has sent nothing today uses the public page.

A turn is repeated until it succeeds, as every client repeats it, and its time is that from its beginning to its success.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx

from referral.cli.stack import cast
from referral.local.stack import Stack
from tests.attacks.stops import GIVEN_UP_S, Kind
from tests.harness import callers
from tests.harness.web.flood import EVERY
from tests.harness.web.forms import HIDDEN, fields

EVERY_S = 1.0
"""Seconds between two turns."""
PAUSE_S = 0.25
"""Seconds between two tries of one turn."""
SENDER, ASKED = "school-drita", "police-prizren"
OFFICER = f"{ASKED}.duty-officer"
"""At whose login the attackers guess."""
TRAITS = {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent", "languages": ["sq"], "flags": []}
PLANNED = "SELECT count(*) FROM notifier.delivery WHERE case_id = $1"
AWAY = (httpx.HTTPError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
NETWORKS = ("127.{}.{}.1", 128, 256)
"""Addresses of reporters who have sent nothing today: the attackers come from below 127.128.0.0."""


class Again(Exception):
    """The line did not do it: try again."""


class Canary:
    """The turns of one line. took: kind → seconds of each turn; GIVEN_UP_S: it never succeeded. device: the mark of the known browser."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self._stack, self._http = stack, http
        self._base: asyncpg.Connection[asyncpg.Record] | None = None
        self._browser = callers.browser(stack)
        self._cast, self._asking = cast.load(stack.config.data), asyncio.Lock()
        self._one_person = asyncio.Lock()  # who signs in five times at once is taken for a guesser
        self._numbers, self.device = itertools.count(), ""
        self.took: dict[Kind, list[float]] = {}

    async def known(self) -> None:
        """Let the officer sign in once, so that the browser is known."""
        self.device = await self._signed_in()

    async def close(self) -> None:
        """Close its connection."""
        if self._base is not None and not self._base.is_closed():
            self._base.terminate()

    async def turns(self, kinds: Sequence[Kind], seconds: float) -> dict[Kind, list[float]]:
        """Begin a turn of each kind once a second, for so long, and return their times when all have ended."""
        clock, self.took = asyncio.get_running_loop().time, {kind: [] for kind in kinds}
        began = clock()
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds / EVERY_S)):
                await asyncio.sleep(max(0.0, began + number * EVERY_S - clock()))
                for kind in kinds:
                    group.create_task(self._timed(kind))
        return self.took

    async def turn(self, kind: Kind = Kind.LINE) -> float:
        """Take one turn, and return its seconds."""
        clock = asyncio.get_running_loop().time
        began = clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVEN_UP_S):
                await {Kind.LINE: self._line, Kind.SIGN_IN: self._signed_in, Kind.REPORT: self._reported}[kind]()
                return clock() - began
        return GIVEN_UP_S

    async def _timed(self, kind: Kind) -> None:
        if kind is not Kind.SIGN_IN:
            self.took[kind].append(await self.turn(kind))
            return
        clock, known = asyncio.get_running_loop().time, self.took[kind]
        began = clock()
        async with self._one_person:  # a browser of which the last sign-in never succeeded is not tried for minutes
            gone = clock() - began >= GIVEN_UP_S and known[-1] >= GIVEN_UP_S
            known.append(GIVEN_UP_S if gone else await self.turn(kind))

    async def _line(self) -> None:
        """Refer, answer, and see that somebody is to be told."""
        key, file = secrets.token_hex(16), {"narrative": {"text": "Made up."}}
        case_id = (await _again(lambda: self._asked(SENDER, "POST", "/v1/referrals", key, {"traits": TRAITS, "file": file})))["case_id"]
        offer = await _again(lambda: self._offer(case_id))
        answer, words = f"/v1/offers/{offer['offer_id']}/responses", {"word": "ACCEPT"}
        await _again(lambda: self._asked(ASKED, "POST", answer, secrets.token_hex(16), words))
        await _again(lambda: self._planned(case_id))

    async def _asked(self, agency: str, method: str, path: str, key: str = "", body: Any = None) -> Any:
        headers = {"Authorization": f"{callers.BEARER}{self._cast.tokens[agency]}"} | ({"Idempotency-Key": key} if key else {})
        answer = await self._http.request(method, f"{self._stack.url('intake')}{path}", headers=headers, json=body)
        if answer.status_code not in (200, 202):
            raise Again(f"{path}: {answer.status_code}")
        return answer.json()

    async def _offer(self, case_id: str) -> Any:
        for offer in (await self._asked(ASKED, "GET", "/v1/offers?state=open"))["offers"]:
            if offer["case_id"] == case_id:
                return offer
        raise Again("no offer yet")

    async def _planned(self, case_id: str) -> None:
        async with self._asking:
            if self._base is None or self._base.is_closed():
                self._base = await asyncpg.connect(self._stack.settings.database.replace("+asyncpg", ""), timeout=GIVEN_UP_S)
            if not await self._base.fetchval(PLANNED, case_id, timeout=GIVEN_UP_S):
                raise Again("no message is planned yet")

    async def _signed_in(self) -> str:
        """Sign the officer in with the known browser, and return the mark by which it is known."""
        url, name = self._stack.url("intake"), "__Host-device"
        cookies = {name: self.device} if self.device else {}

        async def entered() -> str:
            async with httpx.AsyncClient(verify=self._browser, timeout=GIVEN_UP_S, trust_env=False, cookies=cookies) as one:
                form = fields((await one.get(f"{url}/signin")).text) | {"login": OFFICER, "password": self._cast.password}
                answer = await one.post(f"{url}/signin", data=form)
            if answer.status_code != 303:
                raise Again(f"sign-in: {answer.status_code}")
            return answer.cookies.get(name) or self.device

        return await _again(entered)

    async def _reported(self) -> None:
        """Send a report of the public page from a network that has sent nothing today."""
        number = next(self._numbers)
        pattern, first, size = NETWORKS
        local, url = pattern.format(first + number // size, number % size), self._stack.url("intake")

        async def sent() -> None:
            transport = httpx.AsyncHTTPTransport(verify=self._browser, local_address=local)
            async with httpx.AsyncClient(transport=transport, timeout=GIVEN_UP_S) as one:
                form = dict(HIDDEN.findall((await one.get(f"{url}/refer")).text))
                whole = form | {"key": secrets.token_hex(16), "at": "check", "go": "send"} | EVERY
                answer = await one.post(f"{url}/refer", data=whole, follow_redirects=True)
            if answer.status_code != 200 or "<code>" not in answer.text:
                raise Again(f"public page: {answer.status_code}")

        await _again(sent)


async def _again(act: Callable[[], Awaitable[Any]]) -> Any:
    """Return what an act returns, as soon as it succeeds."""
    while True:
        with suppress(Again, AssertionError, *AWAY):
            return await act()
        await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def canary(stack: Stack) -> AsyncIterator[Canary]:
    """Make the canary of a line that runs."""
    async with AsyncExitStack() as held:
        http = await held.enter_async_context(callers.client(stack, timeout=GIVEN_UP_S))
        made = Canary(stack, http)
        held.push_async_callback(made.close)
        await made.known()
        yield made


def p99(seconds: Sequence[float]) -> float:
    """Return the 99th percentile by nearest rank: of fewer than a hundred, the largest."""
    return sorted(seconds)[math.ceil(0.99 * len(seconds)) - 1]
