"""The service's HTTP in the loop's event loop, without signal handlers: its app for everybody; health and metrics at an inner address.

A stranger at the public address learns whether the service is ready, and no more: a counter of records would tell that somebody referred
a child just now.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import prometheus_client
import uvicorn
from msgspec import json
from starlette.types import ASGIApp, Receive, Scope, Send

from referral.errors import Unavailable
from referral.runtime import http_connection, observe
from referral.runtime.http_connection import PROBLEM, problem
from referral.runtime.http_connection import listen as listen
from referral.runtime.postgres import database

Answer = tuple[int, str, bytes]
BODY_S = 20.0
"""Seconds that a body may take to come (ours): the largest one of a door at 400 kbit/s. Who sends slower holds nothing of ours."""
NOSNIFF = (b"x-content-type-options", b"nosniff")
"""A browser believes the type that we name."""
HSTS = (b"strict-transport-security", b"max-age=31536000")
"""A year, as on the pages."""
ONCE = (b"authorization", b"content-type", b"content-encoding", b"content-length", b"host", b"transfer-encoding")
"""Headers that one request has at most once: of two values each reader would take another."""
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every page for people. Nothing is kept by a browser or a proxy, nothing foreign is loaded, no script runs."""


class Doors:
    """ASGI. own: path → answer of the listener itself. The rest is the service's."""

    def __init__(self, own: Mapping[str, Callable[[], Answer]], app: ASGIApp | None) -> None:
        self._app, self._own = app, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await (self._app or _lifespan)(scope, receive, send)
        send = _with(send, NOSNIFF)
        if (why := ambiguous(scope["headers"])) is not None:
            return await _send(send, (400, PROBLEM, why), [(b"connection", b"close")])
        if scope["path"] in self._own:
            return await _send(send, self._own[scope["path"]]())
        if self._app is None:
            return await _send(send, (404, PROBLEM, problem(404, "not-found", f"this address has {', '.join(self._own)}")))
        return await _guarded(self._app, scope, _in_time(receive), send)


class Strict:
    """ASGI. A service that people and programs reach by https says in every answer that they never do otherwise (RFC 6797)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, _with(send, HSTS))


class TooSlow(TimeoutError):
    """A body did not come within BODY_S; nothing was kept. A door that waits for one may answer itself."""


def ambiguous(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """The problem of a head that two readers would understand differently; None where there is none."""
    names = [name for name, _ in headers]
    if b"content-length" in names and b"transfer-encoding" in names:
        hint = "send the body's length, or send it in chunks: of both, what stands between us may take the other"
        return problem(400, "two-lengths", hint, "Content-Length")
    twice = next((name for name in ONCE if names.count(name) > 1), None)
    return None if twice is None else problem(400, "repeated-header", "send this header once", twice.decode().title())


def _with(send: Send, header: tuple[bytes, bytes]) -> Send:
    """The same answers with this header, where they have none of its name."""

    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start" and header[0] not in {name.lower() for name, _ in message["headers"]}:
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    return sent


def _in_time(receive: Receive) -> Receive:
    """The same body, or TooSlow."""
    loop = asyncio.get_running_loop()
    end, whole = loop.time() + BODY_S, False

    async def received() -> Any:
        nonlocal whole
        if whole:  # what is waited for now is the caller's going away
            return await receive()
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            raise TooSlow(f"send a body whole within {BODY_S:g} s") from None
        whole = not message.get("more_body", False)
        return message

    return received


async def _guarded(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """A database that is away is a 503 with Retry-After, never a 500: nothing was kept, and the sender may repeat."""
    begun = False
    held: list[Any] = []  # a framework answers 500 first and raises then: a 500 is held back until it is known why

    async def watched(message: Any) -> None:
        nonlocal begun
        if not begun and (held or message.get("status") == 500):
            held.append(message)
            return
        begun = True
        await send(message)

    try:
        await app(scope, receive, watched)
    except Exception as error:
        if begun or not (isinstance(error, TooSlow | Unavailable) or database.away(error)):
            await _flush(send, held)
            raise
        if isinstance(error, TooSlow):
            why = problem(408, "too-slow", str(error))
            return await _send(send, (408, PROBLEM, why), [(b"connection", b"close")])
        after = error.retry_after if isinstance(error, Unavailable) else 5
        why = problem(503, "unavailable", f"nothing was kept; send the same again after {after} s")
        await _send(send, (503, PROBLEM, why), [(b"retry-after", str(after).encode())])
    else:
        await _flush(send, held)


async def _flush(send: Send, held: list[Any]) -> None:
    for message in held:
        await send(message)


def _alive() -> Answer:
    return 200, "application/json", b"{}"


def _ready(health: observe.Health) -> Answer:
    """Whether it does its work; for a load balancer, and for anybody."""
    ready = not health.against()
    return (200 if ready else 503), "application/json", json.encode({"ready": ready})


def _why(health: observe.Health) -> Answer:
    """The same with the reasons, for operators."""
    against = health.against()
    return (503 if against else 200), "application/json", json.encode({"ready": not against, "not_ready": against})


def _metrics() -> Answer:
    return 200, prometheus_client.CONTENT_TYPE_LATEST, prometheus_client.generate_latest()


async def _send(send: Send, answer: Answer, more: list[tuple[bytes, bytes]] | None = None) -> None:
    status, kind, body = answer
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), *(more or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(_: Scope, receive: Receive, send: Send) -> None:
    for kind in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{kind}.complete"})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process has one place for signals, and that is not here."""
        yield


def server(health: observe.Health, app: ASGIApp | None, *, proxy: str = "") -> uvicorn.Server:
    """For everybody who reaches the service: its app, /healthz and /readyz. Not started. End it by `should_exit = True`.

    proxy: the address whose X-Forwarded-For is believed; without one nobody's is.
    """
    return _server(Doors({"/healthz": _alive, "/readyz": lambda: _ready(health)}, app), proxy)


def inner(health: observe.Health) -> uvicorn.Server:
    """For operators alone: /readyz with what speaks against it, and /metrics for Prometheus. Not started."""
    return _server(Doors({"/healthz": _alive, "/readyz": lambda: _why(health), "/metrics": _metrics}, None))


def _server(doors: Doors, proxy: str = "") -> uvicorn.Server:
    config = uvicorn.Config(
        doors,
        http=http_connection.Connection,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_keep_alive=http_connection.KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
        proxy_headers=bool(proxy),
        forwarded_allow_ips=proxy,
    )
    return _Server(config)


async def serve(made: uvicorn.Server, bound: socket.socket) -> None:
    """Until should_exit."""
    await made.serve(sockets=[bound])
