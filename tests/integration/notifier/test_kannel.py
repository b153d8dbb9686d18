"""SMS through Kannel to two SMSCs of other projects: receipts, failures, replies, and callbacks that come late or while we are away."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.channels import Outgoing, Unreached
from referral.channels.gateway import Gateway, Provider, receipts
from referral.channels.lane import LINES, Lane
from referral.channels.message import PART, WORDINGS, short
from referral.domain.durations import SECOND_US
from referral.domain.events import KnockAnswered, KnockDelivered, KnockFailed, KnockSent, RungFailed
from referral.local import ports
from referral.runtime import http_server
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.observe import Health
from referral.runtime.postgres import database
from referral.runtime.settings import CHECKOUT
from services.notifier import door
from services.notifier.answers import Answers, code
from services.notifier.blame import UNSURE_SECONDS
from services.notifier.metrics import Figures
from services.notifier.providers import Providers, lane
from services.notifier.told import WhoWasTold
from tests.harness import kannel as programs
from tests.harness.kannel import Kannel, Smsc
from tests.harness.line.notifier_stack import Stack, of, opened, sending
from tests.harness.waiting import until

pytestmark = pytest.mark.xdist_group("kannel")
NUMBER = {"besa": "+38344000001", "agim": "+38344000002"}
PENDING = 10  # messages to an operator without an answer that Kannel allows itself (its own default, max-pending-submits)
CONTACT = "INSERT INTO notifier.contact (account, channel, address) VALUES (:account, 'sms', :address)"


@dataclass
class Served:
    """A notifier with its door on a real port."""

    notifier: Stack
    port: int
    server: Any = None
    task: asyncio.Task[None] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def secret(self) -> str:
        return self.notifier.keys.callback("sms")

    @property
    def replies(self) -> str:
        return f"{self.base}/sms/{self.secret}/reply"

    async def open(self, engine: AsyncEngine | None = None) -> None:
        answers = Answers(engine or self.notifier.engine, self.notifier.keys, Figures(CollectorRegistry()))
        app = door.made(answers, WhoWasTold(self.notifier.engine, self.notifier.keys), self.secret).application()
        bound, self.server = http_server.listen("127.0.0.1", self.port), http_server.server(Health(), app)
        bound.listen()
        self.task = asyncio.create_task(http_server.serve(self.server, bound))

    async def close(self) -> None:
        if self.task is not None:
            self.server.should_exit = True
            await self.task

    async def officer(self, name: str, language: str = "sq", number: str = "") -> str:
        account = await self.notifier.person(name, language=language, email=False)
        address = self.notifier.keys.box(CONTACT_BOX).seal((number or NUMBER[name]).encode(), contact_context(account, "sms"))
        await self.notifier.rows(CONTACT, account=account, address=address)
        return account

    def lane(self, kannel: Kannel) -> dict[str, Lane]:
        provider = kannel.provider(receipts(self.base, self.secret))
        return {"sms": Lane(lambda: Gateway(provider), 4)}

    async def digits(self, name: str) -> str:
        where = "SELECT reference FROM notifier.delivery d JOIN notifier.person p ON p.account = d.person WHERE d.person = :person"
        (row,) = await self.notifier.rows(where, person=name)
        return code(self.notifier.keys, row.reference)

    async def comes(self, kind: type, count: int) -> list[Any]:
        """Return the events of a kind, once there are so many."""

        async def look() -> bool:
            return len(of(await self.notifier.drain(), kind)) >= count

        await until(look, what=lambda: f"{len(of(self.notifier.said, kind))} of {count} {kind.__name__}")
        return of(self.notifier.said, kind)


@pytest.fixture
async def served(notifier: Stack) -> AsyncIterator[Served]:
    made = Served(notifier, ports.free(1)[0])
    await made.open()
    yield made
    await made.close()


@pytest.fixture(scope="module")
def library() -> Path:
    """A folder with npm's `smpp`."""
    programs.needs("bearerbox", "smsbox", "node", "npm")
    return programs.library()


@asynccontextmanager
async def operator(served: Served, library: Path, folder: Path, more: str = "") -> AsyncIterator[tuple[Smsc, Kannel]]:
    async with programs.node(library) as smsc, programs.kannel(folder, smsc.port, served.replies, more) as kannel:
        yield smsc, kannel


