"""A listener of ours by TLS: who is let in, what a request knows of its peer, and what a renewal does to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.x509 import ReasonFlags
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from referral.ca import authority, bundle, identity, leaf, renewal
from referral.client import Away, Client, Problem
from referral.errors import Rejected
from referral.local.asking import Asking
from referral.runtime import http_connection, http_listener, http_server, peer, tls
from referral.runtime.observe import Health
from tests.harness import trust
from tests.harness.certificates import careless, made

REFUSED = (httpx.TransportError, ssl.SSLError)
"""httpx passes on an alert that comes after the handshake as it is."""


async def who(request: Request) -> Response:
    found = peer.shown(request.scope)
    return JSONResponse([found.secure, str(found.holder)])


async def school(request: Request) -> Response:
    try:
        peer.is_agency(request, "school-drita")
    except Rejected as error:
        return JSONResponse(error.code, error.status)
    return JSONResponse("welcome")


async def intake_alone(request: Request) -> Response:
    return JSONResponse(peer.is_service(request, "intake"))


async def case(request: Request) -> Response:
    return JSONResponse({"holder": str(peer.shown(request.scope).holder)})


APP = Starlette(routes=[Route("/who", who), Route("/school", school), Route("/intake", intake_alone), Route("/v1/cases/{case_id}", case)])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """An authority of this test alone, because the test revokes and renews."""
    trust.make(tmp_path)
    return tmp_path


@contextlib.asynccontextmanager
async def listening(mine: Path, *, inner: bool = False, plain: bool = False) -> AsyncIterator[str]:
    """Serve as audit, and return the base URL."""
    context = None if plain else tls.listener(trust.identities(mine) / "audit", asks=inner)
    server = http_server.inner(Health(), tls=context) if inner else http_server.server(Health(), APP, tls=context)
    bound = http_listener.listen("127.0.0.1", 0)
    bound.listen()
    task = asyncio.create_task(http_server.serve(server, bound))
    try:
        yield f"http{'' if plain else 's'}://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def client(mine: Path, name: str = "") -> httpx.AsyncClient:
    """Return a client with the certificate of this holder; empty: with none, as a browser."""
    if name:
        return httpx.AsyncClient(verify=tls.client(trust.identity(mine, name)))
    return httpx.AsyncClient(verify=ssl.create_default_context(cafile=trust.identities(mine) / "audit" / identity.AUTHORITY))


async def got(mine: Path, url: str, name: str = "") -> object:
    async with client(mine, name) as http:
        return (await http.get(url)).json()


async def test_a_request_knows_the_holder_whose_certificate_was_shown(mine: Path) -> None:
    async with listening(mine) as url:
        assert await got(mine, f"{url}/who") == [True, "None"]
        assert await got(mine, f"{url}/who", "agency/school-drita") == [True, "agency/school-drita"]
        assert await got(mine, f"{url}/who", "service/intake") == [True, "service/intake"]
    async with listening(mine, plain=True) as url, httpx.AsyncClient() as http:
        assert (await http.get(f"{url}/who")).json() == [False, "None"]


async def test_an_agencys_token_needs_its_certificate(mine: Path) -> None:
    async with listening(mine) as url:
        assert await got(mine, f"{url}/school") == "certificate-missing"
        assert await got(mine, f"{url}/school", "agency/school-ura") == "certificate-of-another"
        assert await got(mine, f"{url}/school", "service/intake") == "certificate-of-another"
        assert await got(mine, f"{url}/school", "agency/school-drita") == "welcome"
    async with listening(mine, plain=True) as url, httpx.AsyncClient() as http:
        for headers in ({}, {"x-forwarded-for": "10.0.0.1"}, {"client-cert": ":MIIB:"}, {"x-client-cert": "agency/school-drita"}):
            said = (await http.get(f"{url}/school", headers=headers)).json()
            assert said == "certificate-unseen", "a proxy before us ends TLS: whose certificate it saw, nobody can know here"


async def test_the_agencies_file_shows_its_certificate_and_believes_what_it_is_told(mine: Path) -> None:
    own = trust.identity(mine, "agency/school-drita")

    def asked(**more: Path) -> object:
        with Client(url, "token", sleep=lambda _: None, **more) as school:  # type: ignore[arg-type]
            return school.case("4711")["holder"]

    async with listening(mine) as url:
        assert await asyncio.to_thread(asked, identity=own) == "agency/school-drita"
        assert await asyncio.to_thread(asked, authority=own / identity.AUTHORITY) == "None"
        with pytest.raises(Away, match="name the authority's file"):
            await asyncio.to_thread(asked)
        for wrong in ({"identity": mine / "nowhere"}, {"authority": mine / "nowhere"}):
            with pytest.raises(FileNotFoundError, match="is not there: name the folder"):
                await asyncio.to_thread(asked, **wrong)


async def test_a_system_behind_a_crowded_address_keeps_its_connection(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ministry has one address for everybody: whoever has shown a certificate is counted apart from strangers there."""
    monkeypatch.setattr(http_listener, "NETWORK", 2)
    async with listening(mine) as url, client(mine, "agency/school-drita") as http:
        first = (await http.get(f"{url}/who")).extensions["network_stream"]
        where = ("127.0.0.1", int(url.rpartition(":")[2]))
        silent = [await asyncio.open_connection(*where) for _ in range(8)]
        async with asyncio.timeout(30):
            await asyncio.gather(*(reader.read() for reader, _ in silent[:6]))  # the others hold what strangers may hold
        again = await http.get(f"{url}/who")
        assert again.json() == [True, "agency/school-drita"] and again.extensions["network_stream"] is first
        for _, writer in silent:
            writer.close()


