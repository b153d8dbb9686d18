"""Harden uvicorn: a deadline for every request head, a limit of connections, refusals that say why, and a server that rests.

uvicorn waits for a head for ever and accepts any number of connections, so idle clients could use up all of them at no cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from asyncio import constants
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from msgspec import json
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from referral.runtime import peer
from referral.runtime.pause import pause

HEAD_S = 5.0
"""Seconds in which a request head must arrive, from the first byte or the connection (ours): a head is one packet or two."""
TAKEN_S = 20.0
"""Seconds (ours) in which a client must take what waits for it, some 48 KB: 20 kbit/s, as slow as a telephone far from its mast."""
RESTED_S = 1.0
"""Seconds (ours) after which the answer of an idle connection has left: at the end of the server such a one is cut. In order, its client
would have to answer, and one that blocks reads nothing between two requests."""
KEEP_ALIVE_S = 75
"""Seconds for which an idle connection is kept between two requests (nginx's default). Pools of clients keep one for less (httpx 5, Java's
HttpClient 30, .NET 60): where both have one limit, as httpx and uvicorn have, a request meets the end of its connection."""
CONNECTIONS = 512
"""Connections of one server (ours): half of the 1,024 files that a process may open by default. Each agency uses a few."""
PROBLEM = "application/problem+json"


def problem(status: int, code: str, hint: str, where: str = "") -> bytes:
    """Return the JSON body of a refusal, the same at every door (RFC 9457).

    status: HTTP status.
    code: a stable word.
    hint: what the sender must do.
    where: header, field or path that is wrong.
    """
    title = code.replace("-", " ")
    detail = f"{title} at {where}: {hint}" if where else f"{title}: {hint}"
    fields = {"type": f"urn:referral:problem:{code}", "title": title, "status": status, "detail": detail, "code": code, "where": where}
    return json.encode({**fields, "hint": hint})


HANDSHAKE_S = 10.0
"""Seconds in which a TLS handshake must end (ours; asyncio's 60 let idle clients hold connections six times as long)."""


HTTPS_ONLY = problem(
    400, "https-only", "this port speaks https: write https:// instead of http://, and trust this line's authority (curl: --cacert FILE)"
)
IN_CLEAR = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: %b\r\ncontent-length: %d\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n%b"
    % (PROBLEM.encode(), len(HTTPS_ONLY), HTTPS_ONLY)
)
"""The whole answer to a request in clear at a port that speaks TLS: made before anybody asks, so it holds no data."""
METHOD = range(ord("A"), ord("Z") + 1)
"""First bytes of a request in clear; a record of TLS begins with 20 to 23."""
UNREAD = 1 << 16
"""Bytes that are thrown away after that answer (ours): a connection that is closed with bytes unread is reset, and the answer lost."""


class Listener(socket.socket):
    """A listening socket. speaks_tls: what it accepts is handed to TLS, which a request in clear never reaches."""

    speaks_tls = False

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection."""
        made, address = super().accept()
        return (_Accepted(fileno=made.detach()) if self.speaks_tls else made), address


class _Accepted(socket.socket):
    """A connection to a port that speaks TLS. Its first byte is looked at as TLS reads it."""

    _known = False

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Read. A request in clear is refused in words, and its connection looks ended to TLS."""
        size = super().recv_into(buffer, nbytes, flags)
        if self._known or not size or memoryview(buffer)[0] not in METHOD:
            self._known = self._known or size > 0
            return size
        self._known = True
        left = UNREAD
        with contextlib.suppress(OSError):  # the client is gone, or has sent no more
            self.send(IN_CLEAR)
            self.shutdown(socket.SHUT_WR)
            while left > 0 and (gone := len(self.recv(min(left, 4096)))):
                left -= gone
        return 0


def listen(host: str, port: int) -> Listener:
    """Bind a socket before anything starts, so that a taken port fails at once and a free one can be printed. OSError: taken."""
    bound = Listener(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


class Connection(H11Protocol):
    """uvicorn's connection with the limits above. since: when it last became idle, by the event loop's clock."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.since = 0.0
        self._heard = False
        self._deadline: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Return whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, peer.STATE: peer.of(transport)}
        self.since = self.loop.time()
        self._await_head()
        if len(self.connections) > CONNECTIONS:
            self._make_room()

    def pause_writing(self) -> None:
        """Give a client that takes no more of its answer TAKEN_S: while it holds a connection, nobody else has it."""
        super().pause_writing()
        self._untaken = self.loop.call_later(TAKEN_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
        super().resume_writing()

    def shutdown(self) -> None:
        """End the connection because the server ends: at once where it has rested, else in order."""
        if self.idle and self.loop.time() - self.since > RESTED_S:
            self.transport.abort()
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        if self._untaken is not None:
            self._untaken.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        super().data_received(data)
        if not self.idle:
            self._stop()
            self._heard = False
        elif self._deadline is None and self.timeout_keep_alive_task is None:
            self._await_head()

    def on_response_complete(self) -> None:
        self.since = self.loop.time()
        super().on_response_complete()
        if self.idle and self.conn.trailing_data[0]:  # a part of the next head has come with this request
            self._unset_keepalive_if_required()
            self._heard = True
            self._await_head()

    def _await_head(self) -> None:
        if not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEAD_S, self._too_slow)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or not self.idle:
            return
        if self._heard and self.conn.our_state is h11.IDLE:
            self._refuse(408, "too-slow", f"send a request's head whole within {HEAD_S:g} s")
        else:
            self.transport.close()

    def _make_room(self) -> None:
        """Close the connection that has been idle the longest; this one, when every other answers a request."""
        others = [other for other in self.connections if isinstance(other, Connection) and other is not self and other.idle]
        min(others, key=lambda other: other.since, default=self).transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a server may ignore an upgrade (RFC 9110 §7.8), and the Java client offers one with each connection."""

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP with a problem, as every other refusal."""
        self._refuse(400, "no-http", "send one request of HTTP/1.1: one Host, one length, no TLS on a plain port")

    def _refuse(self, status: int, code: str, hint: str) -> None:
        body = problem(status, code, hint)
        headers = [("content-type", PROBLEM), ("content-length", str(len(body))), ("connection", "close")]
        events = (h11.Response(status_code=status, headers=headers, reason=b""), h11.Data(data=body), h11.EndOfMessage())
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


DATE_S = 1.0
"""Seconds between two looks at the clock for the Date of answers, which counts in seconds."""


def config(app: ASGIApp, tls: ssl.SSLContext | None, **more: Any) -> uvicorn.Config:
    """Return how each of our servers is run.

    tls: it speaks TLS with this context; None: plain HTTP.
    more: uvicorn's own settings.
    """
    constants.SSL_HANDSHAKE_TIMEOUT = HANDSHAKE_S  # for the whole process: uvicorn passes none on
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        ssl_context_factory=(lambda _, __: tls) if tls is not None else None,
        **more,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which wakes once a second and at its end, not ten times a second: thirteen of them wait beside one another."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._end = asyncio.Event()
        super().__init__(config)

    @property
    def should_exit(self) -> bool:
        """Return whether it is asked to end. Setting it asks."""
        return self._end.is_set()

    @should_exit.setter
    def should_exit(self, asked: bool) -> None:
        self._end.set() if asked else self._end.clear()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals: whoever runs the server handles them."""
        yield

    async def main_loop(self) -> None:
        """Keep the Date of answers, until it is asked to end."""
        while not await self.on_tick(0):
            await pause(self._end, DATE_S)
