"""Handle one batch of intake: emit queue rows to `referral-intake`, project routing's events, and accept records of `ingress.<agency>`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import CaseRaised
from referral.domain.inputs import Input, Raw, RecordLost
from referral.errors import Rejected
from referral.runtime.postgres import clock
from referral.runtime.service import Batch, Outcome
from services.intake.commands import accept_referrals, idempotency, ingress, raised_cases
from services.intake.context import IntakeContext
from services.intake.messages import signatures
from services.intake.model import REUSED
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
        """Emit the queue rows, project routing's events, and accept the agencies' records."""
        outcome, door = Outcome(), self.door
        decisions = [record for record in batch.inputs if record.source.topic == ROUTING and not isinstance(record.body, RecordLost)]
        changes = offers.Changes()
        for record in batch.inputs:
            if record.source.topic == "queue":
                outcome.emit(record, record.body)
        for record in decisions:
            offers.fold(changes, record)
        await cases.follow(tx, door.keys, door.lists(), decisions, batch.keys, changes.closed)
        await store.apply(tx, changes)
        await store.add_lines(tx, decisions, batch.keys)
        for record in decisions:
            if isinstance(record.body, CaseRaised):
                await raised_cases.submit(tx, door, record, record.body)
        ingress_records = [record for record in batch.inputs if isinstance(record.body, Raw)]
        if ingress_records:
            await _ingress(tx, door, self.private, batch.now, ingress_records, outcome)
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


async def _accepted_before(
    tx: AsyncConnection, posting: accept_referrals.Posting, before: Sequence[tuple[Input, accept_referrals.Posting]]
) -> bool:
    """Return True if this key was accepted before, perhaps in this batch: then the record was read twice and gets its first receipt."""
    if any((earlier.agency, earlier.key) == (posting.agency, posting.key) for _, earlier in before):
        return True
    return await idempotency.taken(tx, posting.agency, posting.key) is not None


async def _ingress(
    tx: AsyncConnection, door: IntakeContext, private: X25519PrivateKey | None, now: int, records: Sequence[Input], outcome: Outcome
) -> None:
    """Accept the records that agencies published. A record that is refused is quarantined, and its sender can ask for the reason."""
    lists = door.lists()
    if private is None:
        raise Rejected("missing", "REFERRAL_INGRESS_KEY_FILE", "a stack with ingress topics needs the key that opens them")
    postings: list[tuple[Input, accept_referrals.Posting]] = []
    late_refusals: list[tuple[Input, str, bytes, Rejected]] = []
    numbers = await idempotency.last_numbers(tx, {record.body.agency for record in records if isinstance(record.body, Raw)})
    for record in records:
        assert isinstance(record.body, Raw)
        agency = record.body.agency
        last = numbers.get(agency, 0)
        parsed = ingress.posting(record.body, private, door.keys, lists, last)
        sent = parsed.signed.sequence if parsed.signed else 0
        if sent:
            numbers[agency] = max(last, sent)
        if isinstance(parsed, accept_referrals.Posting) and 0 < sent <= last and not await _accepted_before(tx, parsed, postings):
            parsed = ingress.Unreadable(reason="sequence-repeated", key=parsed.key, why=signatures.repeated(last))
        if isinstance(parsed, accept_referrals.Posting):
            postings.append((record, parsed))
            continue
        outcome.quarantine(record, parsed.reason)
        if parsed.key is not None and any((earlier.agency, earlier.key) == (agency, parsed.key) for _, earlier in postings):
            late_refusals.append((record, agency, parsed.key, parsed.why))
        elif parsed.key is not None:
            await idempotency.refuse(tx, agency, parsed.key, parsed.why, now, record.id)
    await idempotency.store_numbers(tx, numbers)
    answers = await accept_referrals.accept(tx, door, lists, [parsed for _, parsed in postings]) if postings else []
    for (record, parsed), answer in zip(postings, answers, strict=True):
        if isinstance(answer, Rejected):
            outcome.quarantine(record, answer.code)
            await idempotency.refuse(tx, parsed.agency, parsed.key, _for_kafka(answer), now, record.id)
    for record, agency, key, why in late_refusals:  # their key was accepted earlier in this batch: store the refusal with a later time
        await idempotency.refuse(tx, agency, key, why, await clock.now(tx), record.id)


def _for_kafka(why: Rejected) -> Rejected:
    """Return the refusal in the words of Kafka, where the key is the header `ce_id` and not `Idempotency-Key`."""
    return Rejected(why.code, "ce_id", why.hint, status=why.status) if why.code == REUSED else why