async def test_a_message_and_its_receipt_and_a_reply(served: Served, library: Path, tmp_path: Path) -> None:
    besa = await served.officer("besa")
    offer = opened()
    async with operator(served, library, tmp_path) as (smsc, kannel), sending(served.notifier.sender_of(served.lane(kannel))):
        await served.notifier.tell(await served.notifier.case(), offer)
        (arrived,) = await served.comes(KnockDelivered, 1)
        (taken,) = smsc.taken()
        assert (arrived.person, arrived.channel, taken["to"].lstrip("+"), taken["coding"]) == (besa, "sms", NUMBER["besa"].lstrip("+"), 0)
        assert (len(taken["text"]) <= PART, "Kutia juaj" in taken["text"], taken["asks"] & 1) == (True, True, 1)
        digits = await served.digits(besa)
        assert digits in taken["text"]
        smsc.tell(reply={"from": NUMBER["besa"].lstrip("+"), "to": "1234", "text": f"1 {digits}"})
        smsc.tell(reply={"from": NUMBER["besa"].lstrip("+"), "to": "1234", "text": f"1 {digits}"})
        (answered,) = await served.comes(KnockAnswered, 1)
        assert (answered.person, answered.word, answered.offer_id) == (besa, "LOOKS", offer.offer_id)
        await until(lambda: sum("acknowledged" in line for line in smsc.said) == 3)
        assert len(smsc.taken()) == 1, "no message goes back"
    assert [type(e) for e in await served.notifier.drain()].count(KnockAnswered) == 1


@pytest.mark.parametrize("words", ["PO {}", "да {}", "2 {}"])
async def test_replies_in_letters_of_any_kind(served: Served, library: Path, tmp_path: Path, words: str) -> None:
    besa = await served.officer("besa", "sr-Cyrl")
    async with operator(served, library, tmp_path) as (smsc, kannel), sending(served.notifier.sender_of(served.lane(kannel))):
        await served.notifier.tell(await served.notifier.case(), opened())
        await served.comes(KnockDelivered, 1)
        smsc.tell(reply={"from": NUMBER["besa"].lstrip("+"), "to": "1234", "text": words.format(await served.digits(besa))})
        (answered,) = await served.comes(KnockAnswered, 1)
        assert (answered.person, answered.word) == (besa, "CANNOT" if words[0] == "2" else "LOOKS")


@pytest.mark.parametrize("state", ["UNDELIV", "EXPIRED", "REJECTD"])
async def test_what_the_operator_cannot_deliver_fails_the_rung(served: Served, library: Path, tmp_path: Path, state: str) -> None:
    besa = await served.officer("besa")
    async with operator(served, library, tmp_path) as (smsc, kannel), sending(served.notifier.sender_of(served.lane(kannel))):
        smsc.tell(mode={"status": 0, "receipt": state})
        await served.notifier.tell(await served.notifier.case(), opened())
        (failed,) = await served.comes(KnockFailed, 1)
        assert (failed.person, failed.reason) == (besa, "undelivered")
        assert [e.reason for e in await served.comes(RungFailed, 1)] == ["all-channels-failed"]


async def test_a_number_that_the_operator_refuses_is_reported_by_kannel_as_a_receipt(served: Served, library: Path, tmp_path: Path) -> None:
    """Kannel says 202 before it asks the operator: ESME_RINVDSTADR comes back as dlr 16."""
    await served.officer("besa")
    async with operator(served, library, tmp_path) as (smsc, kannel), sending(served.notifier.sender_of(served.lane(kannel))):
        smsc.tell(mode={"status": 0x0B, "receipt": None})
        await served.notifier.tell(await served.notifier.case(), opened())
        (failed,) = await served.comes(KnockFailed, 1)
        assert failed.reason == "undelivered"  # before or after we have written down that it was sent


async def test_receipts_late_doubled_and_contradicting(served: Served, library: Path, tmp_path: Path) -> None:
    await served.officer("besa")
    async with operator(served, library, tmp_path) as (smsc, kannel), sending(served.notifier.sender_of(served.lane(kannel))):
        smsc.tell(mode={"status": 0, "receipt": None})
        await served.notifier.tell(await served.notifier.case(), opened())
        await served.comes(KnockSent, 1)
        await until(lambda: len(smsc.taken()) == 1)
        (taken,) = smsc.taken()
        for state in ("DELIVRD", "DELIVRD", "UNDELIV"):
            smsc.tell(receipt={"id": taken["id"], "from": taken["from"], "to": taken["to"], "state": state})
        await until(lambda: sum("acknowledged" in line for line in smsc.said) == 3)
        await served.comes(KnockDelivered, 1)
    assert (len(of(await served.notifier.drain(), KnockDelivered)), of(served.notifier.said, KnockFailed)) == (1, [])


