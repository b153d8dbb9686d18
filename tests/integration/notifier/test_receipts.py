"""What comes back of an SMS from its gateway: receipts late, doubled, early, out of order, at once and forged.

On a real database, through the door as it is served.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from hashlib import sha256
from hmac import new as hmac

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from referral.channels import Handed, Outgoing, Unsure
from referral.channels.lane import Lane
from referral.domain.events import KnockDelivered, KnockFailed, KnockSent, RungFailed
from referral.runtime.postgres import database
from services.notifier.__main__ import CONNECTIONS
from services.notifier.answers import AT_ONCE, Answers
from services.notifier.metrics import Figures
from tests.harness.line.notifier_stack import MINUTE, Stack, of, opened, sending
from tests.harness.line.phones import NUMBER, SIGNING, Phones
from tests.harness.waiting import until


async def test_a_hundred_receipts_at_once_leave_the_sender_its_connections(phones: Phones) -> None:
    """With the connections of a real notifier. They are all taken, once the question that they are about is free."""
    notifier, _ = phones.notifier, await phones.told("besa")
    engine = database.engine(notifier.settings, "notifier", size=CONNECTIONS)
    answers = Answers(engine, notifier.keys, Figures(CollectorRegistry()))
    try:
        async with notifier.admin.begin() as held:
            await held.execute(text("SELECT id FROM notifier.asked FOR UPDATE"))
            arriving = [asyncio.create_task(answers.receipt(phones.reference("besa"), True)) for _ in range(100)]
            await until(lambda: waits(notifier, AT_ONCE), what="receipts wait for the question")
            async with AsyncExitStack() as stack:
                for _ in range(CONNECTIONS - AT_ONCE):
                    await (await stack.enter_async_context(engine.connect())).execute(text("SELECT 1"))
        await asyncio.gather(*arriving)
    finally:
        await engine.dispose()
    assert len(of(await notifier.drain(), KnockDelivered)) == 1


async def waits(notifier: Stack, count: int) -> bool:
    rows = await notifier.rows(
        "SELECT count(*) AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return bool(rows[0].count >= count)


async def test_a_receipt_is_taken_once_and_arrived_stays_arrived(phones: Phones) -> None:
    (besa,), offer = await phones.told("besa")
    for status in (8, 4, 1, 1, 2, 16, 8):
        await phones.receipt("besa", status)
    said = await phones.notifier.drain()
    assert [(k.person, k.offer_id, k.channel) for k in of(said, KnockDelivered)] == [(besa, offer.offer_id, "sms")]
    assert (of(said, KnockFailed), of(said, RungFailed), await phones.notifier.states()) == ([], [], ["SENT"])


@pytest.mark.parametrize("status", [2, 16, "UNDELIV", "EXPIRED"])
async def test_what_did_not_arrive_fails_the_rung_if_nothing_is_left(phones: Phones, status: object) -> None:
    (besa,), offer = await phones.told("besa")
    for _ in range(2):
        await phones.receipt("besa", status)
    said = await phones.notifier.drain()
    assert [(k.person, k.reason, k.attempts) for k in of(said, KnockFailed)] == [(besa, "undelivered", 1)]
    assert [(e.offer_id, e.rung, e.reason) for e in of(said, RungFailed)] == [(offer.offer_id, 0, "all-channels-failed")]


async def test_a_failure_followed_by_the_handsets_word_has_arrived(phones: Phones) -> None:
    await phones.told("besa")
    await phones.receipt("besa", 2)
    await phones.receipt("besa", 1)
    said = await phones.notifier.drain()
    assert (len(of(said, KnockDelivered)), len(of(said, KnockFailed)), await phones.notifier.states()) == (1, 1, ["SENT"])


async def test_one_officer_whose_message_arrived_keeps_the_rung(phones: Phones) -> None:
    await phones.told("besa", "agim")
    await phones.receipt("besa", 2)
    await phones.receipt("agim", 1)
    said = await phones.notifier.drain()
    assert (len(of(said, KnockFailed)), len(of(said, KnockDelivered)), of(said, RungFailed)) == (1, 1, [])


class Early:
    """The gateway's answer gets lost after the receipt has come: Unsure, once; then the channel itself."""

    def __init__(self, phones: Phones, status: int | str) -> None:
        self._phones, self._status = phones, status
        self._channel = phones.lane().make()

    async def open(self) -> None:
        await self._channel.open()

    async def send(self, out: Outgoing) -> Handed:
        await self._channel.send(out)
        await self._phones.receipt("besa", self._status)
        raise Unsure("no-answer")

    async def close(self) -> None:
        await self._channel.close()


