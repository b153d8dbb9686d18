"""Run one batch in one database transaction: check ownership, decode the inputs, run the handler, store the results.

An exception inside rolls everything back.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Input
from referral.errors import Fenced
from referral.runtime import observe
from referral.runtime.kafka.fetched import Undecodable
from referral.runtime.keys import key_topic
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import attempts, decode, lease, ledger, outbox, quarantine, tables
from referral.runtime.loop.decode import due_inputs, queued_inputs, refused_by_handler
from referral.runtime.loop.outbox import Blob, compose
from referral.runtime.loop.pending import Pending
from referral.runtime.loop.quarantine import Refused
from referral.runtime.loop.sequence import Seen
from referral.runtime.loop.units import Unit
from referral.runtime.service import Batch, Handle, Outcome, Service
from referral.runtime.settings import Settings
from referral.wire import topics


@dataclass(frozen=True, slots=True)
class Done:
    """A committed batch.

    held: units that this instance still owned.
    blobs: outbox blobs to publish before the next batch.
    refused: inputs that went to the quarantine.
    """

    held: frozenset[str]
    blobs: list[Blob]
    refused: list[Refused]


@dataclass(slots=True)
class Transaction:
    """The dependencies that every batch of one tenure shares.

    intake: intake's public keys; they prove an erasure.
    secret: the service's writer secret; it marks each record that the service writes.
    """

    service: Service
    settings: Settings
    keys: Keys
    intake: Collection[bytes]
    tx: AsyncConnection
    producer: AIOKafkaProducer
    secret: bytes

    async def run(self, pending: Pending, units: Mapping[str, Unit], handle: Handle) -> Done:
        """Handle and commit one batch of inputs. Fenced: this instance owns none of the units any more."""
        async with self.tx.begin():
            held, now = await lease.fence(self.tx, list(units.values()))
            pending = pending.of(held)
            if not held:
                raise Fenced("every unit has another owner")
            done = await self._fenced(pending, held, now, handle)
        for name, positions in pending.moved().items():
            units[name].positions.update(positions)
            units[name].committed.update(positions)
        return done

    async def _fenced(self, pending: Pending, held: frozenset[str], now: int, handle: Handle) -> Done:
        """Decode, handle and store the inputs of the units that are still ours (held). now: batch clock, µs."""
        opened = decode.open_all([t for t in pending.records if t[0].partition is not None], pending.skip)
        foreign = ledger.strangers(pending.own, self.secret)
        ids = (
            {o.envelope.meta.case_id for o in (*opened, *foreign) if o.envelope}
            | {r.case_id for r in pending.rows}
            | {d.case_id for d in pending.dues}
        )
        seen: Seen = await tables.seen(self.tx, ids) if ids else {}
        keys = await self.keys.load(self.tx, ids) if ids else {}
        decoded = decode.decode_records(opened, seen, keys, self.intake, self.service.name)
        ledger.disown(foreign, seen, keys, self.intake, self.service.name, decoded)
        inputs = decoded.inputs + self._raw(pending, decoded.refused) + queued_inputs(pending, keys, decoded.refused)
        inputs += [] if pending.skip else due_inputs(pending, {i.case_id for i in inputs}, self.service.writes or "", seen)
        started = time.monotonic()
        outcome = await handle(self.tx, Batch(now, tuple(inputs), keys, held)) if inputs else Outcome()
        observe.BATCH_SECONDS.labels(self.service.name, "handle").observe(time.monotonic() - started)
        for topic, count in Counter(i.source.topic for i in inputs).items():
            observe.RECORDS_IN.labels(self.service.name, topic).inc(count)
        refused = decoded.refused + refused_by_handler(pending, outcome)
        blobs = await self._store(pending, outcome, decoded.seen, seen, keys, inputs, held, now)
        if refused:  # published before the transaction commits the new positions, so that no refused record is lost
            key = self.keys.hmac("quarantine")
            await quarantine.write(self.producer, self.settings, key, self.service.name, now, refused)
        return Done(held, blobs, refused)

    def _raw(self, pending: Pending, refused: list[Refused]) -> list[Input]:
        """Return records of ingress topics, or of a service with one unit, as undecoded inputs; add the others to refused."""
        taken = [t for t in pending.records if t[0].partition is None]
        if pending.skip:
            refused += (quarantine.record(t, "kills-process") for t in taken)
            return []
        if not self.service.one_unit:  # audit logs undecodable batches too, because the topic holds them
            refused += (quarantine.record(t, t[2].reason) for t in taken if isinstance(t[2], Undecodable))
            taken = [t for t in taken if not isinstance(t[2], Undecodable)]
        return [decode.raw(t) for t in taken]

    async def _store(
        self,
        pending: Pending,
        outcome: Outcome,
        read: Seen,
        seen: Seen,
        keys: dict[str, bytes],
        inputs: list[Input],
        held: frozenset[str],
        now: int,
    ) -> list[Blob]:
        """Write the results of the handler: outbox, sequences, alarms, queue and positions.

        read: sequences that this batch read.
        seen: last sequences of every case here, before the handler's events.
        keys: case id → case key; both are extended by new cases.
        held: units that are still ours.
        now: batch clock, µs.
        """
        cases = {c.case_id for c, _ in outcome.emitted} | {case for case, _, _ in outcome.queued}
        fresh = cases - {case for _, case in seen} - keys.keys()
        if fresh:  # cases that the handler opened in this transaction
            keys |= await self.keys.load(self.tx, fresh)
            seen |= await tables.seen(self.tx, fresh)
        records, last = compose(outcome.emitted, self.service.name, self.service.writes or "", now, keys, seen, self.secret)
        foreign = {f"p{n}" for n in records} - held
        if foreign:
            raise ValueError(f"{self.service.name} emitted events on {sorted(foreign)}, which it does not own: enqueue there instead")
        if self.service.writes == "referral-intake":  # the key of a new case must be on the key topic before the case's first event
            born = [case for topic, case in last if (topic, case) not in seen]
            if born:
                await key_topic.keep(self.tx, self.producer, self.settings, born)
        fired = {i.case_id: None for i in inputs if i.source.topic == "alarm"}
        drills = {i.case_id for i in inputs if i.drill} | {case for (_, case), before in seen.items() if before.drill}
        await tables.keep_seen(self.tx, read | last)
        put_off = {d.case_id: now + attempts.PUT_OFF for d in pending.dues if pending.skip}
        for case_id in put_off:
            observe.QUARANTINED.labels(self.service.name, "kills-process").inc()
            observe.log().error("alarm put off", service=self.service.name, case_id=case_id, seconds=attempts.PUT_OFF // 1_000_000)
        await tables.alarms(self.tx, fired | put_off | outcome.alarms)
        await tables.sent(self.tx, [r.id for r in pending.rows])
        await tables.enqueue(self.tx, [(*row, row[0] in drills) for row in outcome.queued], keys)
        await tables.positions(self.tx, pending.moved())
        if pending.attempt:
            await attempts.end(self.tx, pending.key()[0])
        oldest = dict.fromkeys(records, now)
        for row in pending.rows:
            number = topics.partition(row.case_id)
            oldest[number] = min(oldest.get(number, now), row.at)
        return await outbox.keep(self.tx, records, oldest)