@pytest.mark.parametrize("away", ["notifier", "database"])
async def test_what_comes_back_while_we_are_away_comes_again(served: Served, library: Path, tmp_path: Path, away: str) -> None:
    """Without the notifier Kannel reaches nobody; without the database it hears 503. It repeats until it hears 200."""
    besa = await served.officer("besa")
    async with operator(served, library, tmp_path) as (smsc, kannel):
        async with sending(served.notifier.sender_of(served.lane(kannel))):
            smsc.tell(mode={"status": 0, "receipt": None})
            await served.notifier.tell(await served.notifier.case(), opened())
            await served.comes(KnockSent, 1)
        await until(lambda: len(smsc.taken()) == 1)
        await served.close()
        if away == "database":
            url = make_url(served.notifier.settings.database).set(host="127.0.0.1", port=ports.free(1)[0])
            settings = structs.replace(served.notifier.settings, database=url.render_as_string(hide_password=False))
            engine = database.engine(settings, "notifier", size=1)
            await served.open(engine)
        (taken,) = smsc.taken()
        smsc.tell(receipt={"id": taken["id"], "from": taken["from"], "to": taken["to"], "state": "DELIVRD"})
        smsc.tell(reply={"from": NUMBER["besa"].lstrip("+"), "to": "1234", "text": f"1 {await served.digits(besa)}"})
        await until(lambda: sum("acknowledged" in line for line in smsc.said) == 2)
        if away == "database":
            await until(lambda: served.server.server_state.total_requests >= 2, what="Kannel has heard 503")
            await served.close()
            await engine.dispose()
        assert of(await served.notifier.drain(), KnockAnswered) == []
        await served.open()
        assert len(await served.comes(KnockAnswered, 1)) == len(await served.comes(KnockDelivered, 1)) == 1


async def test_what_kannel_itself_says(served: Served, library: Path, tmp_path: Path) -> None:
    out = Outgoing(NUMBER["besa"], "3f0a91bc-0000-4000-8000-000000000000", "4711", "sq", False, "https://inbox.example/")

    async def send(provider: Provider, **changes: Any) -> None:
        line = Gateway(provider)
        try:
            await line.open()
            await line.send(replace(out, **changes))
        finally:
            await line.close()

    async with operator(served, library, tmp_path) as (smsc, kannel):
        provider = kannel.provider("")
        await send(provider)
        await until(lambda: len(smsc.taken()) == 1)
        with pytest.raises(Unreached, match="server-refuses-us"):
            await send(kannel.provider("", password="wrong"))
        await smsc.kill()
        await kannel.connected(False)
        for _ in range(3):
            with pytest.raises(Unreached, match="server-busy"):
                await send(provider, reference="another")
        await smsc.start()
        await until(lambda: len(smsc.taken()) == 2)
        await send(provider, reference="a third")
        await until(lambda: len(smsc.taken()) == 3)
    with pytest.raises(Unreached, match="server-away"):
        await send(provider, reference="a fourth")


async def test_the_first_kannel_is_killed_under_load(served: Served, library: Path, tmp_path: Path) -> None:
    """60 officers, two operators: the first Kannel dies after 15 messages, and later starts again with what it had stored."""
    people = [await served.officer(f"p{n}", number=f"+3834400{n:04}") for n in range(60)]
    async with operator(served, library, tmp_path / "a") as (one, first), operator(served, library, tmp_path / "b") as (two, second):
        callback = receipts(served.base, served.secret)
        made = {name: partial(Gateway, k.provider(callback, name=name)) for name, k in (("sms-1", first), ("sms-2", second))}
        breakers = Providers(served.notifier.engine, "sms", [*made], lambda: 0.0)

        def to(smsc: Smsc) -> Counter[str]:
            return Counter(taken["to"] for taken in smsc.taken())

        async with sending(served.notifier.sender_of({"sms": lane(made, breakers, 15.0)})):
            await served.notifier.tell(await served.notifier.case(), opened())
            await until(lambda: len(one.taken()) >= 15)
            first.kill()
            killed_at = time.monotonic()
            await until(lambda: everybody_left(served.notifier, len(people) - LINES))
            took = time.monotonic() - killed_at
            await served.notifier.advance(UNSURE_SECONDS * SECOND_US)
            await until(lambda: everybody_left(served.notifier, len(people)))
        async with programs.kannel(tmp_path / "a", one.port, served.replies):
            await until(lambda: len(to(one) | to(two)) == len(people), what=lambda: f"{len(to(one) | to(two))} officers have their message")
        await served.comes(KnockDelivered, len({taken["to"] for taken in two.taken()}))
    by_us, by_kannel = len({*to(one)} & {*to(two)}), to(one).total() - len(to(one))
    print(f"after the kill all but what was under way left in {took:.2f} s; doubled by us {by_us}, by Kannel {by_kannel}")
    assert (by_us <= LINES, to(two).total()) == (True, len(to(two))), "at most one double for each message in flight"
    assert by_kannel <= PENDING, "Kannel says again what it had sent and nobody had confirmed"