async def test_what_intake_alone_may_ask_is_for_its_certificate(mine: Path) -> None:
    async with listening(mine) as url:
        asked = [await got(mine, f"{url}/intake", name) for name in ("service/intake", "service/routing", "agency/intake", "")]
    assert asked == [True, False, False, False]


async def test_metrics_are_for_operators_and_prometheus_alone(mine: Path) -> None:
    async with listening(mine, inner=True) as url:
        for name in ("operator/keeper", "service/prometheus"):
            async with client(mine, name) as http:
                assert (await http.get(f"{url}/metrics")).status_code == 200
        for name in ("agency/school-drita", "service/routing", "service/alertmanager"):
            async with client(mine, name) as http:
                for path in ("/metrics", "//metrics/"):
                    refused = await http.get(f"{url}{path}")
                    assert (refused.status_code, refused.json()["code"]) == (403, "not-an-operator")
                assert (await http.get(f"{url}/healthz")).status_code == (403 if name.startswith("agency") else 200)
        async with client(mine) as http:
            with pytest.raises(REFUSED):
                await http.get(f"{url}/metrics")


async def test_a_revoked_certificate_is_refused_after_the_next_look_without_a_restart(mine: Path) -> None:
    """The context keeps the list of before beside the new one, which may have been signed within the same second."""
    at, school = authority.place(trust.ca(mine)), trust.identity(mine, "agency/school-drita")
    async with listening(mine) as url:
        assert await got(mine, f"{url}/school", "agency/school-drita") == "welcome"
        authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, datetime.now(UTC))
        identity.install(trust.identities(mine) / "audit", bundle.write(authority.trusted(at)), datetime.now(UTC))
        tls.refresh()
        async with httpx.AsyncClient(verify=careless(school, server=False)) as http:
            with pytest.raises(REFUSED):
                await http.get(f"{url}/school")
        assert await got(mine, f"{url}/who") == [True, "None"], "everybody else goes on"


def curl(url: str, own: Path, *more: str) -> str:
    """Return what curl says, whatever the server's own certificate is."""
    asked = ["curl", "-sSk", "--cert", str(own / identity.IDENTITY), *more, url]
    return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60).stderr


async def test_a_certificate_that_is_refused_is_told_why_and_is_not_tried_again(mine: Path) -> None:
    """An agency whose certificate had ended read `Empty reply from server`, and its program repeated for ever: python/cpython#98078."""
    at, school = authority.place(trust.ca(mine)), trust.identity(mine, "agency/school-drita")
    stranger, now = authority.place(mine / "stranger"), datetime.now(UTC)
    authority.init(stranger, now, f"file://{stranger.folder}")
    foreign = made(stranger, mine / "foreign", "agency/school-drita", now)
    late = made(at, mine / "late", "agency/school-ura", now - timedelta(days=800))
    authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, now)
    identity.install(trust.identities(mine) / "audit", bundle.write(authority.trusted(at)), now)
    waits: list[float] = []

    def sent(url: str) -> Problem:
        with Client(url, "token", identity=school, sleep=waits.append) as agency, pytest.raises(Problem) as refused:
            agency.case("4711")
        return refused.value

    async with listening(mine) as url:
        for own, word in ((school, "certificate revoked"), (foreign, "unknown ca"), (late, "certificate expired")):
            assert f"alert {word}" in await asyncio.to_thread(curl, url, own), word
        assert "alert protocol version" in await asyncio.to_thread(curl, url, foreign, "--tls-max", "1.2")
        refused = await asyncio.to_thread(sent, url)
    assert (refused.status, refused.code, waits) == (403, "certificate-refused", []) and "certificate revoked" in refused.hint


