"""Serve a service's HTTP inside the loop's event loop: its app at the public address, health and metrics at an inner address.

The public address shows whether the service is ready, and no more: a counter of records would reveal that a child was referred just now.
"""

from __future__ import annotations

import asyncio
import math
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import prometheus_client
import uvicorn
from msgspec import json
from starlette.types import ASGIApp, Receive, Scope, Send

from referral.errors import RETRY_AFTER_S, TooOften, Unavailable
from referral.runtime import http_connection, observe, peer
from referral.runtime.http_listener import listen as listen
from referral.runtime.http_message import PROBLEM, document
from referral.runtime.peer import Peer
from referral.runtime.postgres import database

Answer = tuple[int, str, bytes]
BODY_S = 20.0
"""Seconds in which a request body must arrive (ours): the largest body that a door accepts, at 400 kbit/s. A slower sender is refused."""
REFUSED_S = 1.0
"""Seconds until a request is refused that came too often (ours): a connection asks once in that time, so refusals cost next to nothing."""
TOO_OFTEN = (
    "Shumë kërkesa njëherësh. Prisni {0} s dhe hapeni faqen përsëri. Nëse nuk ishit ju: kyçuni përsëri. Nëse ka rrezik, telefononi.\n"
    "Previše zahteva odjednom. Sačekajte {0} s i otvorite stranicu ponovo. Ako niste bili vi: prijavite se ponovo. U opasnosti pozovite.\n"
    "Too many requests at once. Wait {0} s, then open the page again. If it was not you: sign in again. In danger, call.\n"
)
"""For whoever reads it in a browser, in a network from which somebody floods us: no page is made for it."""
NOSNIFF = (b"x-content-type-options", b"nosniff")
"""Makes a browser use the content type that we declare."""
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""One year, for hosts below ours too: a stranger who answers for one of them in clear could set a cookie for ours."""
ONCE = (b"authorization", b"content-type", b"content-encoding", b"content-length", b"host", b"transfer-encoding")
"""Headers that a request has at most once: of two values, a proxy and this server might each use another one."""
METRICS = "/metrics"
"""Path of the metrics, at the inner address."""


class Doors:
    """ASGI application of one address. own: path → the server's own answer. The service's app answers all other paths.

    admits: who may ask at all, by peer and path; by default everybody.
    """

    def __init__(
        self, own: Mapping[str, Callable[[], Answer]], app: ASGIApp | None, admits: Callable[[Peer, str], bool] = lambda *_: True
    ) -> None:
        self._app, self._own, self._admits = app, own, admits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await (self._app or _lifespan)(scope, receive, send)
        scope, send = origin_form(scope), _with(send, NOSNIFF)
        if (why := ambiguous(scope["headers"])) is not None:
            return await _send(send, (400, PROBLEM, why), [(b"connection", b"close")])
        if not self._admits(peer.shown(scope), scope["path"]):
            hint = f"show the certificate of an operator or a service; at {METRICS}, of an operator or service/{peer.PROMETHEUS}"
            return await _send(send, (403, PROBLEM, document(403, "not-an-operator", hint)))
        if wait := peer.wait(scope):
            return await _refuse(scope, send, wait)
        if scope["path"] in self._own:
            return await _send(send, self._own[scope["path"]]())
        if self._app is None:
            return await _send(send, (404, PROBLEM, document(404, "not-found", f"this address has {', '.join(self._own)}")))
        return await _guarded(self._app, scope, _in_time(receive), send)


class Strict:
    """ASGI wrapper for a service reached by https: every answer tells clients to use https only (RFC 6797)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, _with(send, HSTS))


class TooSlow(TimeoutError):
    """A body did not arrive within BODY_S; nothing was stored. A handler that waits for the body may answer itself."""


