"""Real calls about cases with markers: no byte of SIP or sound says anything about a case, and the sound is the prompt alone.

Every officer is called by baresip through a trunk that keeps each packet. `make faults` makes 300 calls.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from referral.channels import Outgoing, prompts
from referral.channels.lane import Lane
from referral.channels.prompts import Part
from referral.channels.voice import Trunk, Voice
from referral.domain.events import KnockAnswered
from services.notifier.metrics import Figures
from services.notifier.send import Sender
from tests.harness.line.notifier_stack import INBOX, MINUTE, Stack, of, sending
from tests.harness.marked import Case, cases, markers, tell
from tests.harness.switchboard import Switchboard
from tests.harness.waiting import until

FRAME = prompts.RATE // 50
"""Samples of one packet: 20 ms, one byte each."""
SPOKEN, NOTED = 20, 10
"""Packets of a prompt and of a confirmation of this test."""
LISTENS = 60
"""Packets of sound after which somebody presses 1: the silence before the prompt, the prompt, and some of the silence after it."""
SILENT = frozenset(b"\xd5\x55")
"""Zero in A-law."""
CALLEE = re.compile(rb"(?:INVITE|ACK|BYE|CANCEL) sip:[^ ]* SIP/2\.0|To: <sip:[^>]*>|From: <sip:[^>]*>;tag=switchboard")
"""Places of SIP that hold the callee's number: the last in what the callee says."""
LONG = (pytest.mark.long, pytest.mark.timeout(3600))


