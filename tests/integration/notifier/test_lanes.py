"""A channel that hangs costs one attempt, never a line, and never another channel's; a dead one is seen within a minute."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy.ext.asyncio import create_async_engine

from referral.channels import Handed, Outgoing, Unreached, lane, voice
from referral.channels.email import Email, Relay
from referral.channels.lane import Lane, Line
from referral.domain.events import KnockSent
from referral.roster import changes as roster
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from services.notifier import providers
from services.notifier.health import LATE_SECONDS, LOOK_SECONDS, Watch
from services.notifier.metrics import Figures
from services.notifier.providers import Providers
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, Stack, ended, of, opened, sending
from tests.harness.waiting import until
from tests.integration.notifier.test_fails import attempts

BRIEF = 0.2


class Hanging:
    """A channel that never comes back: from `open` or from `send`, and not even when it is cancelled."""

    def __init__(self, where: str) -> None:
        self._where = where

    async def open(self) -> None:
        await self._hang("open")

    async def send(self, out: Outgoing) -> Handed:
        await self._hang("send")
        return Handed()

    async def close(self) -> None:
        await self._hang("close")

    async def _hang(self, where: str) -> None:
        while where == self._where or where == "close":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if where == "close":
                    raise
                self._where = ""  # swallowed once: nobody may wait for it all the same
                await asyncio.sleep(5)


@pytest.mark.parametrize("where", ["open", "send"])
async def test_a_call_that_hangs_is_given_up_and_its_line_goes_on(where: str) -> None:
    made = []

    def make() -> Hanging:
        made.append(Hanging(where))
        return made[-1]

    line = Line(Lane(make, 1, BRIEF))
    for count in (1, 2):
        with pytest.raises(Unreached) as caught:
            await line.open()
            await line.send(Outgoing("marker.a@police.example", "", "", "sq", False, ""))
        assert (str(caught.value), len(made)) == ("no-answer", count + 1), "another channel takes its place"
    await line.close()


async def test_a_hanging_channel_costs_one_attempt_and_holds_back_no_other(notifier: Stack, relay: smtp.Relay) -> None:
    hangs, other = await notifier.person("hangs"), await notifier.person("other")
    await notifier.rows("UPDATE notifier.contact SET channel = 'phone', address = address WHERE account = :hangs", hangs=hangs)
    mail = Relay("127.0.0.1", relay.port, "inbox@referral.example")
    address = notifier.keys.box(CONTACT_BOX).seal(b"marker", contact_context(hangs, "phone"))
    await notifier.rows("UPDATE notifier.contact SET address = :address WHERE account = :hangs", hangs=hangs, address=address)
    lanes = {"phone": Lane(lambda: Hanging("send"), 1, BRIEF, stop=0.1), "email": Lane(lambda: Email(mail), 1)}
    async with sending(notifier.sender_of(lanes)):
        for _ in range(3):
            await notifier.tell(await notifier.case(), opened())
        await relay.got(3)

        async def put_off() -> bool:
            rows = await notifier.rows("SELECT reason FROM notifier.delivery WHERE channel = 'phone' AND attempt > 0")
            return [row.reason for row in rows] == ["no-answer"] * 3

        await until(put_off)
    assert {k.person for k in of(await notifier.drain(), KnockSent)} == {other}


def test_calls_may_end_by_their_own_limit_when_the_process_stops_and_messages_soon() -> None:
    made = dict.fromkeys(("voice-1", "voice-2"), lambda: Hanging("open"))
    nobody = Providers(create_async_engine("postgresql+asyncpg://"), "voice", [*made], lambda: 0.0)
    calls = providers.calls(made, nobody)
    assert calls.stop == calls.seconds == 2 * voice.SECONDS
    assert providers.lane(made, nobody, 15.0).stop == lane.STOP_SECONDS
    assert calls.lease > voice.SECONDS, "a telephone may ring so long when the machine that called it has vanished"
    assert providers.lane(made, nobody, 15.0).lease == lane.LEASE_SECONDS


async def test_a_channel_without_a_lane_fails_at_once(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    await notifier.rows("UPDATE notifier.contact SET channel = 'phone'")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await until(lambda: ended(notifier, 1))
    assert [row.reason for row in await notifier.rows("SELECT reason FROM notifier.delivery")] == ["no-channel"]


async def test_a_dead_relay_is_red_in_a_minute_and_stays_red_while_it_is_tried_again(notifier: Stack, relay: smtp.Relay) -> None:
    registry = CollectorRegistry()
    watch, relay.recipient = Watch(notifier.engine, Figures(registry)), smtp.later
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        passed = 0
        for count, gap in enumerate((5, 15), 1):
            await until(lambda count=count: attempts(notifier, count))  # type: ignore[misc]
            await watch.look()
            assert watch.not_ready() == {}
            await notifier.advance(gap * 1_000_000)
            passed += gap
        await until(lambda: attempts(notifier, 3))
        await notifier.advance((60 - int(LOOK_SECONDS) - passed) * 1_000_000)
        await watch.look()
        assert "knocks-late" in watch.not_ready(), "red at the look before the minute is over"
        await notifier.advance(int(LOOK_SECONDS) * 1_000_000)
        await watch.look()
    assert watch.not_ready()["knocks-late"].startswith("email: 1 messages wait, the oldest for ")
    metrics = generate_latest(registry).decode()
    assert 'referral_knocks_waiting{channel="email"} 1.0' in metrics
    (age,) = [line.split()[1] for line in metrics.splitlines() if line.startswith('referral_knocks_oldest_seconds{channel="email"}')]
    assert float(age) >= 59


class Rings:
    """A channel whose call goes on until its line is closed."""

    def __init__(self) -> None:
        self.rings = asyncio.Event()

    async def open(self) -> None:
        pass

    async def send(self, out: Outgoing) -> Handed:
        self.rings.set()
        await asyncio.Event().wait()
        return Handed()

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(("channel", "delay"), [("voice", 2 * MINUTE), ("email", 0)])
async def test_a_message_under_way_is_no_channel_that_is_away_and_one_that_hung_is(notifier: Stack, channel: str, delay: int) -> None:
    watch = Watch(notifier.engine, Figures(CollectorRegistry()))
    account = await notifier.person("a", email=False)
    async with notifier.admin.begin() as tx:
        address = {"voice": "+99944000001", "email": "a@police.example"}[channel]
        await roster.add_person(tx, notifier.keys, account=account, agency="police", rungs=["duty"], **{channel: address})
    call = Rings()
    async with sending(notifier.sender_of({channel: Lane(lambda: call, 1, seconds=600.0, stop=0.1)})):
        await notifier.tell(await notifier.case(), opened(due=await notifier.now() + 30 * MINUTE))
        await notifier.advance(delay)
        await until(call.rings.is_set)
        await notifier.advance((LATE_SECONDS + 1) * 1_000_000)
        await watch.look()
        assert "knocks-late" not in watch.not_ready()
    await notifier.rows("UPDATE notifier.delivery SET lease_until = NULL, attempt = 0")  # as if nobody had begun
    async with sending(notifier.sender_of({channel: Lane(Rings, 1, seconds=BRIEF, stop=0.1)})):
        await until(lambda: attempts(notifier, 1))
        await watch.look()
        assert "knocks-late" in watch.not_ready()
