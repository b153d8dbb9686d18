"""Measure telephone calls: from the order to ringing, and many at once: time, processor, and lateness of the sound.

The trunk is SIPp; whoever is called listens for eight seconds and presses 1. `python -m bench.voice` prints the figures alone.
"""

from __future__ import annotations

import asyncio
import math
import random
import resource
import socket
import struct
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from bench.rows import Row, at_most, percentile
from referral.channels import Handed, Outgoing, Word, prompts
from referral.channels.voice import SECONDS, Trunk, Voice
from tests.harness.switchboard import Switchboard
from tests.harness.trunks import BYE, INVITE, REPEATS, gets, info, says, scenario, sipp

AT_ONCE, ONE_BY_ONE = 60, 40
LISTENS_MS = 8_000
"""Time from the answer to the key: the prompt, once."""
SO_TIMESTAMPNS = 35
"""Of Linux (asm-generic/socket.h); Python has no name for it."""
RINGS_S, SHARE, LATE_MS = 1.5, 40.0, 40.0
"""Promises: from the order to ringing; percent of a core for all calls at once; lateness of a packet of sound, which a telephone hides."""
OUT = Outgoing("+38344000111", "3f0a91bc-0000-4000-8000-000000000000", "4711", "sq", False, "https://inbox.example/")


class Ringing(Switchboard):
    """A trunk that notes when calls arrive. at: of the last one, s."""

    at = 0.0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data.startswith(b"INVITE"):
            self.at = time.perf_counter()
        super().datagram_received(data, addr)


class Ear(threading.Thread):
    """Listener on every call, by the kernel's own time of each packet: this program may be busy.

    late: by call, how much later its latest packet came than its most punctual one, s.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.packets = 0
        self._delays: dict[int, tuple[int, float, float]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.2)
        self.port = self._socket.getsockname()[1]
        self.ends = threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            with suppress(TimeoutError):
                data, [(_, _, clock)], _, _ = self._socket.recvmsg(2048, 64)
                seconds, nanoseconds = struct.unpack("qq", clock[:16])
                stamp, call = struct.unpack("!II", data[4:12])  # of RFC 3550 §5.1
                self._hear(stamp, call, seconds + nanoseconds / 1e9)
        self._socket.close()

    def _hear(self, stamp: int, call: int, now: float) -> None:
        first, least, most = self._delays.get(call, (stamp, math.inf, -math.inf))
        heard = (stamp - first) / prompts.RATE
        self.packets += 1
        if heard < LISTENS_MS / 1000:  # then the confirmation begins, after a pause
            self._delays[call] = (first, min(least, now - heard), max(most, now - heard))

    @property
    def late(self) -> list[float]:
        return [most - least for _, least, most in self._delays.values()]


def sounds(folder: Path) -> Path:
    """Fill a folder with noise: six seconds of each call, and a second of each confirmation."""
    noise = random.Random(1)
    for language in prompts.SPEECHES:
        for part in prompts.Part:
            length = prompts.RATE * (4 if part is prompts.Part.KEYS else 1)
            prompts.write(prompts.path(folder, language, part), noise.randbytes(2 * length))
    return folder


async def figures() -> AsyncIterator[Row]:
    """Measure calls one by one, then many at once."""
    with tempfile.TemporaryDirectory(prefix="voice-") as name:
        folder = sounds(Path(name))
        waited = await _one_by_one(folder)
        yield Row(name="a call, from the order to ringing, p50", value=percentile(waited, 0.5), unit="s")
        yield at_most("a call, from the order to ringing, p99", percentile(waited, 0.99), "s", RINGS_S)
        async for row in _at_once(folder):
            yield row


async def _one_by_one(folder: Path) -> list[float]:
    trunk = Ringing()
    await trunk.listen()
    waited = []
    try:
        for _ in range(ONE_BY_ONE):
            began = time.perf_counter()
            call = asyncio.create_task(Voice(Trunk("127.0.0.1", trunk.port, folder)).send(OUT))
            assert await call == Handed(Word.LOOKS)
            waited.append(trunk.at - began)
    finally:
        trunk.close()
    return waited


async def _at_once(folder: Path) -> AsyncIterator[Row]:
    ear = Ear()
    ear.start()
    sdp = f"v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {ear.port} RTP/AVP 8\na=rtpmap:8 PCMA/8000\n"
    body = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}"
    steps = scenario(
        INVITE,
        says("180 Ringing"),
        says("200 OK", body=body, options=REPEATS),
        gets("ACK"),
        f'<pause milliseconds="{LISTENS_MS}"/>',
        info("1"),
        *BYE,
    )
    (folder / "trunk").mkdir()
    async with sipp(folder / "trunk", steps, AT_ONCE) as trunk:
        before, began = _used(), time.perf_counter()
        calls = (asyncio.wait_for(Voice(Trunk("127.0.0.1", trunk.port, folder)).send(OUT), SECONDS) for _ in range(AT_ONCE))
        ends = await asyncio.gather(*calls, return_exceptions=True)
        seconds, used = time.perf_counter() - began, _used() - before
    ear.ends.set()
    ear.join()
    answered = sum(end == Handed(Word.LOOKS) for end in ends)
    yield Row(name=f"{AT_ONCE} calls at once: answered by key 1", value=answered, unit="calls", reached=answered == AT_ONCE)
    yield Row(name=f"{AT_ONCE} calls at once: time, of which {LISTENS_MS / 1000:g} s listening", value=seconds, unit="s")
    yield at_most(f"{AT_ONCE} calls at once: processor, of one core", 100 * used / seconds, "%", SHARE)
    yield Row(name=f"{AT_ONCE} calls at once: packets of sound", value=ear.packets, unit="packets")
    yield Row(name="  lateness of a call's latest packet, median", value=1000 * percentile(ear.late, 0.5), unit="ms")
    yield at_most("  lateness of the latest packet of all", 1000 * max(ear.late), "ms", LATE_MS)


def _used() -> float:
    """Return the processor time of the programs that have ended, s: those of the calls, since the trunk still runs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _print() -> None:
    async for row in figures():
        print(f"{row.name}: {row.value:.3f} {row.unit}", flush=True)


if __name__ == "__main__":
    asyncio.run(_print())
