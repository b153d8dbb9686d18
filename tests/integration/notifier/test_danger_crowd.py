"""Reports of danger that nobody has confirmed: one knock with a number at a station, six an hour; none waits longer than ten minutes."""

from __future__ import annotations

import dataclasses
from typing import Any

from msgspec.structs import replace

from referral.channels.message import compose, short
from referral.channels.prompts import Part, parts
from referral.domain.events import OfferAccepted, OfferEscalated, OfferOpened
from referral.domain.rules.unverified import UNVERIFIED
from referral.roster import changes as roster
from services.notifier.crowd import RINGS_AN_HOUR, STATION_GAP
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, opened, sending
from tests.harness.waiting import until
from tests.integration.notifier.test_woken import NUMBER, Phone, lanes, officer

RIPE = "SELECT count(*) FROM notifier.delivery WHERE state = 'WAITING' AND due_at <= runtime.clock()"


async def danger(notifier: Stack, **changes: Any) -> OfferOpened:
    """An offer to look, of a report that nobody has confirmed."""
    return opened(why=replace(WHY, rule=UNVERIFIED), due=await notifier.now() + 15 * MINUTE, **changes)


async def quiet(notifier: Stack) -> bool:
    return bool((await notifier.rows(RIPE))[0][0] == 0)


async def test_a_flood_rings_the_station_six_times_an_hour_and_a_true_report_is_told_within_ten_minutes(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms")
    sms = Phone()
    began, true, asked = await notifier.now(), "", 0
    told_at = 0
    async with sending(lanes(notifier, sms=sms)):
        for minute in range(60):
            for _ in range(3):
                offer = await danger(notifier)
                if minute == 31 and not true:
                    true, asked = offer.offer_id, await notifier.now()
                await notifier.tell(await notifier.case(), offer)
            await until(lambda: quiet(notifier), what="what is due has left")
            if true and not told_at and await notifier.rows("SELECT 1 FROM notifier.delivery WHERE asked = :a AND state = 'SENT'", a=true):
                told_at = await notifier.now()
            await notifier.advance(MINUTE)
    assert len(sms.taken) <= RINGS_AN_HOUR and await notifier.now() - began >= 60 * MINUTE
    assert 0 < told_at - asked <= STATION_GAP
    assert sms.taken[-1].waiting > 20, "one message stands for all of them"
    assert all(out.unconfirmed for out in sms.taken)


async def test_the_first_is_told_at_once_and_says_that_it_is_not_confirmed(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms")
    sms = Phone()
    async with sending(lanes(notifier, sms=sms)):
        await notifier.tell(await notifier.case(), await danger(notifier))
        await until(lambda: sms.taken, what="the officer is told")
    (out,) = sms.taken
    assert out.unconfirmed and out.urgent and short(dataclasses.replace(out, language="en")).startswith("NOT CONFIRMED. ")
    assert "not confirmed" in compose(dataclasses.replace(out, language="en")).subject
    assert parts(out)[-2:] == (Part.UNCONFIRMED, Part.KEYS)


async def test_what_somebody_vouches_for_is_not_held_back_and_not_called_unconfirmed(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms")
    sms = Phone()
    async with sending(lanes(notifier, sms=sms)):
        await notifier.tell(await notifier.case(), await danger(notifier))
        await until(lambda: len(sms.taken) == 1)
        await notifier.advance(2 * MINUTE)
        await notifier.tell(await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE))
        await until(lambda: len(sms.taken) == 2, what="it leaves at once")
    assert not sms.taken[1].unconfirmed


async def test_silence_climbs_to_the_next_person_without_waiting(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms")
    account = await notifier.person("agim", rung="back-up", email=False)
    async with notifier.admin.begin() as tx:
        await roster.add_person(tx, notifier.keys, account=account, agency="police", rungs=["back-up"], sms=NUMBER["agim"])
    sms, case, offer = Phone(), await notifier.case(), await danger(notifier)
    async with sending(lanes(notifier, sms=sms)):
        await notifier.tell(case, offer)
        await until(lambda: len(sms.taken) == 1)
        await notifier.advance(2 * MINUTE)
        later = await notifier.now() + 15 * MINUTE
        climb = OfferEscalated(why=WHY, offer_id=offer.offer_id, rung=1, reason="acknowledge", due=later, due_what="acknowledge")
        await notifier.tell(case, climb)
        await until(lambda: len(sms.taken) == 2, what="the next person is told at once")
    assert [out.address for out in sms.taken] == [NUMBER["besa"], NUMBER["agim"]]


async def test_an_officer_who_has_answered_is_rung_for_the_next_report_in_its_round(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms")
    sms = Phone()
    case, offer = await notifier.case(), await danger(notifier)
    async with sending(lanes(notifier, sms=sms)):
        await notifier.tell(case, offer)
        await until(lambda: len(sms.taken) == 1)
        taken = OfferAccepted(
            why=WHY, offer_id=offer.offer_id, by=None, late=False, due=await notifier.now() + 60 * MINUTE, due_what="decide"
        )
        await notifier.tell(case, taken)
        await notifier.advance(2 * MINUTE)
        await notifier.tell(await notifier.case(), await danger(notifier))
        await until(lambda: quiet(notifier))
        assert len(sms.taken) == 1, "the officer is awake, and was rung two minutes ago"
        await notifier.advance(STATION_GAP)
        await until(lambda: len(sms.taken) == 2, what="within ten minutes")
