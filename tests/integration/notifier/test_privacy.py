"""No byte that leaves says anything about a case: every captured byte of every channel, its logs, metrics and events, is searched.

Each case carries a marker in every field that can hold words; each officer's address and numbers are marked too. An address stands where
its protocol needs it, for a recipient or for the sender of what comes back, and nowhere else. `make faults` does it for 10,000 cases.
Sound of real calls: integration/voice/test_privacy.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from referral.channels import Channel, Handed, Outgoing, prompts
from referral.channels.email import Email, Relay
from referral.channels.gateway import Gateway, receipts
from referral.channels.handset import Handset as HandsetChannel
from referral.channels.lane import Lane
from referral.channels.voice import Trunk
from referral.domain.events import KnockAnswered, KnockDelivered, KnockFailed, KnockSent
from referral.local import ports
from referral.local.handset.telephones import Handset
from referral.runtime import http_server
from referral.runtime.observe import Health
from services.notifier import door
from services.notifier.answers import Answers, code
from services.notifier.health import Watch
from services.notifier.metrics import Figures
from services.notifier.send import Sender
from services.notifier.told import WhoWasTold
from tests.harness import kannel, smtp
from tests.harness.line.notifier_stack import INBOX, MINUTE, Stack, of, sending
from tests.harness.marked import cases, markers, tell
from tests.harness.sinks import pressing
from tests.harness.tap import Tap, tap
from tests.harness.waiting import until
from tests.integration.channels.test_contract import SERVERS

pytestmark = pytest.mark.xdist_group("kannel")
PAGE = "https://notifier.example"
ROUND, REPLIES = 100, 5
"""Cases at a time, and of so many one is answered by SMS, before the telephone rings."""
RECIPIENTS: Mapping[str, str] = {
    "smtp": r"RCPT TO:<[^>]*>|To: [^\r\n]*\r\n|550 5\.1\.1 <[^>]*>",
    "http to kannel": r"[?&]to=[^& ]*",
    "smpp": r"[\x00-\x0f]{2}\+?\d{15}\x00",  # type and plan of a number, its digits, and their end (SMPP 3.4 §4.4.1)
    "http from kannel": r"[?&]from=[^& ]*",
    "handset": r'"to":"[^"]*"',
}
"""Places of each protocol that hold an address."""
LONG = (pytest.mark.long, pytest.mark.timeout(5400))


@dataclass
class Noted:
    """A channel that notes what it is given."""

    channel: Channel
    given: list[Outgoing]

    async def open(self) -> None:
        await self.channel.open()

    async def send(self, out: Outgoing) -> Handed:
        self.given.append(out)
        return await self.channel.send(out)

    async def close(self) -> None:
        await self.channel.close()


@dataclass
class Outside:
    """Everything outside of the notifier. wires: what it says to it and hears from it. reply: an officer answers an SMS."""

    channels: dict[str, Callable[[], Channel]]
    wires: dict[str, Tap]
    reply: Callable[[str, str], None]
    given: dict[str, list[Outgoing]] = field(default_factory=dict)

    def lanes(self, lines: int) -> dict[str, Lane]:
        self.given = {name: [] for name in self.channels}
        return {name: Lane(lambda n=name: Noted(self.channels[n](), self.given[n]), lines) for name in self.channels}  # type: ignore[misc]


@asynccontextmanager
async def outside(notifier: Stack, folder: Path) -> AsyncIterator[Outside]:
    """A mail server, Kannel before an SMSC, and the handset where everybody presses 1; a tap on every line."""
    kannel.needs("bearerbox", "smsbox", "node", "npm")
    secret = notifier.keys.callback("sms")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        mail = await enter(smtp.relay())
        mail.recipient = some_unknown
        smsc = await enter(kannel.node(kannel.library()))
        wires = {"smtp": await enter(tap(mail.port)), "smpp": await enter(tap(smsc.port))}
        wires["handset"] = await enter(tap(await enter(pressing(Handset()))))
        wires["http from kannel"] = back = await enter(tap(await enter(answers(notifier, secret))))
        base = f"http://127.0.0.1:{back.port}"
        gateway = await enter(kannel.kannel(folder, wires["smpp"].port, f"{base}/sms/{secret}/reply"))
        wires["http to kannel"] = await enter(tap(gateway.port))
        gateway.port = wires["http to kannel"].port
        provider = gateway.provider(receipts(base, secret))
        yield Outside(
            {
                "email": lambda: Email(Relay("127.0.0.1", wires["smtp"].port, "inbox@referral.example")),
                "sms": lambda: Gateway(provider),
                "voice": lambda: HandsetChannel(f"http://127.0.0.1:{wires['handset'].port}"),
            },
            wires,
            lambda number, words: smsc.tell(reply={"from": number.lstrip("+"), "to": "1234", "text": words}),
        )


async def some_unknown(server: smtp.SMTP, address: str) -> str:
    """Refuse one mailbox in ten, and quote it."""
    return await (smtp.unknown if re.search(r"3@", address) else smtp.accept)(server, address)


@asynccontextmanager
async def answers(notifier: Stack, secret: str) -> AsyncIterator[int]:
    """The notifier's door on a port of this machine."""
    port = ports.free(1)[0]
    taking = Answers(notifier.engine, notifier.keys, Figures(CollectorRegistry()))
    application = door.made(taking, WhoWasTold(notifier.engine, notifier.keys), secret).application()
    bound, server = http_server.listen("127.0.0.1", port), http_server.server(Health(), application)
    bound.listen()
    running = asyncio.create_task(http_server.serve(server, bound))
    try:
        yield port
    finally:
        server.should_exit = True
        await running


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=LONG)])
async def test_no_byte_of_any_channel_says_anything_about_a_case(
    count: int, notifier: Stack, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    registry = CollectorRegistry()
    figures = Figures(registry)
    async with (
        outside(notifier, tmp_path / "kannel") as out,
        sending(Sender(notifier.engine, notifier.keys, out.lanes(8), INBOX, figures, PAGE)),
    ):
        numbers: dict[str, str | None] = {}
        replies = 0
        for n in range(0, count, ROUND):  # a round is made when it is told, and answered before its telephones ring
            made = [*cases(ROUND, 13 + n, await notifier.now(), first=n)]
            numbers |= {case.officer.account: case.officer.sms for case in made}
            await tell(notifier, made)
            await over(notifier, "email", "sms")
            await until(lambda: none(notifier, LOST), within=600, what="every SMS has its receipt", pause=0.2)
            silent = await notifier.rows(SILENT, most=ROUND // REPLIES)
            for sms in silent:
                out.reply(numbers[sms.person] or "", f"1 {code(notifier.keys, sms.reference)}")
            replies += len(silent)
            await until(lambda due=replies: replied(notifier, due), what=f"{replies} replies have counted", pause=0.2)
        await notifier.advance(2 * MINUTE)
        await over(notifier, "voice")
        await Watch(notifier.engine, figures).look()
    events = await notifier.drain()
    assert len(of(events, KnockDelivered)) >= count * 9 // 10, "an SMS each, but to those who press a key before it leaves"
    assert of(events, KnockFailed) != [], "mailboxes refuse"
    assert {event.channel for event in of(events, KnockAnswered)} == {"sms", "voice"}, "keys were pressed too"

    searched = {name: b"\n".join(wire.heard) for name, wire in out.wires.items()}
    for name, heard in searched.items():
        assert re.search(RECIPIENTS[name].encode(), heard), f"nothing was captured of {name}"
        assert markers(re.sub(RECIPIENTS[name].encode(), b"", heard)) == [], name
    logs = "".join(record.getMessage() + repr(record.__dict__) for record in caplog.records if record.name not in SERVERS)
    written = capfd.readouterr()
    with capfd.disabled():
        print(f"\n{count} cases, {len(of(events, KnockSent))} messages: {counts(out)}")
    assert markers((logs + written.out + written.err).encode()) == [], "logs"
    assert markers(generate_latest(registry) + generate_latest(REGISTRY)) == [], "metrics"
    assert markers(msgspec.json.encode(events)) == [], "events"
    calls(out.given["voice"], tmp_path)


def counts(out: Outside) -> str:
    return ", ".join(f"{name} {sum(map(len, wire.heard)):,} bytes" for name, wire in sorted(out.wires.items()))


def calls(given: Sequence[Outgoing], folder: Path) -> None:
    """The same for real calls, at the point where they are made: a message holds a marker in its address alone, and of a message a call
    takes its language, drill, urgency, how many wait, and its address (voice.Voice), for a prompt and for the number that is dialled."""
    assert given
    trunk = Trunk("trunk.example", 5060, folder)
    for out in given:
        assert markers(repr(asdict(out) | {"address": ""}).encode()) == []
        parts = [part for part in (*prompts.parts(out), *prompts.confirmation(out)) if part not in prompts.NUMBERS]
        assert set(parts) <= {*prompts.Part} - {prompts.Part.WATCHMAN} and (prompts.Part.EXERCISE in parts) == out.drill
        assert trunk.uri(out.address) == f"sip:{out.address}@trunk.example:5060"
    assert markers(trunk.account().encode()) == []


DUE = (
    "SELECT 1 AS one FROM notifier.delivery d JOIN notifier.asked a ON a.id = d.asked WHERE d.state = 'WAITING' AND a.state = 'OPEN'"
    " AND d.channel = ANY(:channels) LIMIT 1"
)
LOST = "SELECT 1 AS one FROM notifier.delivery WHERE channel = 'sms' AND state <> 'DROPPED' AND delivered_at IS NULL LIMIT 1"
SILENT = (  # whose mailbox refuses is called at once, and may press a key before the SMS leaves
    "SELECT d.person, d.reference FROM notifier.delivery d JOIN notifier.delivery m ON (m.asked, m.person) = (d.asked, d.person)"
    " JOIN notifier.asked a ON a.id = d.asked WHERE d.channel = 'sms' AND d.state = 'SENT' AND m.channel = 'email' AND m.state = 'SENT'"
    " AND a.state = 'OPEN' ORDER BY d.id DESC LIMIT :most"
)


async def over(notifier: Stack, *channels: str) -> None:
    """Return when no message of these channels waits any more."""

    async def look() -> bool:
        await notifier.drain()
        return not await notifier.rows(DUE, channels=[*channels])

    await until(look, within=200, what=f"{', '.join(channels)} are over", pause=0.5)


async def none(notifier: Stack, sql: str) -> bool:
    return not await notifier.rows(sql)


async def replied(notifier: Stack, count: int) -> bool:
    return sum(event.channel == "sms" for event in of(await notifier.drain(), KnockAnswered)) >= count
