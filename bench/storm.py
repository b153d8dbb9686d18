"""Measure a storm of knocks: ten thousand at once for two thousand people, and how soon a key becomes an acknowledgement."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import asyncpg
from msgspec import Struct

from bench import fill
from bench.ground import Ground, admin, say, until
from bench.rows import Row, at_most
from bench.weight import peak
from referral.channels import Outgoing, gateway
from referral.channels.gateway import Gateway
from referral.channels.lane import LINES
from referral.domain.durations import MINUTE_US
from referral.domain.events import OfferKind, OfferOpened, Reach, Why
from referral.domain.inputs import Input, Source
from referral.local.stack import Stack
from referral.roster import changes as roster
from referral.runtime import settings
from referral.runtime.keys import case_keys
from referral.runtime.loop.outbox import compose
from referral.runtime.postgres import database
from referral.wire import topics

AGENCIES, STAFF, OFFERS = 200, 10, 5
"""200 agencies with 10 people each on duty, 5 offers an agency: 10,000 knocks."""
KNOCKS = AGENCIES * STAFF * OFFERS
MEMORY_MB = 200
FIRST_S, ALL_S = 20.0, 60.0
TOPIC = "referral-routing"
WHY = Why(rule="applies", procedure="", directory="", engine=1, passed=())
ACCOUNT = (
    "INSERT INTO intake.account (id, login, password, agency, language, desk, disabled, created_at)"
    " SELECT id, id, '', agency, 'sq', false, false, 0 FROM unnest($1::text[], $2::text[]) AS n (id, agency)"
)
SENT = "SELECT count(*) FROM notifier.delivery WHERE state = 'SENT'"
MESSAGES = "SELECT count(DISTINCT reference) FROM notifier.delivery WHERE state = 'SENT'"
TIMES = "SELECT person, min(ended_at) AS first, max(ended_at) AS last FROM notifier.delivery WHERE state = 'SENT' GROUP BY person"


def agency(number: int) -> str:
    return f"storm-{number}"


def offer(agency_: str, due: int) -> OfferOpened:
    """Return an offer that everybody on duty of this agency is knocked for."""
    values: dict[str, object] = dict.fromkeys(OfferOpened.__struct_fields__, "")
    values |= dict.fromkeys(("shows", "words", "reasons", "codes", "needs", "skip"), ())
    values |= {"head": None, "why": WHY, "round": 0, "seat": 0, "kind": OfferKind.REQUEST, "reach": Reach.WEB, "rung": 0}
    values |= {"offer_id": str(uuid.uuid4()), "track_id": str(uuid.uuid4()), "agency": agency_, "ladder": ("duty",)}
    return OfferOpened(**(values | {"due": due, "due_what": "acknowledge"}))  # type: ignore[arg-type]


async def staff(made: Stack, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Add two thousand made-up people, each with a mobile number."""
    people = [
        roster.Person(account=str(uuid.uuid4()), agency=agency(a), rungs=("duty",), sms=f"+99938{a:04}{n:02}")
        for a in range(AGENCIES)
        for n in range(STAFF)
    ]
    await connection.execute(ACCOUNT, [p.account for p in people], [p.agency for p in people])
    engine = database.admin(made.settings)
    try:
        async with engine.begin() as tx:
            await roster.add_people(tx, case_keys.read(made.settings), people)
    finally:
        await engine.dispose()


async def opened(made: Stack, bodies: Iterable[Struct]) -> None:
    """Write one event each for as many new cases to routing's topic, as routing would."""
    listed = list(bodies)
    ids = [str(uuid.uuid4()) for _ in listed]
    chest = await fill.case_keys(made, ids)
    now = time.time_ns() // 1000
    causes = [
        Input(id=str(uuid.uuid4()), case_id=i, body=b, source=Source(topic="queue"), at=now) for i, b in zip(ids, listed, strict=True)
    ]
    composed, _ = compose(list(zip(causes, listed, strict=True)), "routing", TOPIC, now, chest, {}, bytes(32))
    waiting = {partition: iter(records) for partition, records in composed.items()}
    places = [topics.partition(i) for i in ids]
    await fill.produce(made, [(place, next(waiting[place])) for place in places], TOPIC)


@asynccontextmanager
async def _gateway() -> AsyncIterator[str]:
    """Run a gateway that takes every SMS, and let the notifiers that start meanwhile use it. Its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/cgi-bin/sendsms"
    os.environ["REFERRAL_SMS"] = url
    try:
        yield url
    finally:
        del os.environ["REFERRAL_SMS"]
        server.close()


async def bare(url: str) -> float:
    """Return the seconds in which the channel alone hands over one SMS for each person, on as many lines as the notifier has."""
    (found,) = gateway.providers(settings.read({"REFERRAL_SMS": url}), "")
    numbers = iter(range(AGENCIES * STAFF))

    async def line() -> None:
        channel = Gateway(found)
        for n in numbers:
            await channel.open()
            await channel.send(Outgoing(f"+99938{n:06}", str(uuid.UUID(int=n)), "4711", "sq", True, "http://localhost"))
        await channel.close()

    began = time.perf_counter()
    await asyncio.gather(*(line() for _ in range(LINES)))
    return time.perf_counter() - began


async def storm(at: Ground) -> AsyncIterator[Row]:
    """Measure from the first record on the topic until each person has heard, and until everything was handed over."""
    async with _gateway() as url, at.line("notifier") as made, admin(made) as connection:
        await staff(made, connection)
        due = await connection.fetchval("SELECT runtime.clock()") + 15 * MINUTE_US
        say(f"{KNOCKS:,} knocks for {AGENCIES * STAFF:,} people at once")
        began = await connection.fetchval("SELECT runtime.clock()")
        await opened(made, [offer(agency(a), due) for a in range(AGENCIES) for _ in range(OFFERS)])
        await until(lambda: reached(connection))
        times = await connection.fetch(TIMES)
        yield at_most(
            f"{KNOCKS:,} knocks at once: everybody's first one", max(row["first"] for row in times) / 1e6 - began / 1e6, "s", FIRST_S
        )
        yield at_most(f"{KNOCKS:,} knocks at once: all", max(row["last"] for row in times) / 1e6 - began / 1e6, "s", ALL_S)
        alone = await bare(url)
        messages = await connection.fetchval(MESSAGES)
        yield Row(
            name="messages a second in the storm",
            value=messages / (max(row["last"] for row in times) / 1e6 - began / 1e6),
            unit="1/s",
            reference=AGENCIES * STAFF / alone,
            against="the channel alone",
        )
        yield at_most("memory of notifier in the storm", peak(made["notifier-1"].pid), "MB", MEMORY_MB)


async def reached(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
    return int(await connection.fetchval(SENT)) >= KNOCKS
