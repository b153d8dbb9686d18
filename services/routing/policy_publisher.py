"""Publish policy bundles: `referral policy activate` stores one, the owner of p0 publishes and confirms it here, then it is in force.

The record of a bundle has the same bytes whoever publishes it, so two publishers at a take-over do no harm: readers drop repeats.
"""

from __future__ import annotations

import asyncio

import msgspec
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog import get_logger

from referral.domain.events import PolicyActivated
from referral.domain.inputs import derived
from referral.domain.policy import policy
from referral.errors import Unavailable
from referral.runtime import policy_feed
from referral.runtime.background import pause
from referral.runtime.kafka import clients, scan
from referral.runtime.policy_feed import Chain
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings
from referral.wire import codec, headers

log = get_logger("routing")
EVERY = 5.0
"""Seconds (ours) between two looks without a notification: one may be missed, and p0 may come to this instance."""
READ = 30.0  # seconds to read the topic
FAMILY = "6f1f3f7e-6a7c-5f0e-9d0a-0d4b4d0f5f5e"
"""Any fixed id: event ids of bundles are derived from it, so that a republished bundle is the same event."""

NEXT = text(
    "SELECT number, digest, files, activated, valid_from, before, signatures FROM routing.policy WHERE confirmed IS NULL AND NOT EXISTS"
    " (SELECT FROM routing.lease WHERE unit = 'p0' AND owner <> :me AND lease_until > clock_timestamp()) ORDER BY number LIMIT 1"
)
CONFIRM = text("UPDATE routing.policy SET confirmed = :at WHERE number = :number AND confirmed IS NULL")
FILES = text("SELECT files FROM routing.policy WHERE number = :number")
LOCK = text("SELECT FROM routing.place ORDER BY service_id FOR UPDATE")
CAPACITY = text(
    "INSERT INTO routing.place (service_id, capacity) SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:places AS int[]))"
    " ON CONFLICT (service_id) DO UPDATE SET capacity = excluded.capacity"
)
GONE = text("UPDATE routing.place SET capacity = 0 WHERE service_id <> ALL(CAST(:ids AS text[]))")


class PolicyFork(Exception):
    """Topic referral-policy holds another bundle under this number: an older database was restored. Run `referral recover`."""


async def publish(settings: Settings, engine: AsyncEngine, news: asyncio.Event) -> None:
    """Publish waiting bundles in the order of their numbers, for ever, beside the loop. news: set when one may wait."""
    while True:
        news.clear()
        try:
            while await once(settings, engine):
                pass
        except PolicyFork as error:
            log.error("policy_fork", reason=str(error))
        except (KafkaError, OSError) as error:
            log.warning("policy_publish_failed", reason=type(error).__name__)
        except Exception as error:
            if not (database.away(error) or isinstance(error, Unavailable)):
                raise
            log.warning("policy_publish_failed", reason=type(error).__name__)
        await pause(news, EVERY)


async def once(settings: Settings, engine: AsyncEngine) -> bool:
    """Publish and confirm one waiting bundle unless another instance owns p0. Return whether one was published.

    A bundle that its readers would pass over is not published: it waits, and `referral doctor` says so. PolicyFork: the topic differs.
    """
    async with engine.connect() as connection:
        row = (await connection.execute(NEXT, {"me": settings.instance})).one_or_none()
    if row is None:
        return False
    body, chain = policy_feed.stored(row), await topic(settings)
    published = chain.newest
    if published is None or published.number < row.number:
        if reason := chain.add(body):
            log.error("policy_refused", number=row.number, reason=reason)
            return False
        await _send(settings, body)
    elif published.number > row.number or published.digest != row.digest:
        raise PolicyFork(f"bundle {row.number}: the topic ends with bundle {published.number}")
    async with engine.begin() as tx:
        await confirm(tx, row.number)
    log.info("policy_activated", number=row.number)
    return True


async def topic(settings: Settings) -> Chain:
    """Return the believed bundles of referral-policy, chosen as its readers do: records that are not ours are ignored."""
    chain = Chain(policy_feed.trusted(settings))
    async with asyncio.timeout(READ):
        async for _, record in scan.whole(settings, [PolicyActivated.TOPIC]):
            chain.take(record)
    return chain


async def _send(settings: Settings, body: PolicyActivated) -> None:
    record_headers = headers.plain(PolicyActivated.TYPE, id=derived(FAMILY, body.number), source="routing", at=body.at)
    writer = clients.producer(settings)
    await writer.start()
    try:
        name = settings.topic(PolicyActivated.TOPIC)
        await writer.send_and_wait(name, codec.encode(body), key=str(body.number).encode(), partition=0, headers=record_headers)
    finally:
        await writer.stop()


async def confirm(tx: AsyncConnection, number: int) -> None:
    """Mark a bundle as published. From the next batch it is in force, with the capacities of its directory."""
    files = (await tx.execute(FILES, {"number": number})).scalar_one()
    compiled = policy.compile(msgspec.msgpack.decode(files, type=dict[str, bytes]))  # the procedures before it have no capacities
    places = dict(sorted(compiled.capacities().items()))
    await tx.execute(LOCK)
    await tx.execute(CAPACITY, {"ids": list(places), "places": list(places.values())})
    await tx.execute(GONE, {"ids": list(places)})
    await tx.execute(CONFIRM, {"at": await clock.now(tx), "number": number})
