"""New cases and answers through the real doors, from clients that keep a key and send again until they are told that it is durable.

Most referrals come by HTTP; some by Kafka, whose producer is told that a record is durable, and is told nothing of what becomes of it:
that is asked for at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from referral.cli.stack import cast
from referral.client import encrypt
from referral.local.stack import Stack
from referral.runtime.kafka import clients
from referral.runtime.kafka.clients import create_ingress
from referral.runtime.settings import Settings
from tests.harness import callers

Json = dict[str, Any]
PLACES = ("prishtine", "prizren", "novoberde")
ANYWHERE = ("adult-shelter-", "institution-", "ngo-", "shelter-", "small-home-", "dsw", "iom", "isf")
"""Agencies that are asked beside those of PLACES. The others are never asked, and each that answers costs a certificate."""
URGENCY = ("routine", "urgent", "emergency")
SENDER = "school-drita"
WAIT_S = 0.2
BY_KAFKA = 0.2
"""Share of the referrals that come by `ingress.<agency>`."""
LATER = (429, 503)
"""Answers that say to send the same again: an exercise of 250 referrals uses up what one instance takes of an agency in an hour."""
WORKERS = 4
"""Agencies that answer at the same time."""


@dataclass
class Load:
    """stack: all its intakes are asked. rate: new cases a second. Each thing sent is kept with its receipt: that is the promise to check.

    receipts: Idempotency-Key → (body, receipt) of referrals. answers: the same of responses.
    published: keys of records that the broker took. settings: of the stack; without them nothing comes by Kafka.
    """

    stack: Stack
    seed: int
    rate: float = 2.0
    settings: Settings | None = None
    receipts: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    answers: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    refused: int = 0
    retries: int = 0

    def __post_init__(self) -> None:
        self.cast = cast.load(self.stack.config.data)
        self._urls = [self.stack.url("intake", n + 1) for n in range(self.stack.config.instances)]
        self._random = random.Random(self.seed)
        self._ended = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None

    async def run(self) -> None:
        """Until `end`; then every request under way is still brought to its receipt."""
        async with callers.client(self.stack, timeout=8) as http, self._by_kafka(http), asyncio.TaskGroup() as group:
            group.create_task(self._refer(http, group))
            for number in range(WORKERS):
                group.create_task(self._answer(http, random.Random(self.seed * 10 + number)))

    def end(self) -> None:
        self._ended.set()

    @property
    def done(self) -> int:
        """Things that were acknowledged."""
        return len(self.receipts) + len(self.answers) + len(self.published)

    async def _refer(self, http: httpx.AsyncClient, group: asyncio.TaskGroup) -> None:
        for number in itertools.count():
            if await self._over(self._random.expovariate(self.rate)):
                return
            key, body = f"load-{self.seed}-{number}", self._body()
            by_kafka = self._producer is not None and self._random.random() < BY_KAFKA
            group.create_task(self._publish(key, body) if by_kafka else self._one(http, key, body))

    def _body(self) -> Json:
        draw = self._random
        traits = {"concern": "trafficking", "age": draw.choice(("child", "uncertain")), "found_in": draw.choice(PLACES)}
        traits |= {"urgency": draw.choice(URGENCY), "sex": draw.choice(("female", "male")), "age_band": "12-14"}
        return {"traits": traits, "file": {"identity": {"name": f"Made Up {draw.randrange(10**6)}"}}, "drill": True}

    async def _one(self, http: httpx.AsyncClient, key: str, body: Json) -> None:
        answer = await self.send(http, SENDER, "/v1/referrals", key, body)
        assert answer.status_code == 202, (answer.status_code, answer.text)
        self.receipts[key] = body, answer.json()

    @contextlib.asynccontextmanager
    async def _by_kafka(self, http: httpx.AsyncClient) -> AsyncIterator[None]:
        """Be the agency's own producer, where there is a broker to produce to."""
        if self.settings is None:
            yield
            return
        self._topic = await create_ingress(self.settings, SENDER)
        self._key = bytes.fromhex((await self.ask(http, SENDER, "/v1/ingress-key")).json()["public_key"])
        self._producer = AIOKafkaProducer(**clients.reached(self.settings), enable_idempotence=True)
        await self._producer.start()
        try:
            yield
        finally:
            await self._producer.stop()

    async def _publish(self, key: str, body: Json) -> None:
        """Until the broker says that it has it; a record that is there twice is one submission."""
        assert self._producer is not None
        codes = {name: value for name, value in body.items() if name != "file"}
        value = encrypt(self._key, f"ingress.{SENDER}", json.dumps(codes).encode())
        while True:
            try:
                await self._producer.send_and_wait(self._topic, value, headers=[("ce_id", key.encode())], partition=0)
            except KafkaError:
                self.retries += 1
                await asyncio.sleep(WAIT_S)
            else:
                self.published.append(key)
                return

    async def _answer(self, http: httpx.AsyncClient, draw: random.Random) -> None:
        agencies = sorted(name for name in self.cast.tokens if name.endswith(PLACES) or name.startswith(ANYWHERE))
        while not await self._over(WAIT_S):
            agency = draw.choice(agencies)
            found = await self._ask(http, agency)
            for offer in draw.sample(found, min(3, len(found))):
                body = _choose(offer, draw)
                if body is None:
                    continue
                key = f"{offer['offer_id']}-{draw.randrange(10**9)}"
                answer = await self.send(http, agency, f"/v1/offers/{offer['offer_id']}/responses", key, body)
                if answer.status_code == 202:
                    self.answers[key] = body, answer.json()
                else:
                    self.refused += 1
                    assert answer.status_code < 500, (answer.status_code, answer.text)

    async def _ask(self, http: httpx.AsyncClient, agency: str) -> list[Json]:
        try:
            answer = await http.get(f"{self._url()}/v1/offers", headers=self._token(agency))
        except httpx.TransportError:
            return []
        return list(answer.json()["offers"]) if answer.status_code == 200 else []

    async def send(self, http: httpx.AsyncClient, agency: str, path: str, key: str, body: Json) -> httpx.Response:
        """The first real answer: a lost connection, a dead instance, or an answer of LATER is tried again with the same key."""
        while True:
            try:
                answer = await http.post(f"{self._url()}{path}", json=body, headers={**self._token(agency), "Idempotency-Key": key})
            except httpx.TransportError:
                self.retries += 1
            else:
                if answer.status_code not in LATER:
                    return answer
                self.retries += 1
            await asyncio.sleep(WAIT_S)

    async def ask(self, http: httpx.AsyncClient, agency: str, path: str) -> httpx.Response:
        """The first real answer to a question."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await http.get(f"{self._url()}{path}", headers=self._token(agency))
                if answer.status_code != 503:
                    return answer
            await asyncio.sleep(WAIT_S)

    def _url(self) -> str:
        return self._random.choice(self._urls)

    def _token(self, agency: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.cast.tokens[agency]}"}

    async def _over(self, seconds: float) -> bool:
        """Wait so long, or until the end; True at the end."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _choose(offer: Json, draw: random.Random) -> Json | None:
    """One plausible answer: mostly yes, sometimes no, and a decision with what it needs."""
    words = list(offer["words"])
    texts = dict.fromkeys(offer["needs"], "made up")
    if "DECIDE" in words:
        return {"word": "DECIDE", "code": draw.choice(offer["codes"]), "texts": texts}
    if "DECLINE" in words and offer["reasons"] and draw.random() < 0.15:
        return {"word": "DECLINE", "reason": draw.choice(offer["reasons"])}
    likely = [word for word in ("ACCEPT", "ARRIVE", "COMPLETE", "ACKNOWLEDGE") if word in words]
    return {"word": draw.choice(likely)} if likely else None