class Listening(Switchboard):
    """A trunk that keeps every packet, and presses 1 when it has heard enough.

    said: what came and went by SIP. sounds: packets of sound, and numbers: who was called; both by call, since a port serves several.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: list[bytes] = []
        self.sounds: dict[str, list[bytes]] = {}
        self.numbers: dict[str, str] = {}
        self._waiting: dict[str, tuple[dict[str, str], Any]] = {}
        self._ports: dict[int, str] = {}

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.said.append(data)
        if data.startswith(b"INVITE ") and (audio := re.search(rb"m=audio (\d+)", data)):
            call = re.search(rb"(?mi)^call-id: *(\S+)", data)
            assert call is not None
            self.numbers[call[1].decode()] = data.partition(b"sip:")[2].partition(b"@")[0].decode()
            self._ports[int(audio[1])] = call[1].decode()
        super().datagram_received(data, addr)

    def hear(self, packet: bytes, port: int) -> None:
        """Take one packet of sound."""
        call = self._ports.get(port, "")
        heard = self.sounds.setdefault(call, [])
        heard.append(packet)
        if len(heard) >= LISTENS and (pressed := self._waiting.pop(call, None)) is not None:
            super()._press(*pressed)

    def _press(self, ack: dict[str, str], addr: Any) -> None:
        self._waiting[ack["call-id"]] = (ack, addr)

    def _send(self, lines: list[str], body: str, addr: Any) -> None:
        self.said.append("\r\n".join([*lines, "", body]).encode())
        super()._send(lines, body, addr)


class Ear(asyncio.DatagramProtocol):
    """The port to which every call sends its sound."""

    def __init__(self, trunk: Listening) -> None:
        self._trunk = trunk

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._trunk.hear(data, addr[1])


@asynccontextmanager
async def listening() -> AsyncIterator[Listening]:
    made = Listening()
    ear, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Ear(made), local_addr=("127.0.0.1", 0))
    made.sound = ear.get_extra_info("sockname")[1]
    await made.listen()
    try:
        yield made
    finally:
        made.close()
        ear.close()


def noise(folder: Path) -> None:
    """Fill a folder with prompts that no two have in common: noise, in whole packets."""
    draw = numpy.random.default_rng(13)
    for language in prompts.SPEECHES:
        for part in Part:
            samples = draw.integers(-8000, 8000, FRAME * (NOTED if part is Part.NOTED else SPOKEN), dtype=numpy.int16)
            prompts.write(prompts.path(folder, language, part), samples.tobytes())


@pytest.mark.parametrize("count", [4, pytest.param(300, marks=LONG)])
async def test_a_call_says_its_prompt_and_nothing_else(
    count: int, notifier: Stack, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    noise(tmp_path)
    registry, made = CollectorRegistry(), [*cases(count, 13, await notifier.now(), "+383")]
    async with listening() as trunk:
        lane = Lane(partial(Voice, Trunk("127.0.0.1", trunk.port, tmp_path)), 4, 75.0)
        async with sending(Sender(notifier.engine, notifier.keys, {"voice": lane}, INBOX, Figures(registry))):
            await tell(notifier, made)
            await notifier.advance(2 * MINUTE)

            async def answered() -> bool:
                return len(of(await notifier.drain(), KnockAnswered)) >= count

            await until(answered, within=max(90, 10 * count), what="everybody has pressed 1", pause=0.2)
    said = b"\n".join(trunk.said)
    assert CALLEE.search(said)
    assert markers(CALLEE.sub(b"", said)) == [], "SIP"
    heard = {trunk.numbers[call]: packets for call, packets in trunk.sounds.items()}
    assert {case.officer.voice for case in made} <= {*heard}, "everybody's call was heard"
    for case in made:
        assert case.officer.voice is not None
        packets = heard[case.officer.voice]
        assert markers(b"".join(packets)) == [], "RTP"
        is_the_prompt(case, packets, tmp_path)
    written = capfd.readouterr()
    logs = "".join(record.getMessage() + repr(record.__dict__) for record in caplog.records)
    assert markers((logs + written.out + written.err).encode()) == [], "logs"
    assert markers(generate_latest(registry) + generate_latest(REGISTRY)) == [], "metrics"
    assert markers(msgspec.json.encode(notifier.said)) == [], "events"
    with capfd.disabled():
        sip, rtp = len(said), sum(len(p) for packets in heard.values() for p in packets)
        print(f"\n{count} calls: {sip:,} bytes of SIP, {rtp:,} bytes of sound")


def is_the_prompt(case: Case, packets: list[bytes], folder: Path) -> None:
    """What is not silent is the prompt of this language and drill from its begin, then the confirmation from its begin; nothing else."""
    payloads = [packet[12:] for packet in packets if packet[1] & 0x7F == 8]  # PCMA (RFC 3551 §6)
    assert len(payloads) == len(packets), "there is sound only"
    spoken = [payload for payload in payloads if not SILENT.issuperset(payload)]
    out = Outgoing("", "", "", case.language, case.drill, "", urgent=True)
    asks = frames(prompts.tape(prompts.recorded(folder, out, prompts.parts(out))))
    noted = frames(prompts.recorded(folder, out, prompts.confirmation(out)))
    asked = next((n for n, (one, other) in enumerate(zip(spoken, asks, strict=False)) if not same(one, other)), min(len(spoken), len(asks)))
    assert asked >= SPOKEN, "the prompt was heard whole"
    rest = spoken[asked:]
    assert len(rest) <= len(noted) and all(same(one, other) for one, other in zip(rest, noted, strict=False)), "something else was heard"


def frames(samples: bytes) -> list[numpy.ndarray[Any, Any]]:
    """Return the packets' worths of samples that are not silent."""
    every = numpy.frombuffer(samples, "<i2").astype(int)
    whole = every[: len(every) // FRAME * FRAME].reshape(-1, FRAME)
    return [frame for frame in whole if frame.any()]


def same(payload: bytes, samples: numpy.ndarray[Any, Any]) -> bool:
    """Return whether a payload is these samples in A-law: each differs by less than a step of that code (ITU-T G.711 table 1a)."""
    codes = numpy.frombuffer(payload, numpy.uint8).astype(int) ^ 0x55
    segment, low = codes >> 4 & 7, (codes & 15) << 4
    size = numpy.where(segment == 0, low + 8, low + 0x108 << numpy.maximum(segment - 1, 0))
    value = numpy.where(codes & 0x80, size, -size)
    return len(value) == len(samples) and bool((abs(value - samples) <= numpy.maximum(16, abs(samples) // 16)).all())
