"""Somebody who comes too often, at a real listener: its network is turned away, and nobody else notices. No database is needed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from referral.ca import identity
from referral.runtime import http_listener, http_server, peer, tls
from referral.runtime.observe import Health
from tests.harness import trust

FLOOD, OFFICE = "127.9.0.{}", "127.0.0.1"
WAIT_S = 30


async def _fine(_: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


async def _page(request: Request) -> PlainTextResponse:
    """A page of a session: of whom its address says."""
    session = request.path_params["session"]
    peer.count_for(request.scope, "account/one", session)
    return PlainTextResponse(session)


APP = Starlette(routes=[*(Route(path, _fine, methods=["GET", "POST"]) for path in ("/fine", "/v1/fine")), Route("/page/{session}", _page)])


class Door:
    """A server of ours by TLS, and clients of it."""

    def __init__(self, mine: Path, port: int) -> None:
        self._mine, self.port, self.url = mine, port, f"https://localhost:{port}"

    def browser(self, address: str, holder: str = "") -> httpx.AsyncClient:
        """Return a client at this address. holder: whose certificate it shows."""
        shown = tls.client(trust.identity(self._mine, holder)) if holder else None
        context = shown or ssl.create_default_context(cafile=trust.identities(self._mine) / "audit" / identity.AUTHORITY)
        return httpx.AsyncClient(
            base_url=self.url, timeout=WAIT_S, transport=httpx.AsyncHTTPTransport(verify=context, local_address=address, http2=False)
        )

    async def flood(self, count: int) -> list[asyncio.StreamWriter]:
        """Open connections from a network that say nothing."""
        opened = []
        for number in range(count):
            with contextlib.suppress(ConnectionError):
                opened.append((await asyncio.open_connection("127.0.0.1", self.port, local_addr=(FLOOD.format(1 + number % 200), 0)))[1])
        return opened


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr(http_server, "REFUSED_S", 0.05)
    trust.make(tmp_path)
    server = http_server.server(Health(), APP, tls=tls.listener(trust.identities(tmp_path) / "audit", asks=False))
    bound = http_listener.listen("127.0.0.1", 0)
    bound.listen(1024)
    task = asyncio.create_task(http_server.serve(server, bound))
    try:
        yield Door(tmp_path, bound.getsockname()[1])
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, WAIT_S)


def turned_away(what: str) -> float:
    return REGISTRY.get_sample_value("referral_turned_away_total", {"what": what}) or 0.0


async def statuses(http: httpx.AsyncClient, path: str, count: int, method: str = "GET") -> list[int]:
    return [(await http.request(method, path)).status_code for _ in range(count)]


async def test_a_network_that_opens_too_many_connections_is_turned_away_alone(door: Door) -> None:
    before, most = turned_away("connection"), int(http_listener.NETWORK_COMES_S * http_listener.AT_ONCE_S)
    opened = await door.flood(3 * most)
    async with door.browser(FLOOD.format(250)) as neighbour, door.browser(OFFICE) as office:
        with pytest.raises(httpx.TransportError):
            await asyncio.gather(*(neighbour.get("/fine") for _ in range(20)))
        assert (await office.get("/fine")).text == "fine"
    assert turned_away("connection") - before > most
    for writer in opened:
        writer.close()


async def test_a_system_in_that_network_that_has_shown_its_certificate_comes_again(door: Door) -> None:
    async with door.browser(FLOOD.format(7), "agency/school-drita") as system:
        assert (await system.get("/fine")).text == "fine"
    opened = await door.flood(300)
    async with door.browser(FLOOD.format(7), "agency/school-drita") as system:
        assert (await system.get("/fine")).text == "fine"
    for writer in opened:
        writer.close()


async def test_strangers_of_a_network_ask_at_their_rate_and_are_told_when(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_listener, "STRANGERS_ASK_S", 0.5)
    async with door.browser(FLOOD.format(1)) as flood, door.browser(OFFICE) as office:
        assert await statuses(flood, "/fine", 5) == [200] * 5
        refused = await flood.get("/fine")
        assert (refused.status_code, refused.json()["code"]) == (429, "too-often") and 1 <= int(refused.headers["Retry-After"]) <= 2
        read = await flood.get("/fine", headers={"Accept": "text/html,*/*"})
        assert read.status_code == 429 and read.headers["Content-Type"].startswith("text/plain") and "sign in again" in read.text
        assert await statuses(office, "/fine", 1) == [200]


async def test_an_agency_reads_at_its_rate_and_is_never_refused_what_it_sends(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_listener, "SYSTEM_READS_S", 0.5)
    async with door.browser(OFFICE, "agency/school-drita") as school, door.browser(OFFICE, "agency/school-ura") as other:
        assert await statuses(school, "/fine", 5) == [200] * 5
        assert await statuses(school, "/fine", 1) == await statuses(school, "/fine", 1, "POST") == [429]
        assert await statuses(school, "/v1/fine", 8, "POST") == [200] * 8
        assert await statuses(other, "/fine", 1) == [200]
    async with door.browser(OFFICE, "service/notifier") as service:
        assert await statuses(service, "/fine", 8) == [200] * 8, "a service is no stranger to the line"


async def test_a_copied_session_takes_nothing_from_a_new_one_of_the_same_account(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_listener, "SESSION_ASKS_S", 0.5)
    async with door.browser(OFFICE) as http:
        assert await statuses(http, "/page/copied", 6) == [200] * 5 + [429]
        assert await statuses(http, "/page/new", 1) == [200]


async def test_a_connection_that_has_shown_a_session_asks_without_it_no_oftener_than_a_stranger(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One page with a copied cookie, and everything else on its connection was not counted."""
    monkeypatch.setattr(http_listener, "STRANGERS_ASK_S", 0.5)
    async with door.browser(OFFICE) as thief, door.browser(FLOOD.format(1)) as officer:
        assert await statuses(thief, "/page/copied", 1) == [200]
        assert await statuses(thief, "/fine", 6) == [200] * 5 + [429]
        assert await statuses(officer, "/page/own", 1) == await statuses(officer, "/fine", 1) == [200], "the same account elsewhere"
