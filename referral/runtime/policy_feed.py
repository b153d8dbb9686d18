"""Follow the policy bundles: every instance of every service reads the topic `referral-policy` from its start, without a lease."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from referral.domain.events import PolicyActivated
from referral.errors import Malformed, NewerVersion
from referral.runtime import observe
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.wire import codec, headers
from referral.wire import policy_digest as files

TOPIC = "referral-policy"
AGAIN = 1.0  # seconds before a retry when the broker is away


@dataclass(frozen=True, slots=True)
class Bundle:
    """One activation of a policy bundle. number: dense from 1. at: time, µs UTC. files: path below policy/ → exact bytes."""

    number: int
    digest: str
    at: int
    files: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Bundle({self.number} {self.digest[:12]})"


@dataclass(slots=True)
class Chain:
    """The accepted bundles of the topic: for each next number, the first bundle; it is in force from then on."""

    known: dict[int, Bundle] = field(default_factory=dict)

    def take(self, record: ConsumerRecord) -> str:
        """Accept a record, or return the word for why it is skipped; empty: it is accepted, or repeats an accepted one."""
        try:
            bundle = _bundle(record)
        except Malformed as error:
            return error.reason
        except NewerVersion:  # nothing is lost: each start reads the topic from its beginning
            return "newer-version"
        known = self.known.get(bundle.number)
        if known is None and bundle.number == len(self.known) + 1:
            self.known[bundle.number] = bundle
            return ""
        return "" if known is not None and known.digest == bundle.digest else "policy-sequence"

    @property
    def newest(self) -> Bundle | None:
        """Return the bundle in force; None before the first."""
        return self.known.get(len(self.known))


class Bundles:
    """All bundles so far. They grow while `run` runs in the background of the service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chain = Chain()
        self._known = self._chain.known
        self._news = asyncio.Condition()
        self._caught_up = False

    @property
    def current(self) -> Bundle | None:
        """Return the bundle in force; None before the first."""
        return self._chain.newest

    @property
    def caught_up(self) -> bool:
        """Return whether all records that the topic held at the start have been read."""
        return self._caught_up

    @property
    def all(self) -> tuple[Bundle, ...]:
        """Return every bundle, in order."""
        return tuple(self._known[number] for number in sorted(self._known))

    async def wait(self, number: int = 1) -> Bundle:
        """Wait until bundle `number` was in force and the topic is read up to its end at the start. Return the newest bundle."""
        async with self._news:
            await self._news.wait_for(lambda: self._caught_up and len(self._known) >= number)
        assert self.current is not None
        return self.current

    async def run(self) -> None:
        """Follow the topic until cancelled, also across broker failures. Log and skip invalid records; the bundle in force stays so."""
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError, TimeoutError) as error:
                observe.log().warning("policy topic away", kind=type(error).__name__)
                await asyncio.sleep(AGAIN)

    async def _follow(self) -> None:
        consumer = clients.consumer(self._settings, max_partition_fetch_bytes=clients.POLICY_FETCH)
        await consumer.start()
        try:
            tp = TopicPartition(self._settings.topic(TOPIC), 0)
            consumer.assign([tp])
            consumer.seek(tp, (await consumer.beginning_offsets([tp]))[tp])
            end = (await consumer.end_offsets([tp]))[tp]
            while True:
                await self._take(consumer, tp, end)
        finally:
            await clients.halt(consumer)

    async def _take(self, consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> None:
        records = (await consumer.getmany(tp, timeout_ms=1000 if self._caught_up else 50)).get(tp, [])
        for record in records:
            if reason := self._chain.take(record):
                observe.POLICY_PASSED_OVER.labels(reason).inc()
                observe.log().error("policy passed over", topic=TOPIC, offset=record.offset, reason=reason)
        caught_up = self._caught_up or await consumer.position(tp) >= end
        if records or caught_up != self._caught_up:
            async with self._news:
                self._caught_up = caught_up
                self._news.notify_all()


def follow(settings: Settings) -> Bundles:
    """Return the bundles to follow; pass their `run` to process.run(background=…)."""
    return Bundles(settings)


def _bundle(record: ConsumerRecord) -> Bundle:
    """Return the bundle of a record. Malformed: it holds none, or its files have another digest. NewerVersion: of the event."""
    type_ = headers.type_of(record.headers)
    body = codec.decode(type_, codec.fingerprint(type_) if type_ == PolicyActivated.TYPE else 0, record.value or b"")
    if not isinstance(body, PolicyActivated):
        raise Malformed("policy-type", type_)
    if files.digest(body.files) != body.digest:
        raise Malformed("policy-digest", type_)
    return Bundle(body.number, body.digest, body.at, body.files)
