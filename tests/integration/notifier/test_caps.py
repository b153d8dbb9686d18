"""A cap of the day: above it only first knocks of what is urgent leave, nothing is dropped, and operator and desk are told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from referral.channels import Unreached
from referral.channels.lane import Lane
from referral.domain.events import RungFailed
from referral.errors import Rejected
from referral.roster import changes as roster
from referral.runtime import settings
from services.notifier import caps
from services.notifier.handle import AWAY
from services.notifier.health import Watch
from services.notifier.metrics import Figures
from services.notifier.send import Sender
from tests.harness.line.notifier_stack import INBOX, MINUTE, Stack, of, opened, sending
from tests.harness.waiting import until
from tests.integration.notifier.test_woken import Phone

pytestmark = pytest.mark.servers
NUMBERS = {"besa": "+99944000001", "agim": "+99944000002", "vera": "+99944000003"}
HOUR = 60 * MINUTE


def sender(notifier: Stack, phone: Phone, channel: str, most: Mapping[str, int]) -> Sender:
    figures = Figures(CollectorRegistry())
    return Sender(notifier.engine, notifier.keys, {channel: Lane(lambda: phone, 4)}, INBOX, figures, most=most)


async def asked(notifier: Stack, name: str, due: int, **addresses: str) -> str:
    """An offer to an agency of one person. Its case."""
    account = await notifier.person(name, agency=name, email=False)
    async with notifier.admin.begin() as tx:
        await roster.add_person(tx, notifier.keys, account=account, agency=name, rungs=["duty"], **addresses)
    case_id = await notifier.case()
    await notifier.tell(case_id, opened(agency=name, due=await notifier.now() + due))
    return case_id


async def test_above_it_first_knocks_of_what_is_urgent_leave_and_repeats_wait(notifier: Stack) -> None:
    phone = Phone()
    await notifier.advance(24 * HOUR - (await notifier.now() - await midnight(notifier)))  # so that no day ends in the middle
    async with sending(sender(notifier, phone, "sms", {"sms": 2})):
        first = await asked(notifier, "besa", 90 * MINUTE, sms=NUMBERS["besa"])
        await until(lambda: today(notifier, 1))
        await notifier.advance(30 * MINUTE)
        await notifier.due(first)
        await until(lambda: today(notifier, 2), what="its repeat is the last below the cap")
        await notifier.advance(30 * MINUTE)
        await notifier.due(first)
        await asked(notifier, "agim", 90 * MINUTE, sms=NUMBERS["agim"])
        await until(lambda: today(notifier, 3), what="an urgent first knock above it")
        await asked(notifier, "vera", 90 * MINUTE, sms=NUMBERS["vera"])
        await until(lambda: today(notifier, 4))
        assert [(r.again, r.state) for r in await notifier.rows(KNOCKS)] == [(0, "SENT"), (1, "SENT"), (2, "WAITING"), *[(0, "SENT")] * 2]
        registry = CollectorRegistry()
        watch = Watch(notifier.engine, Figures(registry))
        await watch.look()
        assert "sms" in watch.not_ready()["cap-reached"]
        assert 'referral_knocks_cap_used{channel="sms"} 2.0' in generate_latest(registry).decode()
    await caps.run(notifier.engine, {"sms": 9})
    async with sending(sender(notifier, phone, "sms", {"sms": 9})):
        await until(lambda: today(notifier, 5), what="the cap was raised, and what waited leaves")
        await watch.look()
        assert "cap-reached" not in watch.not_ready()
    assert {*await notifier.states()} == {"SENT"}


async def test_a_new_day_begins_at_nothing(notifier: Stack) -> None:
    await spent(notifier, {"sms": 2}, {"sms": 2})
    assert await today(notifier, 2)
    await notifier.advance(25 * HOUR)
    assert not await today(notifier, 2)
    await spent(notifier, {"sms": 1}, {"sms": 2})
    assert await today(notifier, 1)


async def test_the_desk_is_told_of_an_offer_whose_knocks_it_holds_back(notifier: Stack) -> None:
    case_id = await asked(notifier, "besa", 20 * HOUR, sms=NUMBERS["besa"])
    at = notifier.alarms[case_id]
    assert at is not None
    await notifier.advance(at - await notifier.now())
    await notifier.rows("UPDATE notifier.delivery SET due_at = runtime.clock()")
    await spent(notifier, {"sms": 1}, {"sms": 1})
    await notifier.due(case_id)
    assert [k.reason for k in of(notifier.said, RungFailed)] == [AWAY]


@pytest.mark.parametrize(("word", "counted"), [("no-key", 1), ("busy", 0)])
async def test_a_call_that_a_machine_answers_is_on_the_bill(notifier: Stack, word: str, counted: int) -> None:
    phone = Phone({NUMBERS["besa"]: [Unreached(word)]})
    async with sending(sender(notifier, phone, "voice", {})):
        await asked(notifier, "besa", 15 * MINUTE, voice=NUMBERS["besa"])
        await notifier.advance(2 * MINUTE)
        await until(lambda: notifier.rows("SELECT 1 FROM notifier.delivery WHERE reason = :word AND lease_until IS NULL", word=word))
    assert await today(notifier, counted, "voice")


def test_its_setting() -> None:
    assert settings.read({}).caps == {} and settings.read({"REFERRAL_CAPS": "sms=500, voice=20"}).caps == {"sms": 500, "voice": 20}
    for wrong in ("sms", "email=3", "sms=0", "sms=-1", "sms=many"):
        with pytest.raises(Rejected, match="REFERRAL_CAPS"):
            settings.read({"REFERRAL_CAPS": wrong})


KNOCKS = "SELECT again, state FROM notifier.delivery ORDER BY id"


async def today(notifier: Stack, count: int, channel: str = "sms") -> bool:
    """Return whether so many messages of this day are counted."""
    async with notifier.engine.connect() as tx:
        return (await caps.today(tx)).get(channel, (0, None))[0] == count


async def spent(notifier: Stack, messages: Mapping[str, int], most: Mapping[str, int]) -> None:
    now = await notifier.now()
    async with notifier.engine.begin() as tx:
        await caps.count(tx, messages, most, now)


async def midnight(notifier: Stack) -> int:
    await spent(notifier, {"sms": 0}, {})
    (row,) = await notifier.rows("SELECT begins FROM notifier.spent")
    return int(row.begins)
