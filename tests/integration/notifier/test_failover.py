"""Two gateways: the first dies under load, and the second takes over within seconds; what is known outlives a restart."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from referral.channels import Handed, Outgoing, Refused, Unreached, Unsure
from referral.channels.failover import Failover
from referral.channels.gateway import Gateway
from referral.domain.durations import SECOND_US
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from services.notifier.answers import Answers
from services.notifier.blame import OURS, UNSURE_SECONDS
from services.notifier.breaker import IN_A_ROW, MOST_FAILED, QUICK
from services.notifier.health import Watch
from services.notifier.metrics import Figures
from services.notifier.providers import Providers, lane, receipt, states
from tests.harness import gateway
from tests.harness.line.notifier_stack import Stack, opened, sending
from tests.harness.programs import environment
from tests.harness.waiting import until

NAMES = ("sms-1", "sms-2")
CONTACT = "INSERT INTO notifier.contact (account, channel, address) VALUES (:account, 'sms', :address)"
OUT = Outgoing("+38344000001", "3f0a91bc-0000-4000-8000-000000000000", "4711", "sq", False, "https://inbox.example/")
AWAY_SECONDS = 5.0
"""The brief: no knock later than this when a provider dies."""


@dataclass
class Two:
    """Two gateways and the breakers that decide between them."""

    notifier: Stack
    servers: tuple[gateway.Kept, gateway.Kept]

    def providers(self, chance: float = 0.0) -> Providers:
        return Providers(self.notifier.engine, "sms", NAMES, lambda: chance)

    def failover(self, breakers: Providers, seconds: float = 4.0) -> Failover:
        channels = {name: Gateway(server.provider(name=name)) for name, server in zip(NAMES, self.servers, strict=True)}
        return Failover(channels, breakers, OURS, seconds)

    async def send(self, line: Failover) -> Handed:
        await line.open()
        return await line.send(OUT)

    async def knock(self, breakers: Providers) -> None:
        """Knock one officer, and wait until the message was handed over."""
        notifier = self.notifier
        account = await notifier.person("officer", email=False)
        address = notifier.keys.box(CONTACT_BOX).seal(OUT.address.encode(), contact_context(account, "sms"))
        await notifier.rows(CONTACT, account=account, address=address)
        await notifier.tell(await notifier.case(), opened(due=await notifier.now() + 900 * SECOND_US))
        made = {name: partial(Gateway, server.provider(name=name)) for name, server in zip(NAMES, self.servers, strict=True)}
        async with sending(notifier.sender_of({"sms": lane(made, breakers, 4.0)})):
            await until(lambda: left(notifier, 1, unclear=False))

    def counts(self) -> tuple[int, int]:
        return len(self.servers[0].requests), len(self.servers[1].requests)

    async def passes(self, breakers: Providers) -> None:
        """End the time for which every breaker is open, and what this process has read."""
        await self.notifier.rows("UPDATE notifier.provider SET open_until = 1 WHERE open_until IS NOT NULL")
        breakers._known.clear()


@pytest.fixture
async def two(notifier: Stack) -> AsyncIterator[Two]:
    async with gateway.gateway() as first, gateway.gateway() as second:
        yield Two(notifier, (first, second))


async def test_the_first_is_used_while_it_works(two: Two) -> None:
    line = two.failover(two.providers())
    for _ in range(3):
        await two.send(line)
    assert two.counts() == (3, 0)


async def test_what_the_first_cannot_take_the_second_takes_at_once_and_soon_alone(two: Two) -> None:
    breakers = two.providers()
    line = two.failover(breakers)
    two.servers[0].answer = (503, b"")
    for _ in range(IN_A_ROW + 4):
        await two.send(line)
    assert two.counts() == (IN_A_ROW, IN_A_ROW + 4)
    async with two.notifier.engine.connect() as tx:
        assert await states(tx) == {("sms", "sms-1"): True, ("sms", "sms-2"): False}
    restarted = two.providers()
    await two.send(two.failover(restarted))
    assert two.counts() == (IN_A_ROW, IN_A_ROW + 5), "another process, or the next start, knows it"
    await two.passes(restarted)
    two.servers[0].answer = gateway.hang
    trying = asyncio.create_task(two.send(two.failover(restarted, 2.0)))
    await until(lambda: two.servers[0].held == 1)
    await asyncio.gather(*(two.send(two.failover(restarted)) for _ in range(6)))
    assert two.counts()[0] == IN_A_ROW + 1, "one message tries it"
    with pytest.raises(Unsure):
        await trying
    two.servers[0].answer = (202, b"")
    await two.passes(restarted)
    for _ in range(3):
        await two.send(two.failover(restarted))
    assert two.counts()[0] == IN_A_ROW + 4, "it is preferred again"


async def test_a_bad_number_is_the_persons_and_an_unclear_end_is_repeated_by_nobody(two: Two) -> None:
    line = two.failover(two.providers(), 0.3)
    two.servers[0].answer = (400, b"Garbage 'to' field, rejected.")
    for _ in range(5):
        with pytest.raises(Refused, match="wrong-number"):
            await two.send(line)
    two.servers[0].answer = gateway.hang
    with pytest.raises(Unsure, match="no-answer"):
        await two.send(line)
    assert two.counts() == (6, 0)


async def test_when_all_are_away_one_is_tried_all_the_same(two: Two) -> None:
    line = two.failover(two.providers())
    for server in two.servers:
        server.answer = (503, b"")
    for _ in range(8):
        with pytest.raises(Unreached, match="server-busy"):
            await two.send(line)
    before = sum(two.counts())
    for server in two.servers:
        server.answer = (202, b"")
    await two.send(line)
    assert sum(two.counts()) == before + 1


async def test_an_operator_sees_which_provider_is_away(two: Two) -> None:
    registry = CollectorRegistry()
    watch, line = Watch(two.notifier.engine, Figures(registry)), two.failover(two.providers())
    two.servers[0].answer = (503, b"")
    for _ in range(IN_A_ROW):
        await two.send(line)
    await watch.look()
    assert "channel-away" not in watch.not_ready(), "messages leave by the other one"
    gauge = 'referral_knocks_provider_open{channel="sms",provider="sms-%d"} %.1f'
    assert [gauge % one in generate_latest(registry).decode() for one in ((1, 1), (2, 0))] == [True, True]
    command = [sys.executable, "-m", "referral.cli", "channels"]
    told = environment(two.notifier.settings, kafka="x", public_url="https://notifier.example/")
    said = (await asyncio.to_thread(subprocess.run, command, env=told, capture_output=True, text=True, check=True)).stdout
    rows = [line.split() for line in said.splitlines() if line.split()[:1] == ["sms"]]
    assert [(row[1], row[2], "never" in row, row[-1]) for row in rows] == [("sms-1", "away", True, "0"), ("sms-2", "works", False, "0")]
    assert f"https://notifier.example/sms/{two.notifier.keys.callback('sms')}/reply?from=" in said
    two.servers[1].answer = (503, b"")
    for _ in range(IN_A_ROW):
        with pytest.raises(Unreached):
            await two.send(line)
    await watch.look()
    assert "`referral channels`" in watch.not_ready()["channel-away"]


async def test_one_that_delivers_late_is_tried_last_until_it_is_quick_again(two: Two) -> None:
    """The twentieth receipt is the one of a real message, and comes a minute after it was handed over."""
    notifier, breakers = two.notifier, two.providers()
    await two.knock(breakers)
    (row,) = await notifier.rows("SELECT reference, provider FROM notifier.delivery")
    assert row.provider == "sms-1"
    await notifier.rows("UPDATE notifier.provider SET took = array_fill(90.0, ARRAY[1]) || array_fill(1.0, ARRAY[18]) WHERE name = 'sms-1'")
    await notifier.advance(61 * SECOND_US)
    answers = Answers(notifier.engine, notifier.keys, Figures(CollectorRegistry()))
    await answers.receipt(row.reference, True)
    breakers._known.clear()
    for _ in range(4):
        await two.send(two.failover(breakers))
    assert two.counts() == (2, 3), "one message tries it, the others leave by the next one"
    two.servers[1].answer = (503, b"")
    await two.send(two.failover(breakers))
    assert two.counts() == (3, 4), "late is better than not at all"
    two.servers[1].answer = (202, b"")
    command = [sys.executable, "-m", "referral.cli", "channels"]
    told = environment(notifier.settings, kafka="x", public_url="https://notifier.example/")
    said = (await asyncio.to_thread(subprocess.run, command, env=told, capture_output=True, text=True, check=True)).stdout
    rows = [line.split() for line in said.splitlines() if line.split()[:1] == ["sms"]]
    assert [(row[2], row[-2]) for row in rows] == [("slow", "1"), ("works", "1")], "state, and messages of the channel today"
    await answers.receipt(row.reference, True)
    for _ in range(QUICK):
        async with notifier.engine.begin() as tx:
            await receipt(tx, "sms", "sms-1", 2.0)
    breakers._known.clear()
    await two.send(two.failover(breakers))
    assert two.counts() == (4, 4), "it is preferred again"


async def test_one_whose_network_refuses_what_it_took_is_left_for_the_next(two: Two) -> None:
    """Its credit was used up: it took each message and reported it as refused, and the other gateway was never used."""
    notifier, breakers = two.notifier, two.providers()
    await two.knock(breakers)
    (row,) = await notifier.rows("SELECT reference FROM notifier.delivery")
    before = [False, True] * (MOST_FAILED - 1)
    await notifier.rows("UPDATE notifier.provider SET recent = :recent WHERE name = 'sms-1'", recent=before)
    await Answers(notifier.engine, notifier.keys, Figures(CollectorRegistry())).receipt(row.reference, False, refused=True)
    breakers._known.clear()
    await two.send(two.failover(breakers))
    assert two.counts() == (1, 1)


async def test_without_the_database_messages_still_leave(two: Two) -> None:
    breakers = two.providers()
    line = two.failover(breakers)
    await two.notifier.rows("ALTER TABLE notifier.provider RENAME TO elsewhere")
    await two.send(line)
    two.servers[0].answer = (503, b"")
    await two.send(line)
    assert two.counts() == (2, 1)


async def test_the_first_gateway_is_killed_under_load(notifier: Stack) -> None:
    """120 officers; the first gateway dies after 30 messages while every line waits for its answer. Nobody is lost, nobody waits long."""
    people, kill_after, lines = 120, 30, 8
    async with gateway.gateway() as second, gateway.gateway() as first:
        breakers, box = Providers(notifier.engine, "sms", NAMES, lambda: 0.0), notifier.keys.box(CONTACT_BOX)
        for n in range(people):
            account = await notifier.person(f"p{n}", email=False)
            await notifier.rows(CONTACT, account=account, address=box.seal(f"+383440{n:05}".encode(), contact_context(account, "sms")))
        made = {name: partial(Gateway, server.provider(name=name)) for name, server in zip(NAMES, (first, second), strict=True)}
        async with sending(notifier.sender_of({"sms": lane(made, breakers, 4.0, lines)})):
            await notifier.tell(await notifier.case(), opened())
            await first.got(kill_after)
            first.answer = gateway.hang
            await until(lambda: first.held >= lines)
            first.die()
            killed_at = time.monotonic()
            await until(lambda: left(notifier, people))
            took = time.monotonic() - killed_at
            unclear = (await notifier.states()).count("WAITING")
            await notifier.advance(UNSURE_SECONDS * SECOND_US)
            await until(lambda: left(notifier, people, unclear=False))
    numbers = Counter(got.told["to"] for got in (*first.requests, *second.requests))
    doubled = [number for number, count in numbers.items() if count > 1]
    print(f"after the kill all but {unclear} left in {took:.2f} s; doubled {len(doubled)}")
    assert (len(numbers), max(numbers.values())) == (people, 2), "none is lost"
    assert took < AWAY_SECONDS
    assert len(doubled) <= unclear <= lines, "at most one double for each message in flight"


async def left(notifier: Stack, people: int, unclear: bool = True) -> bool:
    """Whether everybody's message has left. unclear: or may have left."""
    rows = await notifier.rows("SELECT state, reason FROM notifier.delivery")
    return len(rows) == people and all(row.state == "SENT" or (unclear and row.reason == "no-answer") for row in rows)
