"""Oversight's process on a real broker and database, which it is given as the line would have left them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.domain.events import PolicyActivated
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys as keys
from referral.runtime.postgres import clock, database
from referral.runtime.settings import CHECKOUT, Settings
from referral.wire import codec, headers, policy_digest, seal, topics
from services.oversight import store
from services.oversight.release import Release
from tests.harness.oversight_log import Record
from tests.harness.policies import bundle
from tests.harness.programs import Program, running
from tests.harness.waiting import until

LATER = 10_227 * 86_400_000_000
"""µs of 28 years, after which the calendar repeats: a simulated 2026 becomes 2054, and no clock passes one of its months by itself."""
SENT = 500
"""Records that are on their way at once."""


@dataclass(slots=True)
class Line:
    """What the line has left: records on the topics, keys, a policy in force. Made-up cases. keys: by case."""

    settings: Settings
    admin: AsyncEngine
    producer: AIOKafkaProducer
    keys: dict[str, bytes] = field(default_factory=dict)

    async def policy(self) -> None:
        """The shipped one comes into force."""
        files = policy_digest.read(CHECKOUT / "policy")
        body = bundle(1, files)
        told = headers.plain(PolicyActivated.TYPE, id=policy_digest.digest(files), source="routing", at=1)
        await self.producer.send_and_wait(self.settings.topic(body.TOPIC), codec.encode(body), key=b"1", partition=0, headers=told)

    async def write(self, records: Iterable[Record]) -> None:
        """As their writers would have written them, in this order, LATER."""
        records = list(records)
        new = sorted({meta.case_id for _, meta, _ in records} - set(self.keys))
        async with self.admin.begin() as tx:
            self.keys |= {} if not new else await keys.read(self.settings).create_all(tx, new)
        batches: dict[tuple[str, int], list[tuple[bytes, bytes]]] = defaultdict(list)
        for topic, meta, body in records:
            meta = structs.replace(meta, fingerprint=codec.fingerprint(meta.type), recorded_at=meta.recorded_at + LATER)
            value = seal.seal(self.keys[meta.case_id], topic, meta, codec.encode(body), os.urandom(12))
            batches[topic, topics.partition(meta.case_id)].append((meta.case_id.encode(), value))
        for (topic, partition), found in batches.items():
            for part in (found[n : n + SENT] for n in range(0, len(found), SENT)):
                await asyncio.gather(*[await self.raw(topic, partition, key, value) for key, value in part])

    async def raw(self, topic: str, partition: int, key: bytes, value: bytes) -> asyncio.Future[Any]:
        """Anything at all."""
        sent: asyncio.Future[Any] = await self.producer.send(self.settings.topic(topic), value, key=key, partition=partition)
        return sent

    async def at(self, moment: int) -> None:
        """The clock stands there, µs UTC, or later."""
        async with self.admin.begin() as tx:
            await clock.advance(tx, self.settings, max(moment - await clock.now(tx), 0))

    async def releases(self) -> tuple[list[Release], set[int]]:
        """Those that are stored, and the numbers of those that are not published."""
        async with self.admin.connect() as tx:
            return await store.releases(tx)

    async def published(self, month: str) -> list[Release]:
        """All of them, once that of a month is stored and on the feed."""

        async def look() -> list[Release]:
            found, waiting = await self.releases()
            return found if not waiting and any(release.made.month == month for release in found) else []

        return await until(look)  # type: ignore[no-any-return]

    async def forget(self, *, feed_too: bool = False) -> None:
        """Its releases, as if none had been made: in the database, and (feed_too) on the feed; and what it has counted."""
        if feed_too:
            await self._empty(self.settings.topic("oversight-feed"))
        async with self.admin.begin() as tx:
            await tx.execute(text("ALTER TABLE oversight.release DISABLE TRIGGER USER"))
            await tx.execute(text("TRUNCATE oversight.cut, oversight.release"))
            await tx.execute(text("ALTER TABLE oversight.release ENABLE TRIGGER USER"))
            await tx.execute(text("TRUNCATE oversight.progress, oversight.counted"))

    async def _empty(self, topic: str) -> None:
        admin = clients.admin(self.settings)
        await admin.start()
        try:
            await admin.delete_topics([topic])

            async def gone() -> bool:
                return topic not in await admin.list_topics()

            await until(gone)
        finally:
            await admin.close()
        await clients.create_topics(self.settings)


@contextlib.asynccontextmanager
async def line(settings: Settings) -> AsyncIterator[Line]:
    """Its policy is in force."""
    admin, producer = database.admin(settings), clients.producer(settings)
    await producer.start()
    try:
        made = Line(settings, admin, producer)
        await made.policy()
        yield made
    finally:
        await producer.stop()
        await admin.dispose()


async def metrics(oversight: Program) -> list[str]:
    """Metrics that describe oversight itself, not Python, and not how long its certificate is good, which runs by itself."""
    async with httpx.AsyncClient(timeout=30) as client:
        rows = (await client.get(f"{oversight.inner}/metrics")).text.splitlines()
    return [row for row in rows if row.startswith("referral_") and not row.startswith("referral_certificate_ends_seconds")]


def process(settings: Settings, *before: str) -> contextlib.AbstractAsyncContextManager[Program]:
    """Oversight for the length of a block. before: a command that runs it, such as strace."""
    return running(settings, "services.oversight", before=before)
