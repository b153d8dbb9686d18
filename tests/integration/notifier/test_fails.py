"""Messages that no server takes: tried again at named times, and no failure unsaid."""

from __future__ import annotations

import pytest

from referral.channels import email
from referral.domain.durations import SECOND_US
from referral.domain.events import CaseChanged, KnockFailed, KnockSent, OfferAcknowledged, OfferEscalated, RungFailed, RungReached
from referral.roster import changes as roster
from services.notifier import blame
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until
from tests.stories.teller import TRAITS


async def attempts(notifier: Stack, count: int) -> bool:
    rows = await notifier.rows("SELECT attempt, lease_until FROM notifier.delivery")
    return all(row.attempt >= count and row.lease_until is None for row in rows)


async def test_a_rung_whose_every_channel_refuses_fails_once(notifier: Stack, relay: smtp.Relay) -> None:
    relay.recipient = smtp.unknown
    for n in range(4):
        await notifier.person(f"p{n}")
    case, offer = await notifier.case(), opened()
    async with sending(notifier.sender(relay.port), notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await until(lambda: ended(notifier, 4))
    said = await notifier.drain()
    assert [(e.offer_id, e.rung, e.reason) for e in of(said, RungFailed)] == [(offer.offer_id, 0, "all-channels-failed")]
    assert [(e.reason, e.attempts) for e in of(said, KnockFailed)] == [("refused", 1)] * 4
    assert "marker" not in repr(said)


async def test_one_who_can_be_reached_keeps_the_rung(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("good")
    await notifier.person("bad")

    async def only_good(server: object, address: str) -> str:
        return "250 OK" if "good" in address else f"550 {address}"

    relay.recipient = only_good
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await until(lambda: ended(notifier, 2))
    said = await notifier.drain()
    assert (len(of(said, KnockSent)), len(of(said, KnockFailed)), of(said, RungFailed)) == (1, 1, [])


async def test_what_is_put_off_is_tried_again_and_arrives(notifier: Stack, relay: smtp.Relay) -> None:
    relay.recipient = smtp.later
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await until(lambda: attempts(notifier, 1))
        assert await notifier.states() == ["WAITING"]
        relay.recipient = smtp.accept
        await notifier.advance(int(blame.FIRST_SECONDS) * SECOND_US)
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
    assert len(of(await notifier.drain(), KnockSent)) == 1


async def test_a_mailbox_that_is_full_all_the_time_fails_the_rung_after_named_attempts(notifier: Stack, relay: smtp.Relay) -> None:
    relay.recipient = smtp.full
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        for n, gap in enumerate(blame.RETRY_SECONDS, 1):
            await until(lambda n=n: attempts(notifier, n))  # type: ignore[misc]
            assert await notifier.states() == ["WAITING"]
            await notifier.advance(gap * SECOND_US)
        await until(lambda: ended(notifier, 1))
    said = await notifier.drain()
    assert [(e.reason, e.attempts) for e in of(said, KnockFailed)] == [("try-later", len(blame.RETRY_SECONDS) + 1)]
    assert [e.reason for e in of(said, RungFailed)] == ["all-channels-failed"]


@pytest.mark.parametrize("answer", [smtp.later, smtp.hang, smtp.hang_up])
async def test_a_relay_that_takes_nothing_is_never_the_agencys_fault(
    notifier: Stack, relay: smtp.Relay, answer: smtp.Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More attempts than a mailbox would get: the message still waits, the rung has not failed, and at a third of the limit we say why."""
    monkeypatch.setattr(email, "ANSWER_SECONDS", 0.2)
    relay.recipient = answer
    await notifier.person("a")
    case, offer = await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE)
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        for n in range(1, len(blame.RETRY_SECONDS) + 4):
            await until(lambda n=n: attempts(notifier, n))  # type: ignore[misc]
            await notifier.advance(int(blame.MOST_SECONDS) * SECOND_US)
    assert await notifier.states() == ["WAITING"]
    assert [*of(await notifier.drain(), RungFailed), *of(notifier.said, KnockFailed)] == []
    await notifier.due(case)
    assert [(e.offer_id, e.rung, e.reason) for e in of(notifier.said, RungFailed)] == [(offer.offer_id, 0, "channels-away")]
    assert await notifier.states() == ["WAITING"], "one message waits, and no repeat beside it"


async def test_a_relay_that_comes_back_after_twenty_minutes_is_knocked_through_and_we_say_so_once(
    notifier: Stack, relay: smtp.Relay
) -> None:
    relay.recipient = smtp.later
    await notifier.person("a")
    await notifier.person("b")
    case, offer = await notifier.case(), opened(due=await notifier.now() + 60 * MINUTE)
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await until(lambda: attempts(notifier, 1))
        await notifier.advance(20 * MINUTE)
        await notifier.due(case)
        relay.recipient = smtp.accept
        await notifier.advance(int(blame.MOST_SECONDS) * SECOND_US)
        await relay.got(2)
        await until(lambda: ended(notifier, 2))
    said = await notifier.drain()
    assert [e.reason for e in of(said, RungFailed)] == ["channels-away"]
    assert [(e.offer_id, e.rung) for e in of(said, RungReached)] == [(offer.offer_id, 0)]
    assert len(of(said, KnockSent)) == 2
    words = [type(e) for e in said if isinstance(e, KnockSent | RungReached)]
    assert words[0] is KnockSent, "`verify` wants the message before the word that it arrived (docs/log-format.md, 15.6)"


async def test_a_pause_of_the_operator_is_ours_too(notifier: Stack) -> None:
    await notifier.person("a")
    case, offer = await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE)
    async with notifier.change() as tx:
        await roster.pause(tx, "an exercise")
    await notifier.tell(case, offer)
    await notifier.advance(5 * MINUTE)
    await notifier.due(case)
    assert [e.reason for e in of(notifier.said, RungFailed)] == ["channels-away"]


async def test_a_clock_that_jumps_before_the_first_attempt_is_no_outage(notifier: Stack) -> None:
    await notifier.person("a")
    case, offer = await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE)
    await notifier.tell(case, offer)
    await notifier.advance(5 * MINUTE)
    await notifier.due(case)
    assert of(notifier.said, RungFailed) == []


async def test_who_was_told_at_first_is_not_said_to_be_unheard_of(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    case, offer = await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE)
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
    await notifier.advance(5 * MINUTE)
    await notifier.due(case)
    assert of(await notifier.drain(), RungFailed) == []


async def test_the_rung_of_who_acknowledged_and_is_excluded_is_knocked_again_without_them(notifier: Stack, relay: smtp.Relay) -> None:
    """As routing says it: the exclusion, and the same rung anew."""
    gone, stays = await notifier.person("gone"), await notifier.person("stays")
    case, offer = await notifier.case(), opened()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await until(lambda: ended(notifier, 2))
        await notifier.tell(case, OfferAcknowledged(why=WHY, offer_id=offer.offer_id, by=gone, due=None, due_what=""))
        excluded = CaseChanged(why=WHY, traits=TRAITS, consent=None, excluded=(f"staff:{gone}",), consent_by="")
        anew = OfferEscalated(
            why=WHY, offer_id=offer.offer_id, rung=0, reason="acknowledger-excluded", due=offer.due, due_what=offer.due_what
        )
        await notifier.tell(case, excluded, anew)
        await until(lambda: ended(notifier, 3))
    sent = [(e.person, e.again) for e in of(await notifier.drain(), KnockSent)]
    assert sorted(sent) == sorted([(gone, 0), (stays, 0), (stays, 1)])
