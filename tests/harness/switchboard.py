"""A SIP trunk of a few lines that does what a test tells it: answer and press 1, refuse, ring for ever. SIPp and Kamailio are in trunks.py.

It speaks as much of RFC 3261 as one call over UDP on loopback needs, and sends no sound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

Mode = Literal["presses", "refuses", "rings", "answers"]
QUOTES = "the server quotes"


class Switchboard(asyncio.DatagramProtocol):
    """calls: by Call-ID, the state of each that has not ended. pressed: calls in which key 1 was pressed.

    presses: called with the number of whoever has just pressed it. sound: port to which callers send sound; 9 discards it.
    """

    def __init__(self) -> None:
        self.mode: Mode = "presses"
        self.port = 0
        self.calls: dict[str, str] = {}
        self.pressed = 0
        self.presses: Callable[[str], None] = lambda number: None
        self.sound = 9
        self._invites: dict[str, dict[str, str]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def listens(self) -> bool:
        return self._transport is not None

    async def listen(self) -> None:
        """Listen, after `close` on the same port."""
        loop = asyncio.get_running_loop()
        made, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        self._transport = made
        self.port = made.get_extra_info("sockname")[1]

    def close(self) -> None:
        """Be away: packets to the port are refused by the system."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self.calls.clear()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        head, *lines = data.decode(errors="replace").partition("\r\n\r\n")[0].split("\r\n")
        method = head.split(" ")[0]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if method == "INVITE" and headers["call-id"] not in self.calls:
            self._invited(headers, addr)
        elif method == "ACK" and self.calls.get(headers["call-id"]) == "answered" and self.mode == "presses":
            self.calls[headers["call-id"]] = "pressed"
            self.pressed += 1
            self._press(headers, addr)
            self.presses(headers["to"].partition("sip:")[2].partition("@")[0])
        elif method == "BYE":
            self.calls.pop(headers["call-id"], None)
            self._say("200 OK", headers, addr)
        elif method == "CANCEL":
            self.calls.pop(headers["call-id"], None)
            self._say("200 OK", headers, addr)
            self._say("487 Request Terminated", self._invites[headers["call-id"]], addr)

    def _invited(self, headers: dict[str, str], addr: Any) -> None:
        call = headers["call-id"]
        self._invites[call] = headers
        if self.mode == "refuses":
            return self._say(f"404 {QUOTES} {headers['to']}", headers, addr)
        self.calls[call] = "rings"
        self._say("180 Ringing", headers, addr)
        if self.mode != "rings":
            self.calls[call] = "answered"
            sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            self._say("200 OK", headers, addr, f"{sdp}m=audio {self.sound} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")
        return None

    def _say(self, status: str, to: dict[str, str], addr: Any, sdp: str = "") -> None:
        """Answer a request."""
        callee = to["to"] if ";tag=" in to["to"] else f"{to['to']};tag=switchboard"
        lines = [f"SIP/2.0 {status}", f"Via: {to['via']}", f"From: {to['from']}", f"To: {callee}"]
        lines += [f"Call-ID: {to['call-id']}", f"CSeq: {to['cseq']}", f"Contact: <sip:trunk@127.0.0.1:{self.port}>"]
        self._send([*lines, *(["Content-Type: application/sdp"] if sdp else [])], sdp, addr)

    def _press(self, ack: dict[str, str], addr: Any) -> None:
        """Press 1, by SIP INFO as some gateways do."""
        lines = [f"INFO sip:inbox@{addr[0]}:{addr[1]} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{self.pressed}"]
        lines += [f"From: {ack['to']}", f"To: {ack['from']}", f"Call-ID: {ack['call-id']}", "CSeq: 7 INFO", "Max-Forwards: 70"]
        self._send([*lines, "Content-Type: application/dtmf-relay"], "Signal=1\r\nDuration=160\r\n", addr)

    def _send(self, lines: list[str], body: str, addr: Any) -> None:
        assert self._transport is not None
        self._transport.sendto("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode(), addr)


@asynccontextmanager
async def switchboard() -> AsyncIterator[Switchboard]:
    """A trunk on a free port of this machine."""
    made = Switchboard()
    await made.listen()
    try:
        yield made
    finally:
        made.close()
