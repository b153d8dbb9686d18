"""What people answer by SMS and by the page: answers that count, and answers that do not.

On a real database, through the door as it is served.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.engine import make_url

from referral.domain.events import KnockAnswered, KnockDelivered, RungFailed
from referral.errors import RETRY_AFTER_S
from referral.local import ports
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.postgres import database
from services.notifier.answers import PAGES_AT_ONCE, PAGES_WAITING, Answers
from services.notifier.guesses import TRIES
from services.notifier.metrics import Figures
from tests.harness.line.notifier_stack import MINUTE, of, opened, sending
from tests.harness.line.phones import CONTACT, NUMBER, Phones, client
from tests.harness.waiting import PATIENCE_S, until
from tests.integration.notifier.test_receipts import waits


@pytest.mark.parametrize("words", ["1 {}", "1{}", "Po {}.", "DA, {}", "yes {} ", "ДА {}", " 1\n{}!"])
async def test_whoever_looks_says_so_by_sms(phones: Phones, words: str) -> None:
    (besa,), offer = await phones.told("besa")
    for number in ("38344000001", "+38344000001"):
        await phones.reply(number, words.format(phones.digits("besa")))
    said = await phones.notifier.drain()
    assert [(k.person, k.word, k.offer_id, k.channel) for k in of(said, KnockAnswered)] == [(besa, "LOOKS", offer.offer_id, "sms")]
    assert len(of(said, KnockDelivered)) == 1, "an answer proves that the message arrived"
    (asked,) = await phones.notifier.rows("SELECT state FROM notifier.asked")
    assert asked.state == "ANSWERED"


@pytest.mark.parametrize("words", ["2 {}", "jo {}", "Ne {}", "NO {}", "НЕ {}"])
async def test_when_all_who_were_told_cannot_the_rung_has_failed(phones: Phones, words: str) -> None:
    (besa, agim), offer = await phones.told("besa", "agim")
    await phones.reply(NUMBER["besa"], words.format(phones.digits("besa")))
    said = await phones.notifier.drain()
    assert ([(k.person, k.word) for k in of(said, KnockAnswered)], of(said, RungFailed)) == ([(besa, "CANNOT")], [])
    await phones.reply(NUMBER["agim"], words.format(phones.digits("agim")))
    await phones.reply(NUMBER["agim"], words.format(phones.digits("agim")))
    said = await phones.notifier.drain()
    assert [(k.person, k.word) for k in of(said, KnockAnswered)] == [(besa, "CANNOT"), (agim, "CANNOT")]
    assert [(e.offer_id, e.rung, e.reason) for e in of(said, RungFailed)] == [(offer.offer_id, 0, "all-cannot")]


@pytest.mark.parametrize("first", ["cannot", "undelivered"])
async def test_when_one_cannot_and_the_other_was_not_reached_the_rung_has_failed(phones: Phones, first: str) -> None:
    _, offer = await phones.told("besa", "agim", due=await phones.notifier.now() + 15 * MINUTE)
    for what in ("cannot", "undelivered") if first == "cannot" else ("undelivered", "cannot"):
        if what == "cannot":
            await phones.reply(NUMBER["besa"], f"2 {phones.digits('besa')}")
        else:
            await phones.receipt("agim", 2)
        said = await phones.notifier.drain()
    assert [(e.offer_id, e.rung) for e in of(said, RungFailed)] == [(offer.offer_id, 0)]


async def test_after_cannot_no_other_channel_of_that_person_is_used(phones: Phones, relay: Any) -> None:
    account = await phones.notifier.person("besa")
    address = phones.notifier.keys.box(CONTACT_BOX).seal(NUMBER["besa"].encode(), contact_context(account, "sms"))
    await phones.notifier.rows(CONTACT, account=account, address=address)
    await phones.officer("agim")
    await phones.notifier.rows("UPDATE notifier.contact SET ended_at = 1, address = NULL WHERE channel = 'email'")
    offer = opened(due=await phones.notifier.now() + 15 * MINUTE)
    await phones.knock(offer, 2)
    await phones.reply(NUMBER["besa"], f"2 {phones.digits('besa')}")
    await phones.notifier.drain()
    (asked,) = await phones.notifier.rows("SELECT cannot, next_at FROM notifier.asked")
    assert list(asked.cannot) == [account]
    await phones.notifier.advance(6 * MINUTE)
    async with sending(phones.notifier.sender_of({"sms": phones.lane()})):
        await phones.notifier.due(next(iter(phones.notifier.alarms)))
        await phones.server.got(3)
    assert [got.told["to"] for got in phones.server.requests].count(NUMBER["besa"]) == 1


async def test_answers_that_do_not_count(phones: Phones) -> None:
    await phones.told("besa")
    digits = phones.digits("besa")
    await phones.officer("agim")
    before = await phones.everything()
    await phones.reply("+38344000009", f"1 {digits}")  # nobody's number
    await phones.reply(NUMBER["agim"], f"1 {digits}")  # another officer's
    for words in (digits, f"3 {digits}", f"1 {digits}5", f"maybe {digits}", f"1 {digits} 2 {digits}", "1", "", "x" * 3000):
        await phones.reply(NUMBER["besa"], words)
    assert await phones.everything() == before
    await phones.reply(NUMBER["besa"], f"1 {digits}")
    assert len(of(await phones.notifier.drain(), KnockAnswered)) == 1


async def test_whoever_is_disabled_after_the_message_answers_no_more(phones: Phones) -> None:
    await phones.told("besa")
    await phones.notifier.rows("UPDATE notifier.person SET disabled = true")
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    assert of(await phones.notifier.drain(), KnockAnswered) == []
    await phones.receipt("besa", 1)
    assert len(of(await phones.notifier.drain(), KnockDelivered)) == 1, "what the provider reports counts all the same"


async def test_an_old_code_and_a_closed_question_take_no_answer(phones: Phones) -> None:
    _, first = await phones.told("besa")
    old = phones.digits("besa")
    await phones.notifier.rows("UPDATE notifier.asked SET state = 'CLOSED'")
    await phones.notifier.advance(MINUTE)  # one SMS in a minute
    second = opened()
    await phones.knock(second, 1)
    before = await phones.everything()
    if old != phones.digits("besa"):
        await phones.reply(NUMBER["besa"], f"1 {old}")
    await phones.http.post(
        f"/k/{next(iter(phones.server.requests)).told['dlr-url'].split('/')[-1][:36]}", data={"digits": old, "word": "1"}
    )
    assert await phones.everything() == before
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    assert [k.offer_id for k in of(await phones.notifier.drain(), KnockAnswered)] == [second.offer_id] != [first.offer_id]


async def test_a_late_reply_and_a_repeated_one_take_no_try_from_another_message(phones: Phones) -> None:
    """Two officers reply to each offer and one is always second: after five of them she could answer nothing any more."""
    await phones.told("besa")
    old = phones.digits("besa")
    await phones.notifier.rows("UPDATE notifier.asked SET state = 'ANSWERED'")
    await phones.notifier.advance(MINUTE)
    second = opened()
    await phones.knock(second, 1)
    for _ in range(TRIES):
        await phones.reply(NUMBER["besa"], f"1 {old}")
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    assert [k.offer_id for k in of(await phones.notifier.drain(), KnockAnswered)][-1:] == [second.offer_id]


async def test_the_page_is_the_same_for_every_reference_and_only_a_right_answer_changes_anything(phones: Phones) -> None:
    (besa,), _ = await phones.told("besa")
    here, nowhere = f"/k/{phones.reference('besa')}", "/k/00000000-0000-4000-8000-000000000000"
    before = await phones.everything()
    for method in ("GET", "HEAD"):
        shown = [await phones.http.request(method, path, headers={"Sec-Purpose": "prefetch"}) for path in (here, nowhere, "/k/x", "/k/%00")]
        assert {(page.status_code, page.content) for page in shown} == {(200, shown[0].content)}
        assert {page.headers["cache-control"] for page in shown} == {"no-store"}
    digits = phones.digits("besa")
    scanners = [
        {},
        {"digits": "", "word": "1"},
        {"digits": "١٢٣٤", "word": "1"},
        {"digits": digits},
        {"word": "1"},
        {"digits": digits, "word": "3"},
    ]
    for form in scanners * 2:
        page = await phones.http.post(here, data=form, headers={"Accept-Language": "en"})
        assert "Type the four digits of the message." in page.text
    assert (await phones.notifier.rows("SELECT tries FROM notifier.delivery"))[0].tries == 0, "none of these costs a try"
    for path in (nowhere, "/k/x"):
        page = await phones.http.post(path, data={"digits": digits, "word": "1"}, headers={"Accept-Language": "en"})
        assert "Nothing waits for an answer to this message" in page.text
    assert await phones.everything() == before
    for word, says in (("1", "Thank you. Your answer counts."), ("1", "Thank you. Your answer counts."), ("2", "Nothing waits")):
        page = await phones.http.post(here, data={"digits": digits, "word": word}, headers={"Accept-Language": "en"})
        assert says in page.text, "sent twice is sent once, and whoever changes their mind opens the inbox"
        await phones.notifier.drain()
    assert [(k.person, k.word) for k in of(await phones.notifier.drain(), KnockAnswered)] == [(besa, "LOOKS")]


async def test_a_crowd_at_the_page_is_refused_and_takes_no_turn_of_a_provider(phones: Phones) -> None:
    """A crowd that waits for one question. What the provider reports about another message goes on, and so does a later answer."""
    await phones.told("besa")
    await phones.told("agim")
    wrong = {"digits": f"{(int(phones.digits('besa')) + 1) % 10_000:04}", "word": "1"}
    crowd = PAGES_AT_ONCE + PAGES_WAITING + 50
    async with phones.notifier.admin.begin() as held:
        locked = "SELECT id FROM notifier.asked WHERE id = (SELECT asked FROM notifier.delivery WHERE reference = :one) FOR UPDATE"
        await held.execute(text(locked), {"one": phones.reference("besa")})
        sent = [asyncio.create_task(phones.http.post(f"/k/{phones.reference('besa')}", data=wrong)) for _ in range(crowd)]
        await until(lambda: waits(phones.notifier, 1), what="answers wait for the question")
        async with asyncio.timeout(PATIENCE_S):
            await phones.receipt("agim", 1)
            await until(lambda: sum(task.done() for task in sent) == 50, what="the crowd is refused")
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [200] * (crowd - 50) + [503] * 50
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 503} == {str(RETRY_AFTER_S)}
    assert (
        await phones.http.post(f"/k/{phones.reference('agim')}", data={"digits": phones.digits("agim"), "word": "1"})
    ).status_code == 200
    said = await phones.notifier.drain()
    assert (len(of(said, KnockDelivered)), len(of(said, KnockAnswered))) == (1, 1)


async def test_the_page_speaks_four_languages_and_needs_no_script(phones: Phones) -> None:
    titles = {"sq": "Përgjigjuni", "sr-Latn": "Odgovor", "sr": "Одговор", "en-GB,en;q=0.9": "Answer a message", "": "Përgjigjuni"}
    for wish, title in titles.items():
        page = (await phones.http.get("/k/x", headers={"Accept-Language": wish})).text
        assert title in page
        assert ('<meta name="viewport"' in page, "<script" in page, page.count("<button")) == (True, False, 2)
    assert (await phones.http.get("/k.css")).status_code == 200


async def test_nothing_is_confirmed_while_the_database_is_away(phones: Phones) -> None:
    await phones.told("besa")
    url = make_url(phones.notifier.settings.database).set(host="127.0.0.1", port=ports.free(1)[0])
    settings = structs.replace(phones.notifier.settings, database=url.render_as_string(hide_password=False))
    engine = database.engine(settings, "notifier", size=1)
    async with client(phones.notifier, Answers(engine, phones.notifier.keys, Figures(CollectorRegistry()))) as away:
        for path in (f"receipt/{phones.reference('besa')}?status=1", f"reply?from=38344000001&text=1+{phones.digits('besa')}"):
            answer = await away.get(f"/sms/{phones.secret}/{path}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, str(RETRY_AFTER_S))
    await engine.dispose()


async def test_nothing_of_a_person_is_logged(phones: Phones, capfd: pytest.CaptureFixture[str]) -> None:
    await phones.told("besa")
    await phones.reply(NUMBER["besa"], f"1 {(int(phones.digits('besa')) + 1) % 10_000:04}")
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    said = await phones.notifier.drain()
    text = "".join(capfd.readouterr()) + repr(said)
    assert not [word for word in ("44000001", phones.digits("besa"), phones.secret) if word in text]
