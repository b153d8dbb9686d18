"""A procedure that a desk stops wakes nobody until it goes on; then whoever is on duty is told at once. On a real database."""

from __future__ import annotations

import pytest

from referral.domain.events import NeedsPerson, RungFailed, TrackChanged, TrackState
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, of, opened, sending
from tests.harness.waiting import until
from tests.integration.notifier.test_woken import Phone, lanes, officer

pytestmark = pytest.mark.servers


def changed(track: str, state: TrackState) -> TrackChanged:
    by = "desk" if state is TrackState.PAUSED else ""
    return TrackChanged(why=WHY, track_id=track, pathway="trafficking-child", digest="", state=state, paused_by=by, outcome="")


async def sent(notifier: Stack) -> bool:
    return "SENT" in await notifier.states()


async def test_nobody_is_woken_for_a_procedure_that_is_stopped(notifier: Stack) -> None:
    sms, voice = Phone(), Phone()
    await officer(notifier, "besa", "sms", "voice")
    case_id, offer = await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE)
    async with sending(lanes(notifier, sms=sms, voice=voice)):
        await notifier.tell(case_id, offer)
        await until(lambda: sent(notifier), what="the SMS has left, and its result is written")
        await notifier.tell(case_id, changed(offer.track_id, TrackState.PAUSED))
        assert notifier.alarms[case_id] is None, "no repeat is planned"
        assert sorted(await notifier.states()) == ["DROPPED", "SENT"], "and the call that was to follow is not made"
        await notifier.tell(case_id, changed("00000000-0000-4000-8000-00000000000a", TrackState.RESUMED))
        assert notifier.alarms[case_id] is None, "another procedure goes on"
        await notifier.advance(10 * MINUTE)
        await notifier.tell(case_id, changed(offer.track_id, TrackState.RESUMED))
        await until(lambda: sms.calls("besa") == 2, what="it goes on, and nobody has answered")
        assert voice.taken == []


async def test_a_rung_without_anybody_is_reported_again_when_the_procedure_goes_on(notifier: Stack) -> None:
    case_id, offer = await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE)
    await notifier.tell(case_id, offer, changed(offer.track_id, TrackState.PAUSED))
    assert of(notifier.said, RungFailed) == []
    await notifier.tell(case_id, changed(offer.track_id, TrackState.RESUMED))
    assert [failed.rung for failed in of(notifier.said, RungFailed)] == [0]


async def test_the_desk_that_has_stopped_it_is_reminded(notifier: Stack) -> None:
    case_id, offer = await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE)
    await notifier.tell(case_id, offer, changed(offer.track_id, TrackState.PAUSED))
    task = NeedsPerson(
        why=WHY,
        task_id="00000000-0000-4000-8000-00000000000b",
        desk="desk-prizren",
        about="stopped",
        track_id=offer.track_id,
        step="",
        seat=-1,
        rung=0,
        due=await notifier.now() + 15 * MINUTE,
        offer_id=None,
    )
    await notifier.tell(case_id, task)
    (row,) = await notifier.rows("SELECT stopped FROM notifier.asked WHERE task")
    assert not row.stopped
