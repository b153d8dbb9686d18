"""The canary: a number of ours is called every quarter of an hour by the way that everybody's call takes. On a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from referral.channels import Handed, Outgoing, Unreached, Word
from referral.channels.lane import Lane
from referral.errors import Rejected
from referral.runtime import settings
from services.notifier.canary import CASE, EVERY_SECONDS, Canary
from services.notifier.send import Sender
from services.watchman.look import Sources
from tests.harness.line.notifier_stack import Stack, ended, sending
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
NUMBER, OTHER = "+99944000009", "+99944000008"
QUARTER = EVERY_SECONDS * 1_000_000
SETTLED = (
    "SELECT 1 FROM notifier.delivery d JOIN notifier.asked a ON a.id = d.asked AND a.state = 'OPEN'"
    " WHERE d.attempt = 1 AND d.lease_until IS NULL AND coalesce(d.reason, '') = :reason"
)


class Robot:
    """A telephone that presses 1 as long as it is there."""

    def __init__(self) -> None:
        self.there, self.calls = True, list[Outgoing]()

    async def open(self) -> None:
        return

    async def send(self, out: Outgoing) -> Handed:
        self.calls.append(out)
        if not self.there:
            raise Unreached("rings-out")
        return Handed(Word.LOOKS)

    async def close(self) -> None:
        return


def sender(notifier: Stack, robot: Robot) -> Sender:
    return notifier.sender_of({"voice": Lane(lambda: robot, 2)})


@pytest.fixture
async def sources(notifier: Stack) -> AsyncIterator[Sources]:
    made = Sources(notifier.settings)
    yield made
    await made.close()


async def age(sources: Sources) -> float | None:
    found, _ = await sources.look()
    assert found is not None
    return found.canary


async def test_it_is_called_once_a_quarter_of_an_hour_and_no_event_says_so(notifier: Stack, sources: Sources) -> None:
    robot, two = Robot(), [Canary(notifier.engine, notifier.keys, NUMBER) for _ in range(2)]
    await notifier.advance(QUARTER - await notifier.now() % QUARTER)  # so that no quarter ends in the middle
    assert await age(sources) is None, "no number, no alarm"
    async with sending(sender(notifier, robot)):
        for count in range(1, 4):
            assert [await one.look() for one in two].count(True) == 1, "two instances plan one call"
            await until(lambda count=count: ended(notifier, count), what="answered")
            assert (await age(sources) or 0) < EVERY_SECONDS
            await notifier.advance(QUARTER)
    assert [out.address for out in robot.calls] == [NUMBER] * 3
    assert await notifier.states() == ["SENT"] * 3
    assert [row.state for row in await notifier.rows("SELECT state FROM notifier.asked ORDER BY id")] == ["CLOSED", "CLOSED", "OPEN"]
    assert await notifier.rows("SELECT 1 FROM notifier.queue") == []
    assert await notifier.drain() == []


async def test_a_robot_that_is_away_is_missed_and_found_again(notifier: Stack, sources: Sources) -> None:
    robot, canary = Robot(), Canary(notifier.engine, notifier.keys, NUMBER)
    for there in (True, False, False, True):
        assert await canary.look()
        robot.there, before = there, (await age(sources) or 0)
        async with sending(sender(notifier, robot)):
            await until(lambda there=there: notifier.rows(SETTLED, reason="" if there else "rings-out"), what="called")
        assert ((await age(sources) or 0) < before) is there or before < EVERY_SECONDS, "only a key ends the wait"
        missed = (await age(sources) or 0) >= 2 * EVERY_SECONDS
        await notifier.advance(QUARTER)
        assert there or missed is (len(robot.calls) == 3), "missing twice"
    assert await notifier.states() == ["SENT", "DROPPED", "DROPPED", "SENT"]
    assert await notifier.rows("SELECT 1 FROM notifier.queue") == [], "neither the calls in vain"


async def test_another_number_and_none(notifier: Stack, sources: Sources) -> None:
    robot = Robot()
    await Canary(notifier.engine, notifier.keys, NUMBER).look()
    assert not await Canary(notifier.engine, notifier.keys, OTHER).look(), "this quarter's call is planned"
    async with sending(sender(notifier, robot)):
        await until(lambda: ended(notifier, 1), what="called")
    assert [out.address for out in robot.calls] == [OTHER], "the number of now"
    rows = await notifier.rows("SELECT address, ended_at FROM notifier.contact ORDER BY id")
    assert rows[0].address is None and rows[0].ended_at and NUMBER.encode() not in rows[1].address and OTHER.encode() not in rows[1].address
    assert not await Canary(notifier.engine, notifier.keys, None).look()
    assert await age(sources) is None
    assert await notifier.rows("SELECT 1 FROM notifier.contact WHERE address IS NOT NULL") == []
    assert await notifier.rows("SELECT 1 FROM notifier.asked WHERE case_id = :case AND state <> 'CLOSED'", case=CASE) == []


async def test_its_call_is_seen_like_any_other_if_nobody_sends_it(notifier: Stack, sources: Sources) -> None:
    await Canary(notifier.engine, notifier.keys, NUMBER).look()
    await notifier.advance(61 * 1_000_000)
    found, _ = await sources.look()
    assert found is not None and found.unknocked == 1


def test_its_setting() -> None:
    assert settings.read({"REFERRAL_CANARY": ""}).canary == ""
    assert settings.read({"REFERRAL_CANARY": NUMBER}).canary == NUMBER
    with pytest.raises(Rejected, match="REFERRAL_CANARY") as told:
        settings.read({"REFERRAL_CANARY": "044 000 009"})
    assert "044" not in str(told.value)
