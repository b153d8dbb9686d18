"""The service's HTTP: its own app, with health and metrics beside it, in the loop's event loop and without signal handlers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import prometheus_client
import uvicorn
from msgspec import json
from starlette.types import ASGIApp, Receive, Scope, Send

from referral.errors import Unavailable
from referral.runtime import database, observe

Answer = tuple[int, str, bytes]
PROBLEM = "application/problem+json"
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
    """ASGI. /healthz: the process runs. /readyz: it does its work, else why not. /metrics: for Prometheus. The rest is the service's."""

    def __init__(self, health: observe.Health, app: ASGIApp | None) -> None:
        self._app = app
        self._own: dict[str, Callable[[], Answer]] = {"/healthz": _alive, "/readyz": lambda: _ready(health), "/metrics": _metrics}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in self._own:
            return await _send(send, self._own[scope["path"]]())
        if self._app is None:
            if scope["type"] == "lifespan":
                return await _lifespan(receive, send)
            return await _send(send, (404, PROBLEM, json.encode({"title": "Not found", "status": 404})))
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        return await _guarded(self._app, scope, receive, send)


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
        if begun or not (isinstance(error, Unavailable) or database.away(error)):
            await _flush(send, held)
            raise
        after = error.retry_after if isinstance(error, Unavailable) else 5
        problem = {"title": "Service unavailable", "status": 503, "code": "unavailable", "detail": "Nothing was kept. Send the same again."}
        await _send(send, (503, PROBLEM, json.encode(problem)), [(b"retry-after", str(after).encode())])
    else:
        await _flush(send, held)


async def _flush(send: Send, held: list[Any]) -> None:
    for message in held:
        await send(message)


def _alive() -> Answer:
    return 200, "application/json", b"{}"


def _ready(health: observe.Health) -> Answer:
    against = health.against()
    return (503 if against else 200), "application/json", json.encode({"ready": not against, "against": against})


def _metrics() -> Answer:
    return 200, prometheus_client.CONTENT_TYPE_LATEST, prometheus_client.generate_latest()


async def _send(send: Send, answer: Answer, more: list[tuple[bytes, bytes]] | None = None) -> None:
    status, kind, body = answer
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), *(more or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    for kind in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{kind}.complete"})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process has one place for signals, and that is not here."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Bound before anything starts, so that a taken port is known at once and a free one can be printed. OSError: taken."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


def server(health: observe.Health, app: ASGIApp | None) -> uvicorn.Server:
    """Not started. End it by `should_exit = True`."""
    config = uvicorn.Config(
        Doors(health, app), log_config=None, access_log=False, lifespan="on", server_header=False, timeout_graceful_shutdown=5
    )
    return _Server(config)


async def serve(made: uvicorn.Server, bound: socket.socket) -> None:
    """Until should_exit."""
    await made.serve(sockets=[bound])
