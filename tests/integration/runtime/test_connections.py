"""Connections as strangers hold them: silent ones, half heads, hundreds at once, heads that mean two things. No database is needed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from referral.runtime import http_connection, http_listener, http_server, observe, tls
from tests.harness import trust
from tests.harness.attackers import silent
from tests.harness.waiting import until

HEAD = 0.6
"""Seconds for a head in these tests."""
WAIT_S = 60
LARGE = "x" * (16 << 20)
"""An answer that no buffer between two programs holds."""
GET = b"GET /fine HTTP/1.1\r\nHost: here\r\n\r\n"


@dataclass
class Door:
    """A server as every service has one."""

    port: int
    held: set[Any]
    """Its connections."""

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def said(self, sent: bytes) -> bytes:
        """All that is answered until the server closes."""
        reader, writer = await self.open()
        try:
            writer.write(sent)
            async with asyncio.timeout(WAIT_S):
                return await reader.read()
        finally:
            writer.close()

    async def head(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the one answer that ends its connection."""
        head, _, body = (await self.said(sent)).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        return int(lines[0].split()[1]), {n.lower(): v.strip() for n, _, v in (x.partition(":") for x in lines[1:])}, body


async def _fine(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()).decode() or "fine")


@pytest.fixture
async def door(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr(http_connection, "HEAD_S", HEAD)
    monkeypatch.setattr(http_connection, "TAKEN_S", HEAD)
    app = Starlette(routes=[Route("/fine", _fine, methods=["GET", "POST"]), Route("/large", lambda _: PlainTextResponse(LARGE))])
    server, bound = http_server.server(observe.Health(), app), http_server.listen("127.0.0.1", 0)
    bound.listen()
    task = asyncio.create_task(http_server.serve(server, bound))
    try:
        yield Door(bound.getsockname()[1], server.server_state.connections)
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, WAIT_S)


async def test_who_says_nothing_is_closed_without_a_word(door: Door) -> None:
    assert await door.said(b"") == b""


@pytest.mark.parametrize("half", [b"GET /fi", b"GET /fine HTTP/1.1\r\nHost: here\r\nX-Slow: "])
async def test_half_a_head_is_closed_and_told(door: Door, half: bytes) -> None:
    status, headers, body = await door.head(half)
    assert (status, headers["content-type"], headers["connection"]) == (408, http_server.PROBLEM, "close")
    assert msgspec.json.decode(body)["code"] == "too-slow"


async def test_a_byte_now_and_then_buys_no_time(door: Door) -> None:
    """A byte that meets the end of its connection resets it, and the answer that was on its way is lost to us: what ends is the time."""
    reader, writer = await door.open()
    clock = asyncio.get_running_loop().time
    began = clock()
    over = asyncio.create_task(ended(reader))
    with contextlib.suppress(ConnectionError):
        for byte in b"GET /fine HTTP/1.1\r\nX: " + b"y" * 1000:
            writer.write(bytes([byte]))
            done, _ = await asyncio.wait([over], timeout=0.05)
            if done:
                break
    said = await asyncio.wait_for(over, WAIT_S)
    assert said.startswith(b"HTTP/1.1 408") or not said
    assert clock() - began < HEAD + WAIT_S / 4
    writer.close()


async def test_the_next_head_of_a_connection_has_its_own_deadline(door: Door) -> None:
    said = await door.said(GET + b"GET /fi")
    assert (said.count(b"HTTP/1.1 200"), said.count(b"HTTP/1.1 408")) == (1, 1)


async def test_a_connection_that_is_used_lives_on_between_two_requests(door: Door) -> None:
    reader, writer = await door.open()
    writer.write(GET)
    async with asyncio.timeout(WAIT_S):
        await reader.readuntil(b"fine")
        next_one = asyncio.create_task(reader.readuntil(b"fine"))
        done, _ = await asyncio.wait([next_one], timeout=2 * HEAD)
        assert not done, "an idle connection is kept for KEEP_ALIVE_S, not HEAD_S"
        writer.write(GET)
        assert (await next_one).startswith(b"HTTP/1.1 200")
    writer.close()


