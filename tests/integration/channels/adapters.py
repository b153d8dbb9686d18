"""Describe, for each channel, the server that the contract suite runs it against, and how that server is made to behave."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from referral.channels import Channel, prompts
from referral.channels.baresip import absent
from referral.channels.email import Email, Relay
from referral.channels.failover import Failover
from referral.channels.gateway import Gateway, Provider
from referral.channels.handset import Handset as HandsetChannel
from referral.channels.voice import Patience, Trunk, Voice
from referral.local import ports
from referral.local.handset.telephones import Handset
from services.notifier.blame import OURS
from services.notifier.providers import Providers
from tests.harness import smtp
from tests.harness.page_blocks import blocks
from tests.harness.served import served
from tests.harness.switchboard import Switchboard, switchboard
from tests.harness.waiting import until
from tests.harness.wire import Wire
from tests.integration.channels.adapter import QUOTED, Adapter

DOCUMENT = Path(__file__).parents[3] / "docs" / "channels.md"


class MailAdapter(Adapter):
    """E-mail, and a real mail server."""

    address, marker = "marker.officer@police.example", "marker.officer"

    def __init__(self, server: smtp.Relay, wire: Wire) -> None:
        self._server, self._wire, self._waiting = server, wire, 0

    def channel(self) -> Channel:
        return Email(Relay("127.0.0.1", self._wire.port, "inbox@referral.example"))

    def taken(self) -> int:
        return len(self._server.letters)

    def under_way(self) -> int:
        return self._waiting

    async def accept(self) -> None:
        self._server.recipient = self._server.data = smtp.accept
        await self._wire.set("carries")

    async def refuse(self) -> None:
        self._server.recipient = smtp.unknown

    async def away(self) -> None:
        await self._wire.set("away")

    async def hang(self) -> None:
        self._server.data = self._wait

    async def die(self) -> None:
        self._server.data = self._take_and_die

    async def _wait(self, server: smtp.SMTP, address: str) -> str:
        self._waiting += 1
        try:
            return await smtp.hang(server, address)
        finally:
            self._waiting -= 1

    async def _take_and_die(self, server: smtp.SMTP, address: str) -> str:
        await smtp.hang_up(server, address)
        return "250 kept, and nobody hears it"


class HandsetAdapter(Adapter):
    """Calls to the handset of a local stack; somebody presses 1 at once."""

    address, marker = "+99944000123", "44000123"

    def __init__(self, handset: Handset, wire: Wire) -> None:
        self._handset, self._wire = handset, wire
        self._person: asyncio.Task[None] | None = None

    def channel(self) -> Channel:
        return HandsetChannel(f"http://127.0.0.1:{self._wire.port}")

    def taken(self) -> int:
        return sum(entry.end == "1" for entry in self._handset.entries)

    def under_way(self) -> int:
        return len(self._handset.ringing)

    async def accept(self) -> None:
        await self._wire.set("carries")
        self.address = HandsetAdapter.address
        if self._person is None:
            self._person = asyncio.create_task(self._press())

    async def refuse(self) -> None:
        self.address = "+38344000123"

    async def away(self) -> None:
        await self._wire.set("away")

    async def hang(self) -> None:
        await self.leave()

    async def die(self) -> None:
        await self._wire.set("dies")

    async def leave(self) -> None:
        """Nobody presses any key."""
        if self._person is not None:
            self._person.cancel()
            await asyncio.wait({self._person})
            self._person = None

    async def _press(self) -> None:
        while True:
            await self._handset.wait(lambda: bool(self._handset.ringing))
            await self._handset.press("1")


class GatewayAdapter(Adapter):
    """SMS, and the handset, which takes them as Kannel does. (Kannel itself: test_gateway.py.)"""

    address, marker = "+99944000123", "44000123"

    def __init__(self, handset: Handset, wire: Wire) -> None:
        self._handset, self._wire = handset, wire

    def channel(self) -> Channel:
        return Gateway(Provider("kannel", f"http://127.0.0.1:{self._wire.port}/cgi-bin/sendsms", "notifier", "made up"))

    def taken(self) -> int:
        return len(self._handset.entries)

    def under_way(self) -> int:
        return self._wire.swallowed

    async def accept(self) -> None:
        self.address = GatewayAdapter.address
        await self._wire.set("carries")

    async def refuse(self) -> None:
        self.address = "+38344000123"

    async def away(self) -> None:
        await self._wire.set("away")

    async def hang(self) -> None:
        await self._wire.set("swallows")

    async def die(self) -> None:
        await self._wire.set("dies")


class FailoverAdapter(GatewayAdapter):
    """SMS by two gateways. The first is never there: the second takes over each message, and behaves as a test says.

    The database that remembers which one works is not there either: the order holds."""

    def __init__(self, handset: Handset, wire: Wire) -> None:
        super().__init__(handset, wire)
        nowhere = f"127.0.0.1:{ports.free(1)[0]}"
        self._first = Provider("sms-1", f"http://{nowhere}/cgi-bin/sendsms", "notifier", "made up")
        engine = create_async_engine(f"postgresql+asyncpg://nobody@{nowhere}/nothing")
        self._breakers = Providers(engine, "sms", ("sms-1", "sms-2"), lambda: 0.0)

    def channel(self) -> Channel:
        return Failover({"sms-1": Gateway(self._first), "sms-2": super().channel()}, self._breakers, OURS, 30.0)


class VoiceAdapter(Adapter):
    """Telephone calls by baresip, and a trunk that answers and presses 1."""

    address, marker, limit = "+38344000123", "44000123", 12.0

    def __init__(self, trunk: Switchboard, prompts: Path) -> None:
        self._trunk, self._prompts = trunk, prompts
        self._killing: asyncio.Task[None] | None = None

    def channel(self) -> Channel:
        return Voice(Trunk("127.0.0.1", self._trunk.port, self._prompts), Patience(dialled=3.0))

    def taken(self) -> int:
        return self._trunk.pressed

    def under_way(self) -> int:
        return len(self._trunk.calls)

    async def accept(self) -> None:
        self._trunk.mode = "presses"
        if self._killing is not None:
            await self._killing
            self._killing = None
            self._trunk.calls.clear()
        if not self._trunk.listens:
            await self._trunk.listen()

    async def refuse(self) -> None:
        self._trunk.mode = "refuses"

    async def away(self) -> None:
        self._trunk.close()

    async def hang(self) -> None:
        self._trunk.mode = "rings"

    async def die(self) -> None:
        """The program that calls dies while somebody has the telephone at the ear."""
        self._trunk.mode = "answers"
        self._killing = asyncio.create_task(self._kill())

    async def _kill(self) -> None:
        await until(lambda: "answered" in self._trunk.calls.values(), what="the telephone is answered")
        for child in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for pid in map(int, child.read_text().split()):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "baresip":
                    os.kill(pid, signal.SIGKILL)


class WebhookAdapter(Adapter):
    """The channel of docs/channels.md, and a server of this test."""

    address, marker = "marker.officer/duty", "marker.officer"

    def __init__(self, make: Callable[[str], Channel], wire: Wire, answers: SimpleNamespace) -> None:
        self._make, self._wire, self._answers = make, wire, answers

    def channel(self) -> Channel:
        return self._make(f"http://127.0.0.1:{self._wire.port}/knocks")

    def taken(self) -> int:
        return int(self._answers.taken)

    def under_way(self) -> int:
        return int(self._answers.waiting)

    async def accept(self) -> None:
        self._answers.status = 200
        await self._wire.set("carries")

    async def refuse(self) -> None:
        self._answers.status = 404

    async def away(self) -> None:
        await self._wire.set("away")

    async def hang(self) -> None:
        self._answers.status = 0

    async def die(self) -> None:
        await self._wire.set("dies")


@asynccontextmanager
async def _mail() -> AsyncIterator[Adapter]:
    async with smtp.relay() as server, _wire(server.port) as wire:
        yield MailAdapter(server, wire)


@asynccontextmanager
async def _handset() -> AsyncIterator[Adapter]:
    async with _telephones() as (handset, wire):
        adapter = HandsetAdapter(handset, wire)
        await adapter.accept()
        yield adapter
        await adapter.leave()


@asynccontextmanager
async def _gateway(adapter: type[GatewayAdapter] = GatewayAdapter) -> AsyncIterator[Adapter]:
    async with _telephones() as (handset, wire):
        yield adapter(handset, wire)


@asynccontextmanager
async def _telephones() -> AsyncIterator[tuple[Handset, Wire]]:
    handset = Handset()
    async with _wire(int((await handset.start()).rpartition(":")[2])) as wire:
        yield handset, wire
    await handset.stop()


@asynccontextmanager
async def _voice() -> AsyncIterator[Adapter]:
    if lacks := absent():
        pytest.skip(f"no {', '.join(lacks)} on this machine: apt-get install {' '.join(lacks)}")
    with tempfile.TemporaryDirectory(prefix="prompts-") as folder:
        for language in prompts.SPEECHES:
            for part in prompts.Part:
                prompts.write(prompts.path(Path(folder), language, part), prompts.silence(0.2))
        async with switchboard() as trunk:
            yield VoiceAdapter(trunk, Path(folder))


@asynccontextmanager
async def _document() -> AsyncIterator[Adapter]:
    answers = SimpleNamespace(status=200, taken=0, waiting=0)

    async def take(request: Request) -> Response:
        said = await request.json()
        if not answers.status:
            answers.waiting += 1
            while (await request.receive())["type"] != "http.disconnect":
                pass
            answers.waiting -= 1
        answers.taken += answers.status == 200
        return PlainTextResponse(f"{QUOTED} {said['to']}", answers.status or 500)

    async with served(Starlette(routes=[Route("/knocks", take, methods=["POST"])])) as port, _wire(port) as wire:
        yield WebhookAdapter(document_channel(), wire, answers)


def document_channel() -> Callable[[str], Channel]:
    """Return the class that docs/channels.md holds."""
    names: dict[str, object] = {}
    exec(compile(document_source(), str(DOCUMENT), "exec"), names)
    made = names["Webhook"]
    assert isinstance(made, type)
    return made


def document_source() -> str:
    """Return the channel of docs/channels.md as it is written there."""
    [(_, source)] = blocks(DOCUMENT, "python channel")
    return source


@asynccontextmanager
async def _wire(port: int) -> AsyncIterator[Wire]:
    wire = Wire(port)
    await wire.set("carries")
    try:
        yield wire
    finally:
        await wire.close()


CHANNELS: dict[str, Callable[[], AbstractAsyncContextManager[Adapter]]] = {
    "email": _mail,
    "handset": _handset,
    "sms": _gateway,
    "failover": lambda: _gateway(FailoverAdapter),
    "voice": _voice,
    "document": _document,
}
"""Each channel's adapter, as a context. A new channel is one entry."""
