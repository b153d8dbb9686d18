"""What comes back by SMS and by the page: receipts late, doubled, out of order and forged; answers that count, and answers that do not.

On a real database, through the door as it is served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from hmac import new as hmac
from typing import Any

import httpx
import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.engine import make_url

from referral.channels import Handed, Outgoing, Unsure
from referral.channels.gateway import Gateway, receipts
from referral.channels.lane import Lane
from referral.domain.events import KnockAnswered, KnockDelivered, KnockFailed, KnockSent, RungFailed
from referral.local import ports
from referral.runtime import http_server
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.postgres import database
from services.notifier import door
from services.notifier.__main__ import CONNECTIONS
from services.notifier.answers import AT_ONCE, TRIES, Answers, code
from services.notifier.metrics import Figures
from services.notifier.told import WhoWasTold
from tests.harness import gateway
from tests.harness.line.notifier_stack import MINUTE, Stack, of, opened, sending
from tests.harness.waiting import until

NUMBER = {"besa": "+38344000001", "agim": "+38344000002"}
SIGNING = b"made-up-signing-key"
CONTACT = "INSERT INTO notifier.contact (account, channel, address) VALUES (:account, 'sms', :address)"


@dataclass
class Phones:
    """A notifier whose officers have telephones only, its door, and the gateway that takes its SMS."""

    notifier: Stack
    server: gateway.Kept
    http: httpx.AsyncClient

    @property
    def secret(self) -> str:
        return self.notifier.keys.callback("sms")

    async def officer(self, name: str) -> str:
        account = await self.notifier.person(name, email=False)
        address = self.notifier.keys.box(CONTACT_BOX).seal(NUMBER[name].encode(), contact_context(account, "sms"))
        await self.notifier.rows(CONTACT, account=account, address=address)
        return account

    def lane(self) -> Lane:
        provider = self.server.provider(receipts=receipts("http://notifier.test", self.secret))
        return Lane(lambda: Gateway(provider), 4)

    async def told(self, *names: str, **offer: Any) -> tuple[list[str], Any]:
        """Knock these officers for one offer. Return their accounts and the offer."""
        accounts, made = [await self.officer(name) for name in names], opened(**offer)
        await self.knock(made, len(names))
        return accounts, made

    async def knock(self, offer: Any, count: int) -> None:
        """Send the messages of one offer, and hand the events to the handler."""
        before = len(self.server.requests)
        async with sending(self.notifier.sender_of({"sms": self.lane()})):
            await self.notifier.tell(await self.notifier.case(), offer)
            await self.server.got(before + count)
            await until(lambda: self.counted("SENT", before + count))
        await self.notifier.drain()

    async def counted(self, state: str, count: int) -> bool:
        return (await self.notifier.states()).count(state) == count

    def reference(self, name: str) -> str:
        """The reference of the newest message to somebody, as the gateway was told it."""
        url = next(got.told["dlr-url"] for got in reversed(self.server.requests) if got.told["to"] == NUMBER[name])
        return str(url.partition("receipt/")[2].partition("?")[0])

    def digits(self, name: str) -> str:
        return code(self.notifier.keys, self.reference(name))

    async def receipt(self, name: str, status: object, secret: str = "") -> None:
        answer = await self.http.get(f"/sms/{secret or self.secret}/receipt/{self.reference(name)}", params={"status": str(status)})
        assert (answer.status_code, answer.content) == ((404, answer.content) if secret else (200, b""))

    async def reply(self, number: str, words: str, secret: str = "") -> None:
        answer = await self.http.get(f"/sms/{secret or self.secret}/reply", params={"from": number, "text": words})
        assert (answer.status_code, answer.content) == ((404, answer.content) if secret else (200, b""))

    async def everything(self) -> list[Any]:
        """Every row that an answer or a receipt could change."""
        rows = await self.notifier.rows("SELECT id, state, delivered_at, ended_at, reason FROM notifier.delivery ORDER BY id")
        queued = await self.notifier.rows("SELECT count(*) FROM notifier.queue")
        return [*rows, *queued, *await self.notifier.rows("SELECT * FROM notifier.asked ORDER BY id")]


@asynccontextmanager
async def client(notifier: Stack, answers: Answers | None = None, who: WhoWasTold | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """The door as it is served: behind the guard that turns an absent database into 503."""
    taking = answers or Answers(notifier.engine, notifier.keys, Figures(CollectorRegistry()))
    app = door.made(taking, who or WhoWasTold(notifier.engine, notifier.keys), notifier.keys.callback("sms"), SIGNING).application()
    guarded: Any = http_server.Doors({}, app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://notifier.test") as made:
        yield made


@pytest.fixture
async def phones(notifier: Stack) -> AsyncIterator[Phones]:
    async with gateway.gateway() as server, client(notifier) as http:
        yield Phones(notifier, server, http)


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


async def test_five_wrong_digits_and_the_right_ones_count_no_more(phones: Phones) -> None:
    await phones.told("besa")
    right = phones.digits("besa")
    wrong = f"{(int(right) + 1) % 10_000:04}"
    page = f"/k/{phones.reference('besa')}"
    for n in range(TRIES):  # by both ways together
        if n % 2:
            await phones.reply(NUMBER["besa"], f"1 {wrong}")
        else:
            await phones.http.post(page, data={"digits": wrong, "word": "1"})
    before = await phones.everything()
    await phones.reply(NUMBER["besa"], f"1 {right}")
    await phones.http.post(page, data={"digits": right, "word": "1"})
    assert await phones.everything() == before
    await phones.notifier.rows("UPDATE notifier.delivery SET tries = :most", most=TRIES - 1)
    await phones.reply(NUMBER["besa"], f"1 {right}")
    assert len(of(await phones.notifier.drain(), KnockAnswered)) == 1


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


async def test_the_page_is_the_same_for_every_reference_and_only_a_right_answer_changes_anything(phones: Phones) -> None:
    (besa,), _ = await phones.told("besa")
    here, nowhere = f"/k/{phones.reference('besa')}", "/k/00000000-0000-4000-8000-000000000000"
    before = await phones.everything()
    for method in ("GET", "HEAD"):
        shown = [await phones.http.request(method, path, headers={"Sec-Purpose": "prefetch"}) for path in (here, nowhere, "/k/x", "/k/%00")]
        assert {(page.status_code, page.content) for page in shown} == {(200, shown[0].content)}
        assert {page.headers["cache-control"] for page in shown} == {"no-store"}
    wrong = f"{(int(phones.digits('besa')) + 1) % 10_000:04}"
    scanners = [{}, {"digits": "", "word": "1"}, {"digits": "١٢٣٤", "word": "1"}, {"digits": phones.digits("besa")}, {"word": "1"}]
    for form in [*scanners * 2, {"digits": phones.digits("besa"), "word": "3"}, {"digits": wrong, "word": "1"}]:
        answers = [await phones.http.post(path, data=form) for path in (here, nowhere)]
        assert {(page.status_code, page.content) for page in answers} == {(200, answers[0].content)}
    assert await phones.everything() == before
    thanks = await phones.http.post(here, data={"digits": phones.digits("besa"), "word": "1"})
    assert thanks.content == answers[0].content
    assert [(k.person, k.word) for k in of(await phones.notifier.drain(), KnockAnswered)] == [(besa, "LOOKS")]


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
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    await engine.dispose()


async def test_nothing_of_a_person_is_logged(phones: Phones, capfd: pytest.CaptureFixture[str]) -> None:
    await phones.told("besa")
    await phones.reply(NUMBER["besa"], f"1 {(int(phones.digits('besa')) + 1) % 10_000:04}")
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    said = await phones.notifier.drain()
    text = "".join(capfd.readouterr()) + repr(said)
    assert not [word for word in ("44000001", phones.digits("besa"), phones.secret) if word in text]