def ambiguous(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """Return the problem of a request head that two programs might read differently; None: the head is clear."""
    names = [name for name, _ in headers]
    if b"content-length" in names and b"transfer-encoding" in names:
        hint = "send the body's length or send the body in chunks, not both: a proxy between us might use the other one"
        return document(400, "two-lengths", hint, "Content-Length")
    twice = next((name for name in ONCE if names.count(name) > 1), None)
    return None if twice is None else document(400, "repeated-header", "send this header once", twice.decode().title())


def origin_form(scope: Scope) -> Scope:
    """Return a request whose target is a whole address (RFC 9112 3.2.2) as if its path alone had been sent; every other as it is."""
    whole = ABSOLUTE.match(scope.get("raw_path") or b"")
    if whole is None:
        return scope
    raw = whole[1] or b"/"
    return {**scope, "raw_path": raw, "path": unquote(raw.decode("ascii", "replace"))}


ABSOLUTE = re.compile(rb"https?://[^/]*(/.*)?$", re.IGNORECASE | re.DOTALL)
"""A target with scheme and host. Host names the server all the same: nothing is sent elsewhere."""


def _with(send: Send, header: tuple[bytes, bytes]) -> Send:
    """Return a `send` that adds this header to answers that have none of its name."""

    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start" and header[0] not in {name.lower() for name, _ in message["headers"]}:
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    return sent


def _in_time(receive: Receive) -> Receive:
    """Return a `receive` that raises TooSlow when the body takes longer than BODY_S."""
    loop = asyncio.get_running_loop()
    end, whole = loop.time() + BODY_S, False

    async def received() -> Any:
        nonlocal whole
        if whole:  # the app now waits for the client's disconnect only
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
    """Run the app. A database that is away is a 503 with Retry-After, never a 500: nothing was stored, and the sender may repeat."""
    begun = False
    held: list[Any] = []  # a framework first sends 500 and then raises: hold a 500 back until the exception is known

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
        if begun or not (isinstance(error, TooSlow | TooOften | Unavailable) or database.away(error)):
            await _flush(send, held)
            raise
        if isinstance(error, TooOften):
            return await _refuse(scope, send, error.wait)
        if isinstance(error, TooSlow):
            why = document(408, "too-slow", str(error))
            return await _send(send, (408, PROBLEM, why), [(b"connection", b"close")])
        after = error.retry_after if isinstance(error, Unavailable) else RETRY_AFTER_S
        why = document(503, "unavailable", f"nothing was kept; send the same again after {after} s")
        await _send(send, (503, PROBLEM, why), [(b"retry-after", str(after).encode())])
    else:
        await _flush(send, held)


async def _refuse(scope: Scope, send: Send, wait: float) -> None:
    """Refuse a request that came too often, so late that its connection can bring few of them."""
    observe.TURNED_AWAY.labels("request").inc()
    await asyncio.sleep(REFUSED_S)
    after = str(max(1, math.ceil(wait)))
    kind, body = PROBLEM, document(429, "too-often", f"nothing was kept; send the same again after {after} s, and less often")
    if b"text/html" in dict(scope["headers"]).get(b"accept", b""):
        kind, body = "text/plain; charset=utf-8", TOO_OFTEN.format(after).encode()
    await _send(send, (429, kind, body), [(b"retry-after", after.encode()), (b"cache-control", b"no-store")])


async def _flush(send: Send, held: list[Any]) -> None:
    for message in held:
        await send(message)


def _alive(health: observe.Health) -> Answer:
    """Answer whether the process is worth keeping; for whoever restarts it. A server that is away is no reason."""
    return (503 if health.stands() else 200), "application/json", b"{}"


def _ready(health: observe.Health) -> Answer:
    """Answer whether the service's doors are open; for a load balancer, and for everybody. What is late outside closes none."""
    ready = not health.not_ready().keys() - observe.OUTSIDE
    return (200 if ready else 503), "application/json", json.encode({"ready": ready})


def _why(health: observe.Health) -> Answer:
    """Answer whether the service is ready, with the reasons why not; for operators."""
    reasons = health.not_ready()
    return (503 if reasons else 200), "application/json", json.encode({"ready": not reasons, "not_ready": reasons})


def _metrics(health: observe.Health, service: str) -> Answer:
    """Answer with all metrics, and each word of /readyz among them."""
    observe.NOT_READY.clear()
    for word in health.not_ready():
        observe.NOT_READY.labels(service, word).set(1)
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


def server(
    health: observe.Health, app: ASGIApp | None, *, proxy: str = "", secure: bool = False, tls: ssl.SSLContext | None = None
) -> uvicorn.Server:
    """Return the public server: the app, /healthz and /readyz. It is not started. End it by `should_exit = True`.

    health: the service's readiness.
    app: the service's own application, if it has one.
    proxy: the address whose X-Forwarded-For is trusted; empty: none.
    secure: people reach it by https, and every answer says so.
    tls: it speaks TLS with this context; None: plain HTTP, for a proxy before it or for this machine alone.
    """
    doors = Doors({"/healthz": lambda: _alive(health), "/readyz": lambda: _ready(health)}, app)
    return _server(Strict(doors) if secure else doors, proxy, tls)


def inner(health: observe.Health, service: str = "", app: ASGIApp | None = None, *, tls: ssl.SSLContext | None = None) -> uvicorn.Server:
    """Return the server for operators: /readyz with the reasons for not being ready, and /metrics for Prometheus. It is not started.

    service: its name, as the metrics have it. app: what else the service answers here.
    """
    own = {"/healthz": lambda: _alive(health), "/readyz": lambda: _why(health), METRICS: lambda: _metrics(health, service)}
    return _server(Doors(own, app, _within), "", tls, http_connection.INNER_KEEP_ALIVE_S)


def _within(found: Peer, path: str) -> bool:
    """Return whether somebody may ask at the inner address. Counters show each moment at which a child is referred."""
    return peer.reads_metrics(found) if path.strip("/") == METRICS.strip("/") else peer.is_ours(found)


def _server(doors: ASGIApp, proxy: str, tls: ssl.SSLContext | None, keep_alive_s: int = http_connection.KEEP_ALIVE_S) -> uvicorn.Server:
    trusted = {"proxy_headers": bool(proxy), "forwarded_allow_ips": proxy}
    return http_connection.Server(http_connection.config(doors, tls, keep_alive_s, lifespan="on", timeout_graceful_shutdown=5, **trusted))


async def serve(http: uvicorn.Server, bound: socket.socket) -> None:
    """Serve on a bound socket until should_exit."""
    await http.serve(sockets=[bound])