def test_a_pool_gives_an_idle_connection_up_before_the_server_ends_it() -> None:
    """With uvicorn's own limit both had 5 s: a request that met the end of its connection failed, whatever it asked."""
    kept = http_connection.config(Starlette(), None).timeout_keep_alive
    assert httpx.Limits().keepalive_expiry is not None and kept > 2 * httpx.Limits().keepalive_expiry


async def test_who_takes_nothing_of_an_answer_holds_no_connection(door: Door) -> None:
    """512 of them kept everybody else out for as long as they liked: such a connection is never idle."""
    with socket.create_connection(("127.0.0.1", door.port)) as greedy:
        greedy.sendall(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n")
        await until(lambda: bool(door.held))
        await until(lambda: not door.held)
    status, _, body = await door.head(b"GET /large HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    assert status == 200 and len(body) == len(LARGE)


async def test_five_hundred_idle_connections_do_no_harm_and_are_closed(door: Door) -> None:
    idle = [await door.open() for _ in range(500)]
    for _, writer in idle[::2]:
        writer.write(b"GET /fine HTTP/1.1\r\nHost: ")
    clock = asyncio.get_running_loop().time
    began = clock()
    assert (await door.head(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))[0] == 200
    assert clock() - began < WAIT_S / 4
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*(ended(reader) for reader, _ in idle))
    for _, writer in idle:
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Wait until the server has ended the connection, and return what it said. It resets one to which we still wrote: nothing is said."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_above_the_limit_the_longest_idle_one_makes_room(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "HEAD_S", WAIT_S)
    monkeypatch.setattr(http_listener, "CONNECTIONS", 8)
    idle = [await door.open() for _ in range(20)]
    assert (await door.head(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))[0] == 200
    async with asyncio.timeout(WAIT_S):
        assert await asyncio.gather(*(reader.read() for reader, _ in idle[:12])) == [b""] * 12
    for _, writer in idle:
        writer.close()


async def test_a_body_that_does_not_come_is_given_up_by_every_service(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "BODY_S", HEAD)
    status, headers, body = await door.head(b"POST /fine HTTP/1.1\r\nHost: here\r\nContent-Length: 20\r\n\r\nhalf")
    assert (status, headers["content-type"], msgspec.json.decode(body)["code"]) == (408, http_server.PROBLEM, "too-slow")


TWICE = [
    (b"Content-Length: 4\r\nTransfer-Encoding: chunked", "two-lengths"),
    (b"Authorization: Bearer one\r\nAuthorization: Bearer two", "repeated-header"),
    (b"Content-Type: application/json\r\ncontent-type: text/csv", "repeated-header"),
]


@pytest.mark.parametrize(("lines", "code"), TWICE)
async def test_a_head_that_means_two_things_is_refused(door: Door, lines: bytes, code: str) -> None:
    sent = b"POST /fine HTTP/1.1\r\nHost: here\r\n" + lines + b"\r\n\r\n0\r\n\r\n"
    status, headers, body = await door.head(sent)
    assert (status, headers["content-type"], msgspec.json.decode(body)["code"]) == (400, http_server.PROBLEM, code)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /fine HTTP/1.1\r\n\r\n",
        b"POST /fine HTTP/1.1\r\nHost: here\r\nContent-Length: -1\r\n\r\n",
        b"POST /fine HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["no host", "negative length", "two lengths", "TLS on the plain port"],
)
async def test_what_is_no_http_is_a_problem_too(door: Door, sent: bytes) -> None:
    status, headers, body = await door.head(sent)
    assert (status, headers["content-type"]) == (400, http_server.PROBLEM)
    problem = msgspec.json.decode(body)
    assert (problem["code"], problem["status"]) == ("no-http", 400) and problem["hint"]


