"""Servers that take a channel's messages, and tell a test of each at the moment between handing over and writing down."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from referral.channels import prompts
from referral.channels.baresip import absent
from referral.channels.gateway import receipts
from referral.local.handset.telephones import Handset, Problem
from services.notifier import door
from services.notifier.answers import Answers
from services.notifier.metrics import Figures
from services.notifier.told import WhoWasTold
from tests.harness import kannel, smtp
from tests.harness.line.notifier_stack import Stack
from tests.harness.served import served
from tests.harness.switchboard import switchboard
from tests.harness.tap import tap
from tests.harness.waiting import until


@dataclass
class Sink:
    """A server that takes the messages.

    channel: as the notifier names it. number: address of the nth person. names: a message names its reference.
    where: settings of the channel, for the sender. taken: (address, reference) of each message. strike: called when one was taken.
    quiet: nothing is on its way to it. reply: makes somebody answer twice; None where a call has its answer already. arrives: the
    operator's receipts come in.
    """

    channel: str
    number: Callable[[int], str]
    names: bool = True
    where: dict[str, Any] = field(default_factory=dict)
    taken: list[tuple[str, str]] = field(default_factory=list)
    strike: Callable[[], None] = lambda: None
    quiet: Callable[[], bool] = lambda: True
    reply: Callable[[str, str], None] | None = None
    arrives: Callable[[], Awaitable[None]] | None = None

    def take(self, address: str, reference: str = "") -> None:
        self.taken.append((address, reference))
        self.strike()


def _mobile(n: int) -> str:
    return f"+3834400{n:04}"


@asynccontextmanager
async def email(notifier: Stack) -> AsyncIterator[Sink]:
    """A mail server that has the whole text and has not said so."""
    async with smtp.relay() as relay:
        sink = Sink("email", "marker.{}@police.example".format, where={"port": relay.port})

        async def take(server: Any, address: str) -> str:
            found = re.search(rb"Message-ID: <([0-9a-f-]+)@", server.envelope.content)
            sink.take(address, found[1].decode() if found else "")
            return "250 OK"

        relay.data = take
        yield sink


@asynccontextmanager
async def handset(notifier: Stack) -> AsyncIterator[Sink]:
    """The handset, where everybody presses 1 as soon as it rings; the sender has not heard it."""
    telephone = Handset()
    sink = Sink("voice", "+999380000{}".format, names=False)

    def pressed(asked: bytes, answer: bytes) -> None:
        if answer.startswith(b"HTTP/1.1 200"):
            sink.take(msgspec.json.decode(asked.partition(b"\r\n\r\n")[2])["to"])

    async with pressing(telephone) as port, tap(port, pressed) as made:
        sink.where, sink.quiet = {"port": made.port}, lambda: made.owed == 0
        yield sink


@asynccontextmanager
async def pressing(telephone: Handset) -> AsyncIterator[int]:
    """Run a handset where everybody presses 1 as soon as it rings; its port."""

    async def press() -> None:
        while True:
            await telephone.wait(lambda: bool(telephone.ringing))
            for call in telephone.ringing:
                with suppress(Problem):  # its caller was killed
                    await telephone.press("1", call.number)

    port = int((await telephone.start()).rpartition(":")[2])
    person = asyncio.create_task(press())
    try:
        yield port
    finally:
        person.cancel()
        await telephone.stop()


@asynccontextmanager
async def sms(notifier: Stack) -> AsyncIterator[Sink]:
    """Kannel before an SMSC of npm's `smpp`: Kannel has said 202, and the sender has not heard it. Our door takes what comes back."""
    kannel.needs("bearerbox", "smsbox", "node", "npm")
    library, sink = kannel.library(), Sink("sms", _mobile)
    sent: Counter[tuple[str, str]] = Counter()

    def accepted(asked: bytes, answer: bytes) -> None:
        if answer.startswith(b"HTTP/1.1 202"):
            told = parse_qs(urlsplit(asked.split(b" ")[1].decode()).query)
            sent[told["to"][0], told["text"][0]] += 1
            sink.take(told["to"][0], told["dlr-url"][0].rpartition("/")[2].partition("?")[0])

    secret = notifier.keys.callback("sms")
    answers = Answers(notifier.engine, notifier.keys, Figures(CollectorRegistry()))
    application = door.made(answers, WhoWasTold(notifier.engine, notifier.keys), secret).application()
    with tempfile.TemporaryDirectory(prefix="kannel-") as folder:
        async with served(application) as port, kannel.node(library) as smsc:
            base = f"http://127.0.0.1:{port}"
            async with kannel.kannel(Path(folder), smsc.port, f"{base}/sms/{secret}/reply") as gateway, tap(gateway.port, accepted) as made:
                smsc.tell(mode={"status": 0, "receipt": None})
                sink.where = {"port": made.port, "receipts": receipts(base, secret), "password": kannel.PASSWORD}

                def reply(number: str, words: str) -> None:
                    for _ in range(2):
                        smsc.tell(reply={"from": number.lstrip("+"), "to": "1234", "text": words})

                async def arrives() -> None:
                    """Everything that Kannel took is at the operator, once; then the receipts come."""
                    await until(lambda: len(smsc.taken()) >= len(sink.taken), what="the operator has what Kannel took")
                    reached = Counter((f"+{t['to'].lstrip('+')}", t["text"]) for t in smsc.taken())
                    assert reached == sent, f"Kannel lost {sent - reached}, repeated {reached - sent}"
                    for t in smsc.taken():
                        smsc.tell(receipt={"id": t["id"], "from": t["from"], "to": t["to"], "state": "DELIVRD"})

                sink.reply, sink.arrives, sink.quiet = reply, arrives, lambda: made.owed == 0
                yield sink


@asynccontextmanager
async def trunk(notifier: Stack) -> AsyncIterator[Sink]:
    """A SIP trunk where everybody answers and presses 1; baresip has not heard the key, nor has the sender."""
    if lacks := absent():
        pytest.skip(f"no {', '.join(lacks)} on this machine: apt-get install {' '.join(lacks)}")
    with tempfile.TemporaryDirectory(prefix="prompts-") as folder:
        silent(Path(folder))
        async with switchboard() as board:
            sink = Sink("voice", _mobile, names=False, where={"port": board.port, "prompts": folder})
            board.presses = sink.take
            yield sink


def silent(folder: Path) -> None:
    """Fill a folder with prompts of silence."""
    for language in prompts.SPEECHES:
        for part in prompts.Part:
            prompts.write(prompts.path(folder, language, part), prompts.silence(0.2))


SINKS = {"email": email, "handset": handset, "sms": sms, "trunk": trunk}
