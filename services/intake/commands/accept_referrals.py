"""Accept referrals: several in one transaction, each with its receipt. Both HTTP and `ingress.<agency>` use this module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import Door, Signed
from referral.domain.inputs import derived
from referral.errors import Rejected
from referral.runtime.keys.case_keys import KEY
from referral.runtime.postgres import bulk, clock, queue
from services.intake.casefile import access, disclosure_rules, write
from services.intake.casefile import sections as casefile
from services.intake.casefile.disclosure_rules import CaseFacts
from services.intake.commands import idempotency
from services.intake.commands.idempotency import Claim
from services.intake.context import IntakeContext
from services.intake.messages import submission
from services.intake.model import Receipt
from services.intake.policy_view import Lists


class Posting(Struct, frozen=True, kw_only=True):
    """A submission that is not stored yet.

    key: the digest of its Idempotency-Key or ce_id.
    same: bytes that are equal for two equal submissions; empty: the submission's own. A file's record whose age is counted on the day of
    receipt brings them.
    """

    agency: str
    key: bytes
    door: Door
    found: submission.Submission
    same: tuple[bytes, ...] = ()
    signed: Signed | None = None


CASE = bulk.Table("intake.casefile", {"case_id": "text", "desk": "text", "drill": "boolean", "opened_at": "bigint", "sealed": "bytea"})
REFERRAL = bulk.Table(
    "intake.referral", {"referral_id": "text", "case_id": "text", "agency": "text", "event_id": "text", "received_at": "bigint"}
)


class _New(Struct):
    """A posting with the ids that it gets if its key is new."""

    posting: Posting
    receipt: Receipt
    queue_id: str
    claim: Claim


async def accept(tx: AsyncConnection, door: IntakeContext, lists: Lists, postings: Sequence[Posting]) -> list[Receipt | Rejected]:
    """Return the receipt of each posting: its first one, or a new one. Rejected: a key used for another body, or a case that the sender may
    not see.

    Raises only errors that end the whole transaction.
    """
    now = await clock.now(tx)
    fresh = [_fresh(door, posting, now) for posting in postings]
    answers = await idempotency.claim(tx, [one.claim for one in fresh])
    new = [one for one, answer in zip(fresh, answers, strict=True) if answer is None]
    refused = await _crowded(tx, door, new) | await _foreign(tx, new)
    await _open(tx, door, lists, [one for one in new if one.posting.found.case_id is None and id(one) not in refused])
    for one in sorted(new, key=lambda one: one.receipt.case_id):  # every transaction locks cases in this order
        if one.posting.found.case_id is not None and id(one) not in refused:
            try:
                await _attach(tx, door, one)
            except Rejected:  # the case's erasure was approved meanwhile; only this posting is refused
                refused[id(one)] = await _unclaimed(tx, one)
    for one in new:
        if id(one) not in refused:
            door.crowd.took(one.posting.agency)
    return [answer or refused.get(id(one)) or one.receipt for one, answer in zip(fresh, answers, strict=True)]


def _fresh(door: IntakeContext, posting: Posting, now: int) -> _New:
    queue_id = door.new_id()
    receipt = Receipt(
        kind="referral",
        id=door.new_id(),
        case_id=posting.found.case_id or door.new_id(),
        event_id=derived(queue_id, 0),
        received_at=now,
    )
    body = door.keys.hmac("submission", *(posting.same or submission.sameness(posting.found, posting.agency)))
    return _New(posting, receipt, queue_id, Claim(agency=posting.agency, key=posting.key, body=body, receipt=receipt))


async def _foreign(tx: AsyncConnection, new: Sequence[_New]) -> dict[int, Rejected]:
    """Return the refusals of postings that name a case which their sender may not see. Their claim is undone, so that the key is free
    again."""
    refused: dict[int, Rejected] = {}
    for one in new:
        if one.posting.found.case_id is not None and not await access.may_name(tx, one.posting.agency, one.receipt.case_id):
            refused[id(one)] = await _unclaimed(tx, one)
    return refused


async def _crowded(tx: AsyncConnection, door: IntakeContext, new: Sequence[_New]) -> dict[int, Rejected]:
    """Return the refusals of routine postings of an agency that has sent very many. A posting from Kafka is never refused for this: its
    sender cannot be asked to wait."""
    refused: dict[int, Rejected] = {}
    for one in new:
        posting = one.posting
        why = door.crowd.refuses(posting.agency, posting.found.traits.urgency) if posting.door is Door.HTTP else None
        if why is not None:
            await _free(tx, one)
            refused[id(one)] = why
    return refused


async def _free(tx: AsyncConnection, one: _New) -> None:
    """Undo a claim, so that its key may be used again."""
    sql = "DELETE FROM intake.submission WHERE agency = :agency AND key = :key"
    await tx.execute(text(sql), {"agency": one.posting.agency, "key": one.posting.key})


async def _unclaimed(tx: AsyncConnection, one: _New) -> Rejected:
    await _free(tx, one)
    return Rejected("unknown-case", "$.case_id", "name a case that you referred or hold an offer of, or leave case_id out", status=404)


async def _open(tx: AsyncConnection, door: IntakeContext, lists: Lists, new: Sequence[_New]) -> None:
    """Open a new case for each posting: key, case file, referral, queue row."""
    if not new:
        return
    keys = door.keys.made(one.receipt.case_id for one in new)
    cases: list[dict[str, Any]] = []
    sections: list[dict[str, Any]] = []
    for one in new:
        found, case_id = one.posting.found, one.receipt.case_id
        cipher = casefile.box(keys[case_id])
        kept = CaseFacts(traits=found.traits, consent=found.consent, consent_by=one.posting.agency if found.consent else "")
        cases.append(
            {
                "case_id": case_id,
                "desk": lists.desk(found.traits.found_in, {one.removeprefix("agency:") for one in found.excludes}),
                "drill": found.drill,
                "opened_at": one.receipt.received_at,
                "sealed": casefile.seal_facts(cipher, case_id, kept),
            }
        )
        sections += (
            casefile.row(cipher, case_id, name, content, version=1, agency=one.posting.agency, by=None, at=one.receipt.received_at)
            for name, content in found.sections
        )
    await access.exclude(tx, {one.receipt.case_id: one.posting.found.excludes for one in new})
    queued = [_queued(one, keys[one.receipt.case_id], one.posting.found.drill) for one in new]
    referrals = [_referral(one) for one in new]
    await bulk.write(tx, {KEY: door.keys.rows(keys), CASE: cases, casefile.SECTION: sections, REFERRAL: referrals, queue.QUEUE: queued})
    queue.wake(tx)


async def _attach(tx: AsyncConnection, door: IntakeContext, one: _New) -> None:
    """Attach a further referral to a case that exists.

    Its sections become the newest where its sender may write them; where other agencies wrote before, they are put aside for the desk.
    Routing decides what its consent changes.
    """
    found, case_id, at = one.posting.found, one.receipt.case_id, one.receipt.received_at
    case = await access.take(tx, door.keys, case_id)
    writer = write.Writer(agency=one.posting.agency)
    for name, content in found.sections:
        await write.put(tx, door, case, writer, name, content, at, aside=not await write.may(tx, door, case, writer, name, at))
    if found.consent is not None:
        capped = disclosure_rules.capped(case.facts, found.consent, one.posting.agency, one.receipt.event_id)
        await access.keep(tx, case, capped, case.desk)
    away = await access.kept_away(tx, case_id)
    await access.exclude(tx, {case_id: door.lists().keepable(case.facts.traits.found_in, away, found.excludes)})
    await bulk.write(tx, {REFERRAL: [_referral(one)]})
    await queue.put_all(tx, [_queued(one, case.key, case.drill)])


def _referral(one: _New) -> dict[str, Any]:
    receipt = one.receipt
    return {
        "referral_id": receipt.id,
        "case_id": receipt.case_id,
        "agency": one.posting.agency,
        "event_id": receipt.event_id,
        "received_at": receipt.received_at,
    }


def _queued(one: _New, key: bytes, drill: bool) -> dict[str, Any]:
    receipt, posting = one.receipt, one.posting
    event = submission.event(
        posting.found,
        referral_id=receipt.id,
        agency=posting.agency,
        door=posting.door,
        received_at=receipt.received_at,
        claim=one.claim.said(),
    )
    return queue.row(receipt.case_id, structs.replace(event, signed=posting.signed), one.queue_id, key, drill)