@pytest.mark.parametrize("target", [b"http://here/fine", b"https://elsewhere:8443/fine", b"HTTP://here/fine?a=http://b/c"])
async def test_a_whole_address_in_the_request_is_understood(door: Door, target: bytes) -> None:
    """RFC 9112 3.2.2: some proxies send it. It was answered 404."""
    status, _, body = await door.head(b"GET " + target + b" HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    assert (status, body) == (200, b"fine")


async def test_every_answer_forbids_sniffing_once(door: Door) -> None:
    for path in (b"/fine", b"/healthz", b"/nothing"):
        said = await door.said(b"GET " + path + b" HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert said.lower().count(b"x-content-type-options: nosniff") == 1, path


async def test_an_upgrade_that_nobody_takes_is_an_ordinary_request(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """The Java client asks for h2c with each connection; the log had a line that said nothing for each."""
    sent = b"GET /fine HTTP/1.1\r\nHost: here\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    reader, writer = await door.open()
    writer.write(sent)
    async with asyncio.timeout(WAIT_S):
        assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200")
    writer.close()
    assert "upgrade" not in caplog.text.lower()


SERVES = """
import asyncio, sys
from pathlib import Path
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from referral.runtime import http_listener, http_server, observe, tls

app = Starlette(routes=[Route("/fine", lambda _: PlainTextResponse("fine"))])
async def main():
    server = http_server.server(observe.Health(), app, tls=tls.listener(Path(sys.argv[1]), asks=False))
    bound = http_listener.listen("127.0.0.1", 0)
    bound.listen(2048)
    print(bound.getsockname()[1], flush=True)
    await http_server.serve(server, bound)
asyncio.run(main())
"""
FILES, CROWD = 1024, 5000
"""Files that the server may have open (systemd's default), and connections that say nothing (the second trial by attackers had 3,051)."""
MOST_MB = 400
"""Memory of that server (ours): 70 MB before anybody comes, and 830 while each connection had asyncio's buffer of 256 KiB."""


async def test_five_thousand_silent_connections_keep_nobody_waiting_and_use_up_no_files(tmp_path: Path) -> None:
    """They held the server's last file until their handshake ended: a referral took half a minute, where it did not fail."""
    trust.make(tmp_path)
    audit, school = trust.identities(tmp_path) / "audit", trust.identity(tmp_path, "agency/school-drita")
    serving = await asyncio.create_subprocess_exec(
        "prlimit", f"--nofile={FILES}:{FILES}", sys.executable, "-c", SERVES, str(audit), stdout=subprocess.PIPE
    )
    strangers = None
    try:
        assert serving.stdout is not None
        port = int(await asyncio.wait_for(serving.stdout.readline(), WAIT_S))
        browser = ssl.create_default_context(cafile=audit / "authority.pem")
        url, files, answers = f"https://127.0.0.1:{port}/fine", Path(f"/proc/{serving.pid}/fd"), 0
        async with httpx.AsyncClient(verify=tls.client(school), timeout=WAIT_S / 10) as http:  # from now on this address is known
            assert (await http.get(url)).text == "fine"
        raised = ["prlimit", f"--nofile={CROWD + 100}:{CROWD + 100}", sys.executable, "-m", silent.__name__, str(port), str(CROWD)]
        strangers = await asyncio.create_subprocess_exec(*raised, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert strangers.stdout is not None
        held = asyncio.create_task(strangers.stdout.readline())
        while not held.done() or answers < 20:
            for context in (browser, tls.client(school)):
                async with httpx.AsyncClient(verify=context, timeout=WAIT_S / 10) as http:
                    answers += (await http.get(url)).text == "fine"
            assert len(list(files.iterdir())) < 800
        assert held.result() == b"held\n" and answers >= 20
        (most,) = [
            int(line.split()[1]) for line in Path(f"/proc/{serving.pid}/status").read_text().splitlines() if line.startswith("VmHWM")
        ]
        assert most < MOST_MB * 1000
    finally:
        for process in (strangers, serving):
            if process is not None:
                process.kill()
                await process.wait()
