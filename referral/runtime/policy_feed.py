"""Follow the policy bundles: every instance of every service reads the topic `referral-policy` from its start, without a lease.

A bundle that two signers did not sign is passed over: the one before stays in force, a metric and `referral doctor` say so, and the record
stays where it is, for everybody to see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import Row

from referral.domain.events import PolicyActivated, PolicySignature
from referral.domain.signers import NEEDED
from referral.errors import Malformed, NewerVersion, Rejected
from referral.runtime import observe, trust_file
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.wire import codec, headers
from referral.wire.signed.policy_signature import Believed, Trusted

TOPIC = "referral-policy"
CHANNEL = "routing_policy"
"""Channel of PostgreSQL on which routing hears that a bundle waits for its publication."""
AGAIN = 1.0  # seconds before a retry when the broker is away
REST = 5000
"""Milliseconds (ours) for which a fetch waits at the broker, which answers at once when a bundle comes; half of a request's limit."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One activation of a policy bundle. number: dense from 1. at: time, µs UTC. files: path below policy/ → exact bytes.

    published: time at which the broker had it, µs UTC.
    """

    number: int
    digest: str
    at: int
    files: Mapping[str, bytes]
    published: int = 0

    def __repr__(self) -> str:
        return f"Bundle({self.number} {self.digest[:12]})"


class Chain:
    """The believed bundles of the topic: for each next number, the first that two signers signed; it is in force from then on."""

    def __init__(self, trusted: Trusted) -> None:
        self.known: dict[int, Bundle] = {}
        self.bodies: dict[int, PolicyActivated] = {}
        self._believed = Believed(trusted=trusted)

    def take(self, record: ConsumerRecord) -> str:
        """Accept a record, or return the word for why it is skipped; empty: it is accepted, or repeats an accepted one."""
        try:
            return self.add(_body(record), record.timestamp * 1000)
        except Malformed as error:
            return error.reason
        except NewerVersion:  # nothing is lost: each start reads the topic from its beginning
            return "newer-version"

    def add(self, body: PolicyActivated, published: int = 0) -> str:
        """Accept a bundle, or return the word for why it is skipped, as `take` does. published: time at which the broker had it, µs UTC."""
        reason = self._believed.take(body)
        if reason:
            return "" if reason == "repeated" else reason
        self.known[body.number] = Bundle(body.number, body.digest, body.at, body.files, published)
        self.bodies[body.number] = body
        return ""

    @property
    def signers(self) -> Mapping[str, bytes]:
        """Return name → public key of those who sign the next bundle."""
        return self._believed.signers

    def signed_by(self, number: int) -> tuple[str, ...]:
        """Return the signers of an accepted bundle; nobody where a pin vouches for it."""
        return self._believed.signed[number]

    @property
    def newest(self) -> Bundle | None:
        """Return the bundle in force; None before the first."""
        return self.known.get(len(self.known))


def trusted(settings: Settings) -> Trusted:
    """Return the signers of the policy whom `trust.toml` names. Rejected: the file cannot be read, or names none."""
    found = trust_file.read(settings).policy
    if not found.signers:
        hint = (
            f'name {NEEDED} there, policy_keepers.NAME = …, in the place of "off" (`referral policy key` makes a key and prints its line)'
        )
        raise Rejected("policy-signers", trust_file.NAME, f"without policy keepers no policy can be believed: {hint}")
    return found


def stored(row: Row[Any]) -> PolicyActivated:
    """Return the event of a row of routing.policy."""
    signatures = msgspec.msgpack.decode(row.signatures, type=tuple[PolicySignature, ...])
    files = msgspec.msgpack.decode(row.files, type=dict[str, bytes])
    return PolicyActivated(
        number=row.number,
        digest=row.digest,
        at=row.activated,
        files=files,
        valid_from=row.valid_from,
        before=row.before,
        signatures=signatures,
    )


def columns(body: PolicyActivated) -> dict[str, Any]:
    """Return the values of a row of routing.policy, by the names of the event's fields."""
    encode = msgspec.msgpack.encode
    fields = {name: getattr(body, name) for name in ("number", "digest", "at", "valid_from", "before")}
    return {**fields, "files": encode(body.files), "signatures": encode(body.signatures)}


class Bundles:
    """All bundles so far. They grow while `run` runs in the background of the service."""

    def __init__(self, settings: Settings, trusted: Trusted) -> None:
        self._settings = settings
        self._chain = Chain(trusted)
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
        wanted = {"max_partition_fetch_bytes": clients.POLICY_FETCH, "fetch_max_wait_ms": REST}
        async with clients.reading(self._settings, **wanted) as consumer:
            tp = TopicPartition(self._settings.topic(TOPIC), 0)
            consumer.assign([tp])
            consumer.seek(tp, (await consumer.beginning_offsets([tp]))[tp])
            end = (await consumer.end_offsets([tp]))[tp]
            while True:
                await self._take(consumer, tp, end)

    async def _take(self, consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> None:
        records = (await consumer.getmany(tp, timeout_ms=REST if self._caught_up else 50)).get(tp, [])
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
    """Return the bundles to follow; pass their `run` to process.run(background=…). Rejected: as `trusted`."""
    return Bundles(settings, trusted(settings))


def _body(record: ConsumerRecord) -> PolicyActivated:
    """Return the event of a record. Malformed: it holds none. NewerVersion: of the event."""
    type_ = headers.type_of(record.headers)
    known = type_.rpartition(".v")[0] == PolicyActivated.TYPE.rpartition(".v")[0]
    try:
        fingerprint = codec.fingerprint(type_) if known else 0
    except KeyError:  # a version that this program does not have
        fingerprint = 0
    body = codec.decode(type_, fingerprint, record.value or b"")
    if not isinstance(body, PolicyActivated):
        raise Malformed("policy-type", type_)
    return body
