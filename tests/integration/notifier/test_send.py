"""Deliveries on a real database and a real mail server: each message once, in its reader's language, when it is due."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from referral.channels import Outgoing
from referral.channels.message import compose
from referral.domain.case_number import case_number
from referral.domain.events import KnockSent, OfferAcknowledged
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from services.notifier import send
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until


async def test_everybody_on_duty_gets_one_message_in_their_language(notifier: Stack, relay: smtp.Relay) -> None:
    languages = ("sq", "sr-Latn", "sr-Cyrl", "en")
    people = [await notifier.person(f"p-{language}".lower(), language=language) for language in languages]
    case = await notifier.case()
    offer = opened(step="interview-of-the-child", agency="police", role="police-thbs", service="marker-service")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await relay.got(4)
        await until(lambda: ended(notifier, 4))
    told = of(await notifier.drain(), KnockSent)
    assert Counter(k.person for k in told) == Counter(people)
    assert {(k.offer_id, k.task_id, k.rung, k.again, k.channel) for k in told} == {(offer.offer_id, None, 0, 0, "email")}
    by_person = dict(zip(relay.recipients, relay.letters, strict=True))
    for language, knock in ((lang, k) for k in told for lang, p in zip(languages, people, strict=True) if p == k.person):
        letter = by_person[f"marker.p-{language.lower()}@police.example"]
        said = compose(Outgoing("", knock.reference, "", language, False, "https://inbox.example/", case=case_number(case)))
        assert (str(letter["Subject"]), letter.get_content().replace("\r\n", "\n")) == (said.subject, said.text)
        assert letter["Message-ID"] == f"<{knock.reference}@referral.example>"
        for mark in (case, offer.offer_id, "interview", "police-thbs", "marker-service"):
            assert mark not in letter.as_string()
    assert "marker" not in repr(told)


async def test_a_drill_says_so(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a", language="en")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened(), drill=True)
        await relay.got(1)
    assert str(relay.letters[0]["Subject"]).startswith("EXERCISE: ")


async def test_addresses_are_sealed_at_rest(notifier: Stack) -> None:
    account = await notifier.person("a")
    stored = (await notifier.rows("SELECT address FROM notifier.contact"))[0].address
    assert b"marker" not in bytes(stored)
    opened_ = notifier.keys.box(CONTACT_BOX).open(bytes(stored), contact_context(account, "email"))
    assert opened_ == b"marker.a@police.example"


async def test_two_senders_send_each_delivery_once(notifier: Stack, relay: smtp.Relay) -> None:
    agencies = [f"police-{n}" for n in range(10)]  # so many that nobody is woken often
    for agency in agencies:
        for n in range(3):
            await notifier.person(f"{agency}-{n}", agency=agency)
    for agency in agencies * 2:
        await notifier.tell(await notifier.case(), opened(agency=agency), opened(agency=agency))
    async with sending(notifier.sender(relay.port), notifier.sender(relay.port), notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 120))
    assert len(relay.letters) == 120
    assert set(Counter(str(letter["Message-ID"]) for letter in relay.letters).values()) == {1}
    assert len(of(await notifier.drain(), KnockSent)) == 120


async def test_nothing_is_planned_twice_for_one_question(notifier: Stack) -> None:
    await notifier.person("a")
    case, offer = await notifier.case(), opened()
    await notifier.tell(case, offer)
    await notifier.rows("UPDATE notifier.asked SET rounds = '{}', next_at = 0")  # as after a rebuild from the log
    await notifier.tell(case, opened(offer.offer_id))
    assert await notifier.states() == ["WAITING"]


async def test_nothing_of_an_address_is_logged(notifier: Stack, relay: smtp.Relay, capfd: pytest.CaptureFixture[str]) -> None:
    relay.recipient = smtp.unknown
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await until(lambda: ended(notifier, 1))
    out = capfd.readouterr()
    assert "marker" not in out.out + out.err
    assert "marker" not in json.dumps([str(r) for r in await notifier.rows("SELECT * FROM notifier.delivery")])


async def test_the_commit_of_a_plan_wakes_the_sender(notifier: Stack, relay: smtp.Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "POLL_SECONDS", 600.0)
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await relay.got(1)
        for _ in range(4):
            await notifier.tell(await notifier.case(), opened())
        await relay.got(5)


async def test_repeats_follow_the_alarm_and_end_with_the_answer(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    case = await notifier.case()
    now = (await notifier.rows("SELECT runtime.clock() AS now"))[0].now
    offer = opened(due=now + 15 * MINUTE)
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await relay.got(1)
        await notifier.advance(5 * MINUTE)
        await notifier.due(case)
        await relay.got(2)
        await notifier.tell(case, OfferAcknowledged(why=WHY, offer_id=offer.offer_id, due=None, due_what=""))
    assert notifier.alarms[case] is None
    await until(lambda: ended(notifier, 2))
    assert [(k.again) for k in of(await notifier.drain(), KnockSent)] == [0, 1]


async def test_what_was_decided_long_ago_knocks_only_when_everything_is_read(notifier: Stack) -> None:
    await notifier.person("a")
    answered, waiting = await notifier.case(), await notifier.case()
    over, wanted = opened(), opened()
    old = 10 * MINUTE
    await notifier.tell(answered, over, age=old)
    await notifier.tell(waiting, wanted, age=old)
    assert await notifier.states() == []  # the answer may stand in the next batch
    await notifier.tell(answered, OfferAcknowledged(why=WHY, offer_id=over.offer_id, due=None, due_what=""), age=old)
    assert notifier.alarms[answered] is None
    await notifier.due(waiting)  # the loop fires it once it has read to the end
    assert [row.asked for row in await notifier.rows("SELECT asked FROM notifier.delivery")] == [wanted.offer_id]
