"""Run one batch in one database transaction: check ownership, decode the inputs, run the handler, store the results.

An exception inside rolls everything back.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Fenced
from referral.runtime import observe
from referral.runtime.keys import key_topic
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import attempts, decode, lease, ledger, outbox, quarantine, tables
from referral.runtime.loop.decode import BatchState, refused_by_handler
from referral.runtime.loop.outbox import Blob, Record, compose
from referral.runtime.loop.pending import Pending
from referral.runtime.loop.quarantine import Refused
from referral.runtime.loop.sequence import Seen
from referral.runtime.loop.units import Unit
from referral.runtime.postgres import bells
from referral.runtime.record_signing import SignerOf
from referral.runtime.service import Batch, Handle, Outcome, Service
from referral.runtime.settings import Settings
from referral.wire import topics
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.writer_signature import Writers


@dataclass(frozen=True, slots=True)
class Done:
    """A committed batch.

    held: units that this instance still owned.
    blobs: outbox blobs to publish before the next batch.
    refused: inputs that went to the quarantine.
    rests: unit → seconds for which it is not read.
    """

    held: frozenset[str]
    blobs: list[Blob]
    refused: list[Refused]
    rests: Mapping[str, float]


@dataclass(slots=True)
class Transaction:
    """The dependencies that every batch of one tenure shares.

    intake: those whom an erasure is believed.
    writers: public keys of the services; they prove who wrote a record. sign: returns, for a topic,
        what signs this service's records there.
    secret: the service's writer secret; it marks each record that the service writes.
    ceiling: counts refused records, over all tenures.
    """

    service: Service
    settings: Settings
    keys: Keys
    intake: Erasers
    writers: Writers
    sign: SignerOf
    tx: AsyncConnection
    producer: AIOKafkaProducer
    secret: bytes
    ceiling: quarantine.Ceiling

    async def run(self, pending: Pending, units: Mapping[str, Unit], handle: Handle) -> Done:
        """Handle and commit one batch of inputs. Fenced: this instance owns none of the units any more."""
        async with self.tx.begin():
            held, now = await self._fence(units)
            state = await self._decode(pending.of(held), held, now)
            outcome = await self._handle(state, handle)
            done = await self._store(state, outcome)
        assert self.tx.sync_connection is not None
        bells.ended(self.tx.sync_connection.info)
        for name, positions in state.pending.moved().items():
            units[name].positions.update(positions)
            units[name].committed.update(positions)
        return done

    async def _fence(self, units: Mapping[str, Unit]) -> tuple[frozenset[str], int]:
        """Return (units that are still ours, batch clock in µs). Fenced: there are none."""
        held, now = await lease.fence(self.tx, list(units.values()))
        if not held:
            raise Fenced("every unit has another owner")
        return held, now

    async def _decode(self, pending: Pending, held: frozenset[str], now: int) -> BatchState:
        """Load keys and last sequences of the cases, and turn everything that waits into inputs. held, now: as `_fence` returned them."""
        opened = decode.open_all([t for t in pending.records if t.unit.partition is not None], pending.skip, self.writers)
        foreign = ledger.strangers(pending.own, self.secret)
        ids = (
            {o.envelope.meta.case_id for o in (*opened, *foreign) if o.envelope}
            | {r.case_id for r in pending.rows}
            | {d.case_id for d in pending.dues}
        )
        seen, wrapped = await tables.known(self.tx, ids)
        state = BatchState(pending, held, now, self.keys.opened_all(wrapped), seen)
        if foreign:
            state = ledger.disown(state, foreign, self.intake, self.writers, self.service.name)
        return decode.decode(state, opened, self.intake, self.service)

    async def _handle(self, state: BatchState, handle: Handle) -> Outcome:
        """Run the handler, and count the inputs by topic."""
        started = time.monotonic()
        outcome = await handle(self.tx, Batch(state.now, state.inputs, state.keys, state.held)) if state.inputs else Outcome()
        observe.BATCH_SECONDS.labels(self.service.name, "handle").observe(time.monotonic() - started)
        for topic, count in Counter(i.source.topic for i in state.inputs).items():
            observe.RECORDS_IN.labels(self.service.name, topic).inc(count)
        return outcome

    async def _store(self, state: BatchState, outcome: Outcome) -> Done:
        """Write the results of the handler: sequences, alarms, queue, positions and outbox; then publish what was refused."""
        state = await self._load_new_cases(state, outcome)
        records, last = await self._compose(state, outcome)
        pending = state.pending
        await tables.sent(self.tx, [r.id for r in pending.rows])
        drills = {i.case_id for i in state.inputs if i.drill} | {case for (_, case), before in state.seen.items() if before.drill}
        await tables.enqueue(self.tx, [(*row, row[0] in drills) for row in outcome.queued], state.keys)
        if pending and pending.attempt:
            await attempts.end(self.tx, *pending.key())
        oldest = dict.fromkeys(records, state.now)
        for row in pending.rows:
            number = topics.partition(row.case_id)
            oldest[number] = min(oldest.get(number, state.now), row.at)
        encoded = outbox.encoded(records, oldest)
        stored = await tables.store(self.tx, state.read | last, self._alarms(state, outcome), pending.moved(), encoded)
        blobs = [Blob(partition, stored[partition], some) for partition, some in records.items()]
        refused = [*state.refused, *refused_by_handler(pending, outcome)]
        refused = self.ceiling.bounded(refused, time.monotonic())
        if refused:  # published before the transaction commits the new positions, so that no refused record is lost
            key = self.keys.hmac("quarantine")
            await quarantine.write(self.producer, self.settings, self.sign(quarantine.TOPIC), key, self.service.name, state.now, refused)
        return Done(state.held, blobs, refused, outcome.rests)

    async def _load_new_cases(self, state: BatchState, outcome: Outcome) -> BatchState:
        """Return the batch with the keys and sequences of the cases that the handler opened in this transaction too."""
        cases = {c.case_id for c, _ in outcome.emitted} | {case for case, _, _ in outcome.queued}
        fresh = cases - {case for _, case in state.seen} - state.keys.keys()
        if not fresh:
            return state
        seen, wrapped = await tables.known(self.tx, fresh)
        return replace(state, keys={**state.keys, **self.keys.opened_all(wrapped)}, seen=state.seen | seen)

    async def _compose(self, state: BatchState, outcome: Outcome) -> tuple[dict[int, list[Record]], Seen]:
        """Return (partition → records to publish, last sequences) of the emitted events. ValueError: a unit of theirs is not ours."""
        writes = self.service.writes or ""
        records, last = compose(outcome.emitted, self.service.name, writes, state.now, state.keys, state.seen, self.secret)
        foreign = {f"p{n}" for n in records} - state.held
        if foreign:
            raise ValueError(f"{self.service.name} emitted events on {sorted(foreign)}, which it does not own: enqueue there instead")
        if writes == "referral-intake":  # the key of a new case must be on the key topic before the case's first event
            born = [case for topic, case in last if (topic, case) not in state.seen]
            if born:
                await key_topic.publish(self.tx, self.producer, self.settings, born)
        return records, last

    def _alarms(self, state: BatchState, outcome: Outcome) -> dict[str, int | None]:
        """Return case → its next alarm, µs; None clears it. An alarm that kills the process is put off, and logged."""
        fired: dict[str, int | None] = {i.case_id: None for i in state.inputs if i.source.topic == "alarm"}
        put_off = {d.case_id: state.now + attempts.PUT_OFF for d in state.pending.dues if state.pending.skip}
        for case_id in put_off:
            observe.QUARANTINED.labels(self.service.name, "kills-process").inc()
            observe.log().error("alarm put off", service=self.service.name, case_id=case_id, seconds=attempts.PUT_OFF // 1_000_000)
        return fired | put_off | outcome.alarms
