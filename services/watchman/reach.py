"""Find out whether the server of a channel answers, without calling anybody: a connection, or one OPTIONS of SIP where UDP has none."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

ANSWER_S = 5.0
"""Seconds (ours) for the answer. SIP over UDP repeats what is lost after 0.5, 1 and 2 s (RFC 3261 §17.1.2.2, timer E); so do we."""
REPEATS_S = (0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a channel's server. udp: it speaks SIP by UDP."""

    host: str
    port: int
    udp: bool = False


def trunk(text: str) -> Server:
    """Return the server of tcp:host:port, or of udp:host:port for SIP by UDP."""
    way, _, place = text.partition(":")
    host, _, port = place.rpartition(":")
    return Server(host.strip("[]"), int(port), udp=way == "udp")


class _Answer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.came = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take any answer to OPTIONS, also a refusal: somebody is there."""
        if data.startswith(b"SIP/2.0 "):
            self.came.set()


async def answers(server: Server, name: str) -> bool:
    """Return whether the server answers. name: random, of this question."""
    try:
        async with asyncio.timeout(ANSWER_S):
            if server.udp:
                return await _options(server, name)
            _, writer = await asyncio.open_connection(server.host, server.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def _options(server: Server, name: str) -> bool:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Answer, remote_addr=(server.host, server.port))
    try:
        host, port = transport.get_extra_info("sockname")[:2]
        question = options(server, f"{host}:{port}", name)
        for pause in REPEATS_S:
            transport.sendto(question)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await protocol.came.wait()
                    return True
        return False
    finally:
        transport.close()


def options(server: Server, own: str, name: str) -> bytes:
    """Return an OPTIONS request (RFC 3261 §11). own: host:port of our socket."""
    uri = f"sip:{server.host}:{server.port}"
    lines = (
        f"OPTIONS {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{name};rport",
        "Max-Forwards: 70",
        f"From: <sip:watchman@{own}>;tag={name[:8]}",
        f"To: <{uri}>",
        f"Call-ID: {name}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:watchman@{own}>",
        "Accept: application/sdp",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()
