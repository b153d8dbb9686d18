"""Messages that no server takes: tried again at named times, and no failure unsaid."""

from __future__ import annotations

import pytest

from referral.domain.events import KnockFailed, KnockSent, RungFailed
from services.notifier import results
from services.notifier.channels import email
from tests import smtp
from tests.contract.notifier_stack import Stack, ended, of, opened, sending, until


async def attempts(notifier: Stack, count: int) -> bool:
    rows = await notifier.rows("SELECT attempt, lease_until FROM notifier.delivery")
    return all(row.attempt == count and row.lease_until is None for row in rows)


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
        await notifier.advance(results.RETRY_SECONDS[0] * results.SECOND)
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
    assert len(of(await notifier.drain(), KnockSent)) == 1


@pytest.mark.parametrize("answer", [smtp.later, smtp.hang, smtp.hang_up])
async def test_a_relay_that_never_takes_it_fails_the_rung_after_named_attempts(
    notifier: Stack, relay: smtp.Relay, answer: smtp.Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "ANSWER_SECONDS", 0.2)
    relay.recipient = answer
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        for n, gap in enumerate(results.RETRY_SECONDS, 1):
            await until(lambda n=n: attempts(notifier, n))  # type: ignore[misc]
            assert await notifier.states() == ["WAITING"]
            await notifier.advance(gap * results.SECOND)
        await until(lambda: ended(notifier, 1))
    said = await notifier.drain()
    assert [e.attempts for e in of(said, KnockFailed)] == [len(results.RETRY_SECONDS) + 1]
    assert [e.reason for e in of(said, RungFailed)] == ["all-channels-failed"]
