"""Record what travels on the loopback interface, and ask each port of some processes which language it speaks."""

from __future__ import annotations

import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

EVERY_PROTOCOL, TCP, SYN = 3, 6, 2
WRAP = 1 << 32
"""TCP counts bytes in 32 bits."""
OUTGOING = 4
"""Linux's word for a frame that leaves; on this interface each frame is seen again as it arrives."""
BUFFER_FORCED, PACKET_LEVEL, STATISTICS = 33, 263, 6
ROOM = 64 << 20
"""Bytes that the kernel keeps for us (ours): a second of everything that a busy stack says."""
FRAME = 1 << 17
ETHERNET, IPV4, IPV6 = 14, b"\x08\x00", b"\x86\xdd"
LISTENS = "0A"
ANSWER_S = 5.0
"""Patience with a port that says nothing to words it does not know (ours); most close the connection at once."""
Flow = tuple[int, int]


class Stream:
    """What one side of a connection has sent: bytes in their order, each once, also where the network brought some twice or early."""

    def __init__(self, first: int) -> None:
        """first: number of the first byte, as TCP counts."""
        self.data, self._first, self._early = bytearray(), first, dict[int, bytes]()

    def add(self, number: int, data: bytes) -> None:
        """Add a segment."""
        self._early[(number - self._first) % WRAP] = data
        while found := [at for at in self._early if at <= len(self.data) or at > WRAP // 2]:
            for at in found:
                held = self._early.pop(at)
                known = len(self.data) - (at if at <= WRAP // 2 else at - WRAP)
                self.data += held[known:] if known < len(held) else b""


class Loopback:
    """A recording of TCP. lost: frames that came too fast; known after the end."""

    def __init__(self) -> None:
        """Begin to record. PermissionError: this process may not (it needs CAP_NET_RAW)."""
        self.lost = 0
        self._ports: frozenset[int] | None = None
        self._open: dict[Flow, Stream] = {}
        self._streams: list[tuple[Flow, Stream]] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, BUFFER_FORCED, ROOM)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        _, self.lost = struct.unpack("II", self._socket.getsockopt(PACKET_LEVEL, STATISTICS, 8))
        self._socket.close()

    def only(self, ports: Iterable[int]) -> None:
        """Keep what goes to or comes from these ports; what was recorded before is kept as it is."""
        self._ports = frozenset(ports)

    def of(self, ports: Iterable[int]) -> list[tuple[Flow, bytes]]:
        """Return each stream that went to or came from these ports, with its ports."""
        wanted = set(ports)
        return [(flow, bytes(stream.data)) for flow, stream in self._streams if wanted & set(flow)]

    def _record(self) -> None:
        while not self._ended.is_set():
            try:
                frame, (_, _, kind, *_) = self._socket.recvfrom(FRAME)
            except TimeoutError:
                continue
            if kind == OUTGOING or (found := _segment(frame)) is None:
                continue
            flow, number, begins, data = found
            if self._ports is not None and not self._ports & set(flow):
                continue
            if begins or flow not in self._open:
                self._open[flow] = Stream((number + begins) % WRAP)
                self._streams.append((flow, self._open[flow]))
            if data:
                self._open[flow].add(number, data)


def _segment(frame: bytes) -> tuple[Flow, int, bool, bytes] | None:
    """Return ports, number of the first byte, whether a connection begins, and content of a TCP segment; None: it is another packet."""
    kind = frame[ETHERNET - 2 : ETHERNET]
    if kind == IPV4 and frame[ETHERNET + 9] == TCP:
        start = ETHERNET + (frame[ETHERNET] & 15) * 4
    elif kind == IPV6 and frame[ETHERNET + 6] == TCP:
        start = ETHERNET + 40
    else:
        return None
    source, target, number = struct.unpack_from("!HHI", frame, start)
    return (source, target), number, bool(frame[start + 13] & SYN), frame[start + (frame[start + 12] >> 4) * 4 :]


def listening(pids: Iterable[int]) -> dict[int, int]:
    """Return port → pid of every TCP port on which these processes listen."""
    ports = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENS:
                ports[f"socket:[{words[9]}]"] = int(words[1].rpartition(":")[2], 16)
    found = {}
    for pid in pids:
        with suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    if (port := ports.get(os.readlink(link))) is not None:
                        found[port] = pid
    return found


def holding(file: Path) -> list[int]:
    """Return the processes that hold a file open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(os.readlink(link) == str(file) for link in (process / "fd").iterdir()):
                found.append(int(process.name))
    return found


def speaks_tls(port: int) -> str:
    """Return the version of TLS that a port speaks with us; empty: none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), ANSWER_S) as line, context.wrap_socket(line) as secure:
            return str(secure.version())
    except OSError:
        return ""


def says_plainly(port: int) -> bytes:
    """Return what a port answers to words in clear, a refusal whole; empty: nothing, or an alert of TLS."""
    answer = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), ANSWER_S) as line:
        line.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while not answer or answer.startswith(b"HTTP/1.1 400"):
            if not (more := line.recv(1024)):
                break
            answer += more
    return b"" if re.match(rb"\x15\x03", answer) else answer


def records(data: bytes) -> bytes:
    """Return the first bytes of a stream that are no record of TLS; empty: all of it is."""
    at = 0
    while at < len(data):
        if data[at] not in (20, 21, 22, 23) or data[at + 1 : at + 2] not in (b"\x03", b""):
            return data[at : at + 40]
        at += 5 + int.from_bytes(data[at + 3 : at + 5])
    return b""
