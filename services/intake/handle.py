"""Handle one batch of intake: emit queue rows to `referral-intake`, project routing's events, and accept records of `ingress.<agency>`."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Who
from referral.domain.authority.words import Act, Kind
from referral.domain.events import CaseRaised, RecordDisowned
from referral.domain.inputs import Raw, RecordLost
from referral.errors import Rejected
from referral.runtime.service import Batch, Outcome
from services.intake.casefile import access
from services.intake.commands import idempotency, ingress, raised_cases
from services.intake.context import IntakeContext
from services.intake.projection import cases, offers, store

ROUTING = "referral-routing"
FAILED = Rejected("failed", "value", "our fault: it could not be taken; send it over HTTP, and tell the operator")
"""The refusal of a record at which our own program failed."""


@dataclass(frozen=True, slots=True)
class Intake:
    """The handler of intake. private: the key that decrypts `ingress.*`; None where this stack has no ingress topics."""

    door: IntakeContext
    private: X25519PrivateKey | None

    async def handle(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        """Emit the queue rows, name what is not intake's, project routing's events, and accept the agencies' records."""
        outcome, door = Outcome(), self.door
        leave = access.without_case(Who(Kind.SERVICE), Act.FOLLOW_ROUTING)
        decisions = [record for record in batch.inputs if record.source.topic == ROUTING and not isinstance(record.body, RecordLost)]
        changes = offers.Changes()
        for record in batch.inputs:
            if record.source.topic == "queue":
                outcome.emit(record, record.body)
            elif isinstance(record.body, RecordLost) and record.source.topic == RecordDisowned.TOPIC and record.case_id in batch.keys:
                outcome.emit(record, RecordDisowned(sequence=record.body.seq, offset=record.source.offset))
        for record in decisions:
            offers.fold(changes, record)
        await cases.follow(tx, leave, door.keys, door.lists(), decisions, batch.keys, changes.closed)
        await store.apply(tx, leave, changes)
        await store.add_lines(tx, leave, decisions, batch.keys)
        for record in decisions:
            if isinstance(record.body, CaseRaised):
                await raised_cases.submit(tx, leave, door, record, record.body)
        published = [(record, record.body) for record in batch.inputs if isinstance(record.body, Raw)]
        if published:
            if self.private is None:
                raise Rejected("missing", "REFERRAL_INGRESS_KEY_FILE", "a stack with ingress topics needs the key that opens them")
            await ingress.accept(tx, door, self.private, batch.now, published, outcome)
        return outcome

    async def fallback(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        """Handle a single input at which `handle` raised an error.

        An agency's record is quarantined, so that one record cannot stop all others. Every other input is tried again.
        """
        if not all(isinstance(record.body, Raw) for record in batch.inputs):
            return await self.handle(tx, batch)
        outcome = Outcome()
        for record in batch.inputs:
            assert isinstance(record.body, Raw)
            outcome.quarantine(record, FAILED.code)
            if (key := ingress.key_of(record.body, self.door.keys)) is not None:
                await idempotency.refuse(tx, record.body.agency, key, FAILED, batch.now, record.id)
        return outcome