async def test_a_session_of_before_opens_no_door_after_the_revocation(mine: Path) -> None:
    """A client may keep what the server gave it to resume its session, and a resumed handshake shows no certificate to verify."""
    at, school = authority.place(trust.ca(mine)), trust.identity(mine, "agency/school-drita")
    careless_context = careless(school, server=False)

    def asked(port: int, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        with socket.create_connection(("127.0.0.1", port)) as plain, careless_context.wrap_socket(plain, session=session) as line:
            line.sendall(b"GET /school HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            said = b""
            while part := line.recv(4096):
                said += part
            assert b"welcome" in said
            return line.session

    async with listening(mine) as url:
        port = int(url.rpartition(":")[2])
        kept = await asyncio.to_thread(asked, port, None)
        authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, datetime.now(UTC))
        identity.install(trust.identities(mine) / "audit", bundle.write(authority.trusted(at)), datetime.now(UTC))
        tls.refresh()
        with pytest.raises((OSError, AssertionError)):
            await asyncio.to_thread(asked, port, kept)


async def test_the_end_of_a_server_waits_for_no_client_that_reads_nothing_between_two_requests(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a client would answer the end of TLS with its next request alone, and asyncio waits half a minute for it."""
    monkeypatch.setattr(http_connection, "RESTED_S", 0.0)
    at = trust.identities(mine) / "audit"
    server = http_server.inner(Health(), tls=tls.listener(at, asks=True))
    server.config.timeout_graceful_shutdown = None
    bound = http_listener.listen("127.0.0.1", 0)
    bound.listen()
    task = asyncio.create_task(http_server.serve(server, bound))
    asking = Asking(bound.getsockname()[1], trust.identities(mine) / "keeper")
    assert [(await asyncio.to_thread(asking.get, "/healthz"))[0] for _ in range(2)] == [200, 200]
    assert len(server.server_state.connections) == 1, "the second question went over the connection of the first"
    server.should_exit = True
    await asyncio.wait_for(task, 20)
    assert await asyncio.to_thread(asking.get, "/healthz") == (0, b"")


async def test_a_renewal_under_load_loses_no_request(mine: Path) -> None:
    at, place = authority.place(trust.ca(mine)), trust.identities(mine) / "audit"
    seen, done = set[str](), asyncio.Event()

    async def asking(url: str) -> int:
        count = 0
        while not done.is_set():
            async with client(mine) as http, http.stream("GET", f"{url}/who") as answer:  # a connection of its own
                shown = answer.extensions["network_stream"].get_extra_info("ssl_object").getpeercert(binary_form=True)
                seen.add(leaf.read(shown).number)
                assert answer.status_code == 200
                count += 1
        return count

    async with listening(mine) as url:
        askers = [asyncio.create_task(asking(url)) for _ in range(4)]
        renewed = []
        for _ in range(5):
            made = await asyncio.to_thread(renewal.renew, at, place, datetime.now(UTC), always=True)
            assert made is not None
            renewed.append(made.number)
            tls.refresh()
            async with asyncio.timeout(30):
                while made.number not in seen:
                    await asyncio.sleep(0.01)
        done.set()
        counts = await asyncio.gather(*askers)
    assert all(counts) and set(renewed) <= seen


async def test_a_handshake_that_never_ends_holds_no_connection(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "HANDSHAKE_S", 0.2)
    async with listening(mine) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_a_request_in_clear_is_told_that_the_port_speaks_https_and_reaches_nothing(mine: Path) -> None:
    requests = (
        b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n",
        b"P",
        b"POST /v1/referrals HTTP/1.1\r\nContent-Length: 50000\r\n\r\n" + bytes(50_000),
    )
    for inner in (False, True):
        async with listening(mine, inner=inner) as url:
            for request in requests:
                reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
                writer.write(request)
                async with asyncio.timeout(30):
                    said = await reader.read()
                writer.close()
                assert said == http_listener.IN_CLEAR
            assert await got(mine, f"{url}/healthz", "service/routing") == {}, "who speaks TLS is answered as before"
    head, _, body = said.partition(b"\r\n\r\n")
    told = json.loads(body)
    assert head.startswith(b"HTTP/1.1 400 ") and f"content-length: {len(body)}".encode() in head and b"connection: close" in head
    assert (told["status"], told["code"]) == (400, "https-only") and "https://" in told["detail"]
    async with listening(mine) as url:
        for other in (b"\x80\x2e\x01\x00\x02", b"\0" * 40, b"{}", b"get / HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(other)
            async with asyncio.timeout(30):
                assert not (await reader.read()).startswith(b"HTTP"), "whatever is no HTTP gets what TLS says to it"
            writer.close()


async def test_a_folder_that_is_not_whole_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="referral ca install"):
        tls.client(tmp_path)
