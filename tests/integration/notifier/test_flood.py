"""Many cases at once: each is knocked for, and each officer is woken a handful of times."""

from __future__ import annotations

import pytest

from referral.domain.events import KnockSent, OfferAcknowledged
from services.notifier import pace
from tests.harness import smtp
from tests.harness.line.notifier_stack import WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
FLOOD = 40


async def flood(notifier: Stack, count: int = FLOOD, *, drill: bool = False) -> None:
    for _ in range(count):
        await notifier.tell(await notifier.case(), opened(), drill=drill)


async def left(notifier: Stack, most: int) -> bool:
    return (await notifier.states()).count("WAITING") <= most


async def test_a_flood_wakes_an_officer_a_handful_of_times_and_every_knock_is_said(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("anna")
    await notifier.person("blerim")
    await flood(notifier)
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 2 * FLOOD))
    assert len(relay.letters) <= 2 * pace.OTHERWISE.many
    knocks = of(await notifier.drain(), KnockSent)
    assert len(knocks) == 2 * FLOOD, "each case's log says that somebody was told"
    assert len({knock.reference for knock in knocks}) == len(relay.letters), "and by which message"


async def test_whoever_was_woken_often_hears_of_the_next_one_within_a_minute(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("anna")
    await flood(notifier)
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, FLOOD))
        before = len(relay.letters)
        await flood(notifier, 3)
        assert await notifier.rows("SELECT 1 FROM notifier.delivery WHERE state = 'WAITING'"), "it waits for company"
        await notifier.advance(pace.OTHERWISE.gather * 1_000_000)
        await until(lambda: ended(notifier, FLOOD + 3))
    assert len(relay.letters) == before + 1


async def test_a_drill_holds_no_real_knock_back(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("anna")
    await flood(notifier, drill=True)
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, FLOOD))
        before = len(relay.letters)
        await flood(notifier, 1)
        await until(lambda: ended(notifier, FLOOD + 1))
    assert len(relay.letters) == before + 1


ANSWERED = (
    "INSERT INTO notifier.delivery (asked, case_id, task, rung, again, person, channel, drill, state, planned_at, due_at, ended_at, word)"
    " SELECT asked, case_id, task, rung, again, :person, 'sms', drill, 'SENT', planned_at, due_at, planned_at, :word"
    " FROM notifier.delivery WHERE asked = :asked"
)
"""A colleague, or the recipient herself, has answered an SMS."""


@pytest.mark.parametrize("how", ["taken", "LOOKS", "CANNOT"])
async def test_what_is_answered_meanwhile_rides_on_no_message(notifier: Stack, relay: smtp.Relay, how: str) -> None:
    """Also if the handler, which is dead, has not read the answer."""
    anna = await notifier.person("anna")
    case, offer = await notifier.case(), opened()
    await flood(notifier)
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, FLOOD))
        await flood(notifier, 1)  # the oldest leads, and would carry the other one
        await notifier.tell(case, offer)
        if how == "taken":
            await notifier.tell(case, OfferAcknowledged(why=WHY, offer_id=offer.offer_id, due_what=""))
        else:
            person = anna if how == "CANNOT" else "a colleague"
            await notifier.rows(ANSWERED, asked=offer.offer_id, person=person, word=how)
        await notifier.advance(pace.OTHERWISE.gather * 1_000_000)
        await until(lambda: left(notifier, 1))
        await notifier.advance(pace.OTHERWISE.gather * 1_000_000)
        await until(lambda: ended(notifier, FLOOD + 2 + (how != "taken")))
    knocks = of(await notifier.drain(), KnockSent)
    assert knocks and offer.offer_id not in {knock.offer_id for knock in knocks}
