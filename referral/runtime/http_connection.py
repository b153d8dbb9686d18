"""Harden uvicorn: a deadline for every request head, refusals that say why, and a server that rests.

uvicorn waits for a head for ever, so idle clients could use up all connections at no cost; `http_listener` counts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import sys
from asyncio import constants, sslproto
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from referral.runtime import peer
from referral.runtime.background import pause
from referral.runtime.http_listener import Listener, Place, Slot
from referral.runtime.http_listener import listen as listen
from referral.runtime.http_message import PROBLEM, document

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
INNER_KEEP_ALIVE_S = 5
"""The same at the inner address (ours): less than the 15 s between two readings of Prometheus. So each reading is a handshake, and a
certificate that has ended is seen at once, not when a connection happens to break."""
HANDSHAKE_S = 5.0
"""Seconds in which a TLS handshake must end (ours, as for a head: two round trips; asyncio's 60 let idle clients hold connections)."""


SHUTDOWN_S = 1.0
"""Seconds in which the other side must say goodbye by TLS (ours; asyncio's 30 let whoever was ended keep the connection for them)."""
TLS_BUFFER = 32 << 10
"""Bytes of a connection's buffer below TLS (ours: twice the largest record; asyncio's 256 KiB are all touched when a connection comes, and
stay until the collector comes by: of 5,000 silent ones a gigabyte)."""
MENDED = (3, 15)
"""The version of Python in which a failed handshake tells the other side why (python/cpython#98078)."""


class _Alerting(sslproto.SSLProtocol):
    """asyncio's TLS, which sends the alert of a handshake that failed: else a revoked certificate looks like a broken network."""

    def _on_handshake_complete(self, handshake_exc: Any) -> None:
        if handshake_exc is not None:
            self._process_outgoing()  # type: ignore[attr-defined]
        super()._on_handshake_complete(handshake_exc)


class Connection(H11Protocol):
    """uvicorn's connection with the limits above."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._slot = Slot("", "", 0.0, lambda: None)
        self._heard = False
        self._deadline: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Return whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        found = peer.of(transport)
        self.app_state = {**self.app_state, peer.STATE: found}
        listener = self.config.listener if isinstance(self.config, Config) else None
        slot = listener.slot(transport.get_extra_info("peername")) if listener is not None else None
        if listener is not None and slot is not None:
            self._slot, place = slot, Place(listener, slot)
            slot.abort = transport.abort
            self.app_state[peer.PLACE] = place
            if found.holder is not None:
                place.show(f"{found.holder.plane.value}/{found.holder.name}")
        self._slot.idle_since = self.loop.time()
        self._await_head()

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
        if self.idle and self.loop.time() - self._slot.idle_since > RESTED_S:
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
            self._slot.idle_since = math.inf
            self._stop()
            self._heard = False
        elif self._deadline is None and self.timeout_keep_alive_task is None:
            self._await_head()

    def on_response_complete(self) -> None:
        self._slot.idle_since = self.loop.time()
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

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a server may ignore an upgrade (RFC 9110 §7.8), and the Java client offers one with each connection."""

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP with a problem, as every other refusal."""
        self._refuse(400, "no-http", "send one request of HTTP/1.1: one Host, one length, no TLS on a plain port")

    def _refuse(self, status: int, code: str, hint: str) -> None:
        body = document(status, code, hint)
        headers = [("content-type", PROBLEM), ("content-length", str(len(body))), ("connection", "close")]
        events = (h11.Response(status_code=status, headers=headers, reason=b""), h11.Data(data=body), h11.EndOfMessage())
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


DATE_S = 1.0
"""Seconds between two looks at the clock for the Date of answers, which counts in seconds."""


class Config(uvicorn.Config):
    """uvicorn's settings of one server. listener: it counts the server's connections; None: nobody does."""

    listener: Listener | None = None


def config(app: ASGIApp, tls: ssl.SSLContext | None, keep_alive_s: int = KEEP_ALIVE_S, **more: Any) -> Config:
    """Return how each of our servers is run.

    tls: it speaks TLS with this context; None: plain HTTP.
    keep_alive_s: for how long an idle connection is kept.
    more: uvicorn's own settings.
    """
    # These hold for the whole process: uvicorn passes none on.
    constants.SSL_HANDSHAKE_TIMEOUT, constants.SSL_SHUTDOWN_TIMEOUT = HANDSHAKE_S, SHUTDOWN_S
    sslproto.SSLProtocol.max_size = TLS_BUFFER
    if sys.version_info < MENDED:
        sslproto.SSLProtocol = _Alerting  # type: ignore[misc]
    return Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=keep_alive_s,
        ssl_context_factory=(lambda _, __: tls) if tls is not None else None,
        **more,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which wakes once a second and at its end, not ten times a second: thirteen of them wait beside one another."""

    def __init__(self, config: Config) -> None:
        self._end = asyncio.Event()
        super().__init__(config)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on bound sockets until should_exit. Those that `listen` bound are counted, and refuse in words a request in clear."""
        for bound in sockets or []:
            if isinstance(bound, Listener) and isinstance(self.config, Config):
                self.config.listener = bound
                bound.speaks_tls = self.config.ssl_context_factory is not None
                bound.proxy = str(self.config.forwarded_allow_ips or "") if self.config.proxy_headers else ""
        await super().serve(sockets)

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