@pytest.mark.parametrize(("status", "state"), [(1, "SENT"), (2, "FAILED")])
async def test_a_receipt_before_the_gateways_answer_counts(phones: Phones, status: int, state: str) -> None:
    """The message is under way when its receipt comes, and the answer never does: it is not sent again."""
    besa = await phones.officer("besa")
    async with sending(phones.notifier.sender_of({"sms": Lane(lambda: Early(phones, status), 1)})):
        await phones.notifier.tell(await phones.notifier.case(), opened())
        await until(lambda: phones.counted(state, 1))
        await phones.notifier.advance(5 * MINUTE)
        await until(lambda: phones.counted(state, 1))
    said = await phones.notifier.drain()
    assert len(phones.server.requests) == 1
    if state == "SENT":
        assert [k.person for k in (*of(said, KnockSent), *of(said, KnockDelivered))] == [besa, besa]
    else:
        assert (of(said, KnockSent), [k.reason for k in of(said, KnockFailed)]) == ([], ["undelivered"])


async def test_forged_and_malformed_calls_change_nothing(phones: Phones) -> None:
    await phones.told("besa")
    before = await phones.everything()
    digits, reference = phones.digits("besa"), phones.reference("besa")
    for secret in ("0" * 32, phones.secret[:-1], phones.secret.upper(), "ë"):
        await phones.receipt("besa", 2, secret)
        await phones.reply(NUMBER["besa"], f"1 {digits}", secret)
    odd = [
        ("GET", f"/sms/{phones.secret}/receipt/{'0' * 8}-0000-4000-8000-000000000000?status=2"),
        ("GET", f"/sms/{phones.secret}/receipt/%00?status=2"),
        ("GET", f"/sms/{phones.secret}/receipt/{reference}"),
        ("GET", f"/sms/{phones.secret}/receipt/{reference}?status=%d"),
        ("HEAD", f"/sms/{phones.secret}/receipt/{reference}?status=2"),
        ("HEAD", f"/sms/{phones.secret}/reply?from=38344000001&text=1+{digits}"),
        ("GET", f"/sms/{phones.secret}/reply?from=%2B38344000001&text=%00%FF"),
        ("GET", f"/sms/{phones.secret}/reply"),
    ]
    for method, path in odd:
        answer = await phones.http.request(method, path)
        assert (answer.status_code, answer.content) == (200, b""), path
    unknown = await phones.http.get(f"/sms/{'0' * 32}/receipt/{reference}?status=2")
    assert unknown.content == (await phones.http.get("/nothing/here")).content
    assert (await phones.http.delete(f"/sms/{phones.secret}/reply")).status_code == 404
    assert (await phones.http.post(f"/sms/{phones.secret}/reply", content=b"x" * 5000)).status_code == 413
    assert await phones.everything() == before


async def test_an_aggregator_may_sign_instead_and_write_json_or_a_form(phones: Phones) -> None:
    await phones.told("besa")
    path = f"/sms/none/receipt/{phones.reference('besa')}"
    for body in (b'{"status": 1}', b"status=DELIVRD"):
        signature = hmac(SIGNING, body, sha256).hexdigest()
        for wrong in (
            "",
            signature[:-1] + "0" * (signature[-1] != "0") + "1" * (signature[-1] == "0"),
            hmac(b"", body, sha256).hexdigest(),
        ):
            assert (await phones.http.post(path, content=body, headers={"X-Signature": wrong})).status_code == 404
        assert of(await phones.notifier.drain(), KnockDelivered) == [] or body[:1] != b"{"
        assert (await phones.http.post(path, content=body, headers={"X-Signature": signature})).status_code == 200
    assert len(of(await phones.notifier.drain(), KnockDelivered)) == 1