async def everybody_left(notifier: Stack, people: int) -> bool:
    """Whether so many messages have left."""
    return (await notifier.states()).count("SENT") >= people


@pytest.mark.parametrize("language", [*WORDINGS])
@pytest.mark.parametrize("drill", [False, True])
async def test_every_wording_is_one_part_of_gsm_letters(served: Served, library: Path, tmp_path: Path, language: str, drill: bool) -> None:
    out = Outgoing(NUMBER["besa"], "3f0a91bc-0000-4000-8000-000000000000", "4711", language, drill, "https://inbox.example/")
    async with operator(served, library, tmp_path) as (smsc, kannel):
        line = Gateway(kannel.provider(""))
        await line.open()
        await line.send(out)
        await line.close()
        await until(lambda: smsc.taken())
        assert [(taken["text"], taken["coding"]) for taken in smsc.taken()] == [(short(out), 0)]


@pytest.mark.parametrize(("more", "arrives"), [("msg-id-type = 0x01\n", True), ("", False)])
async def test_an_operator_whose_ids_are_hexadecimal_once_and_decimal_once(
    served: Served, library: Path, tmp_path: Path, more: str, arrives: bool
) -> None:
    """jSMPP's simulator, as some operators: without Kannel's msg-id-type no receipt is matched."""
    programs.needs("java")
    besa = await served.officer("besa")
    async with (
        programs.jsmpp(tmp_path) as port,
        programs.kannel(tmp_path / "kannel", port, served.replies, more) as kannel,
        sending(served.notifier.sender_of(served.lane(kannel))),
    ):
        await served.notifier.tell(await served.notifier.case(), opened())
        await served.comes(KnockSent, 1)
        if arrives:
            assert [e.person for e in await served.comes(KnockDelivered, 1)] == [besa]
        else:
            log = tmp_path / "kannel" / "bearerbox.log"
            await until(lambda: "could not find" in log.read_text(), what="Kannel finds no message for the receipt")
            assert of(await served.notifier.drain(), KnockDelivered) == []


@pytest.mark.parametrize("which", [0, 1, 2], ids=["admin", "inner", "sendsms"])
async def test_kannel_starts_on_other_ports_when_a_foreign_program_takes_one(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    free, asked = ports.free, []
    async with programs.node(library) as smsc:
        with closing(socket.create_server(("127.0.0.1", 0))) as foreign:
            taken = foreign.getsockname()[1]

            def unlucky(count: int) -> list[int]:
                asked.append(count)
                chosen = free(count)
                return [taken if place == which and len(asked) == 1 else port for place, port in enumerate(chosen)]

            monkeypatch.setattr(programs.ports, "free", unlucky)
            async with programs.kannel(tmp_path, smsc.port, "http://127.0.0.1:1/reply") as kannel:
                assert asked == [3, 3] and taken not in (kannel.port, kannel.admin)


async def test_the_configuration_in_the_operators_page_works(served: Served, library: Path, tmp_path: Path) -> None:
    """Every line of it, with the capitals replaced, and free ports and a folder of the test in place of fixed ones."""
    page = (CHECKOUT / "docs" / "operators.md").read_text("utf-8")
    conf = page.partition("```ini\n")[2].partition("```")[0]
    besa = await served.officer("besa")
    async with programs.node(library) as smsc:
        admin, inner, port = ports.free(3)
        told = {"13000": admin, "13001": inner, "13013": port, "SMPP-HOST": "127.0.0.1", "SMPP-PORT": smsc.port, "SMPP-USER": "j"}
        told |= {"SMPP-PASSWORD": "jpwd", "ADMIN-PASSWORD": programs.PASSWORD, "SENDSMS-PASSWORD": programs.PASSWORD}
        told |= {"NOTIFIER-URL": served.base, "SECRET": served.secret, "/var/log/kannel": tmp_path, "/var/spool/kannel": tmp_path}
        for word, value in told.items():
            assert word in conf, word
            conf = conf.replace(word, str(value))
        async with programs.configured(tmp_path, conf, Kannel(tmp_path, port, admin), inner) as kannel:
            async with sending(served.notifier.sender_of(served.lane(kannel))):
                await served.notifier.tell(await served.notifier.case(), opened())
                await served.comes(KnockDelivered, 1)
            smsc.tell(reply={"from": NUMBER["besa"].lstrip("+"), "to": "1234", "text": f"1 {await served.digits(besa)}"})
            assert [e.word for e in await served.comes(KnockAnswered, 1)] == ["LOOKS"]
        written = "".join(log.read_text(errors="replace") for log in tmp_path.glob("*.log"))
        assert "Kannel" in written and NUMBER["besa"].lstrip("+") not in written, "its logs hold nobody's number"
