"""A notifier whose officers have telephones only, the door that takes what comes back, and the gateway that takes its SMS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from referral.channels.gateway import Gateway, receipts
from referral.channels.lane import Lane
from referral.runtime import http_server
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from services.notifier import door
from services.notifier.answers import Answers, code
from services.notifier.metrics import Figures
from services.notifier.told import WhoWasTold
from tests.harness import gateway
from tests.harness.line.notifier_stack import Stack, opened, sending
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


@asynccontextmanager
async def phones(notifier: Stack) -> AsyncIterator[Phones]:
    """Officers of this notifier, with a gateway and a door."""
    async with gateway.gateway() as server, client(notifier) as http:
        yield Phones(notifier, server, http)
