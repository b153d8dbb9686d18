"""Accept referrals: several in one transaction, each with its receipt. Both HTTP and `ingress.<agency>` use this module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Who
from referral.domain.authority.words import Act, Kind
from referral.domain.events import Door, Signed
from referral.domain.inputs import derived
from referral.errors import Rejected
from referral.runtime.keys.case_keys import KEY
from referral.runtime.postgres import bells, bulk, clock, queue
from services.intake import crowd
from services.intake.casefile import access, disclosure_rules, write
from services.intake.casefile import sections as casefile
from services.intake.casefile.disclosure_rules import CaseFacts
from services.intake.commands import idempotency
from services.intake.commands.idempotency import Claim
from services.intake.context import IntakeContext
from services.intake.crowd import Asked
from services.intake.messages import submission
from services.intake.model import Receipt
from services.intake.policy_view import Lists


class Posting(Struct, frozen=True, kw_only=True):
    """A submission that is not stored yet.

    key: the digest of its Idempotency-Key or ce_id.
    same: bytes that are equal for two equal submissions; empty: the submission's own. A file's record whose age is counted on the day of
    receipt brings them.
    short: its file is cut already, because it came in a crowd.
    """

    agency: str
    key: bytes
    door: Door
    referral: submission.Submission
    same: tuple[bytes, ...] = ()
    signed: Signed | None = None
    short: bool = False

    @property
    def asked(self) -> Asked:
        """Return what the limits look at. A posting from Kafka is never refused for its number: its sender cannot be asked to wait. Nor is
        an emergency, but in a row of a file, of which one request brings hundreds."""
        referral, urgency = self.referral, self.referral.traits.urgency
        size = sum(len(content) for _, content in referral.sections)
        at_once = urgency == crowd.EMERGENCY and not referral.drill and not self.same
        return Asked(self.agency, referral.drill, urgency, size, can_wait=self.door in (Door.HTTP, Door.WEB) and not at_once)


CASE = bulk.Table("intake.casefile", {"case_id": "text", "desk": "text", "drill": "boolean", "opened_at": "bigint", "sealed": "bytea"})
REFERRAL = bulk.Table(
    "intake.referral", {"referral_id": "text", "case_id": "text", "agency": "text", "event_id": "text", "received_at": "bigint"}
)


class _Entry(Struct):
    """A posting with the ids that it gets if its key is new. refused: the reason why it is refused although its key is new."""

    posting: Posting
    receipt: Receipt
    queue_id: str
    claim: Claim
    asked: Asked
    refused: Rejected | None = None

    @property
    def opens(self) -> bool:
        """Return True if it opens a case, False if it joins one."""
        return self.posting.referral.case_id is None


async def accept(tx: AsyncConnection, door: IntakeContext, lists: Lists, postings: Sequence[Posting]) -> list[Receipt | Rejected]:
    """Return the receipt of each posting: its first one, or a new one. Rejected: a key used for another body, a case that the sender may
    not see, or a repeat of a posting that is refused in this transaction.

    Raises only errors that end the whole transaction.
    """
    now = await clock.now(tx)
    fresh = [_fresh(door, posting, now) for posting in postings]
    answers = await idempotency.claim(tx, [entry.claim for entry in fresh])
    new = [entry for entry, answer in zip(fresh, answers, strict=True) if answer is None]
    for entry in new:
        try:
            submission.check_times(entry.posting.referral.traits, "$.traits", now)
        except Rejected as why:
            await _refuse(tx, entry, why)
            continue
        if not entry.opens and not await access.may_name(tx, entry.posting.agency, entry.receipt.case_id):
            await _refuse(tx, entry, _unknown_case())
    await _limit(tx, door, [entry for entry in new if entry.refused is None and entry.posting.agency != lists.public])
    for entry in new:
        if entry.posting.short and entry.refused is None:
            await _mark_later(tx, entry)
    await _open_cases(tx, door, lists, [entry for entry in new if entry.opens and entry.refused is None])
    for entry in sorted(new, key=lambda entry: entry.receipt.case_id):  # every transaction locks cases in this order
        if not entry.opens and entry.refused is None:
            try:
                await _attach(tx, door, entry)
            except Rejected as why:  # only this posting is refused; else the case's erasure was approved meanwhile
                await _refuse(tx, entry, why if why.code == "out-of-range" else _unknown_case())
    for entry in new:
        if entry.refused is None:
            door.crowd.took(entry.asked, whole=not entry.posting.short)
    refused = {entry.receipt.id: entry.refused for entry in new if entry.refused is not None}
    first = [answer or entry.receipt for entry, answer in zip(fresh, answers, strict=True)]
    return [refused.get(one.id, one) if isinstance(one, Receipt) else one for one in first]  # a repeat of a refused one is refused too


def _fresh(door: IntakeContext, posting: Posting, now: int) -> _Entry:
    queue_id = door.new_id()
    receipt = Receipt(
        kind="referral",
        id=door.new_id(),
        case_id=posting.referral.case_id or door.new_id(),
        event_id=derived(queue_id, 0),
        received_at=now,
    )
    body = door.keys.hmac("submission", *(posting.same or submission.sameness(posting.referral, posting.agency)))
    return _Entry(posting, receipt, queue_id, Claim(agency=posting.agency, key=posting.key, body=body, receipt=receipt), posting.asked)


async def _limit(tx: AsyncConnection, door: IntakeContext, new: Sequence[_Entry]) -> None:
    """Refuse what comes too early, and keep only the beginning of a file that is too long or for which there is no room."""
    for entry, verdict in zip(new, door.crowd.verdicts([entry.asked for entry in new]), strict=True):
        if isinstance(verdict, Rejected):
            await _refuse(tx, entry, verdict)
        elif entry.asked.size > (crowd.FILE_BYTES if verdict else crowd.SHORT_BYTES):
            crowd.FILES_LATER.inc()
            short = submission.beginning(entry.posting.referral, crowd.SHORT_BYTES)
            entry.posting = structs.replace(entry.posting, referral=short, short=True)


async def _mark_later(tx: AsyncConnection, entry: _Entry) -> None:
    """Store that only the beginning of the file came in, so that every repeat is answered alike."""
    entry.receipt = structs.replace(entry.receipt, later=True)
    sql = "UPDATE intake.submission SET later = true WHERE agency = :agency AND key = :key"
    await tx.execute(text(sql), {"agency": entry.posting.agency, "key": entry.posting.key})


def _unknown_case() -> Rejected:
    return Rejected("unknown-case", "$.case_id", "name a case that you referred or hold an offer of, or leave case_id out", status=404)


async def _refuse(tx: AsyncConnection, entry: _Entry, why: Rejected) -> None:
    """Refuse a posting, and undo its claim, so that its key may be used again."""
    entry.refused = why
    sql = "DELETE FROM intake.submission WHERE agency = :agency AND key = :key"
    await tx.execute(text(sql), {"agency": entry.posting.agency, "key": entry.posting.key})


async def _open_cases(tx: AsyncConnection, door: IntakeContext, lists: Lists, new: Sequence[_Entry]) -> None:
    """Open a new case for each posting: key, case file, referral, queue row."""
    if not new:
        return
    keys = door.keys.made(entry.receipt.case_id for entry in new)
    cases: list[dict[str, Any]] = []
    sections: list[dict[str, Any]] = []
    for entry in new:
        submitted, case_id = entry.posting.referral, entry.receipt.case_id
        cipher = casefile.box(keys[case_id])
        kept = CaseFacts(traits=submitted.traits, consent=submitted.consent, consent_by=entry.posting.agency if submitted.consent else "")
        cases.append(
            {
                "case_id": case_id,
                "desk": lists.desk(submitted.traits.found_in, {actor.removeprefix("agency:") for actor in submitted.excludes}),
                "drill": submitted.drill,
                "opened_at": entry.receipt.received_at,
                "sealed": casefile.seal_facts(cipher, case_id, kept),
            }
        )
        sections += (
            casefile.row(cipher, case_id, name, content, version=1, agency=entry.posting.agency, by=None, at=entry.receipt.received_at)
            for name, content in submitted.sections
        )
    leave = access.without_case(Who(Kind.SYSTEM), Act.REFER)
    await access.exclude(tx, leave, {entry.receipt.case_id: entry.posting.referral.excludes for entry in new})
    queued = [_queued(entry, keys[entry.receipt.case_id], entry.posting.referral.drill) for entry in new]
    referrals = [_referral(entry) for entry in new]
    await bulk.write(tx, {KEY: door.keys.rows(keys), CASE: cases, casefile.SECTION: sections, REFERRAL: referrals, queue.QUEUE: queued})
    bells.wake(tx)


async def _attach(tx: AsyncConnection, door: IntakeContext, entry: _Entry) -> None:
    """Attach a further referral to a case that exists.

    Its sections become the newest where its sender may write them; where other agencies wrote before, they are put aside for the desk.
    Routing decides what its consent changes. Of an excluded sender all is put aside, and its consent and exclusions count for nothing here.
    """
    submitted, case_id, at = entry.posting.referral, entry.receipt.case_id, entry.receipt.received_at
    case = await access.take(tx, door.keys, case_id)
    leave = await access.permitted(tx, Who(Kind.SYSTEM, entry.posting.agency), Act.ATTACH_REFERRAL, case_id)
    involved = await access.involvement(tx, leave.agency, case_id)
    counts, until = involved.at_rest is None, involved.seen_until
    await access.room(tx, leave, submitted.excludes)  # before anything is written: a refusal leaves nothing
    for name, content in submitted.sections:
        aside = not await write.may(tx, door, case, leave, name, at)
        await write.put(tx, door, case, leave, name, content, at, aside=aside, until=until)
    if submitted.consent is not None:
        capped = disclosure_rules.capped(case.facts, submitted.consent, entry.posting.agency, entry.receipt.event_id)
        await access.store_facts(tx, leave, case, capped if counts else case.facts, case.desk)
    away = await access.kept_away(tx, leave, case_id)
    kept = door.lists().keepable(case.facts.traits.found_in, away, submitted.excludes)
    await access.exclude(tx, leave, {case_id: kept}, counts=counts)
    await bulk.write(tx, {REFERRAL: [_referral(entry)]})
    await queue.put_all(tx, [_queued(entry, case.key, case.drill)])


def _referral(entry: _Entry) -> dict[str, Any]:
    receipt = entry.receipt
    return {
        "referral_id": receipt.id,
        "case_id": receipt.case_id,
        "agency": entry.posting.agency,
        "event_id": receipt.event_id,
        "received_at": receipt.received_at,
    }


def _queued(entry: _Entry, key: bytes, drill: bool) -> dict[str, Any]:
    receipt, posting = entry.receipt, entry.posting
    event = submission.event(
        posting.referral,
        referral_id=receipt.id,
        agency=posting.agency,
        door=posting.door,
        received_at=receipt.received_at,
        claim=entry.claim.as_event(),
    )
    return queue.row(receipt.case_id, structs.replace(event, signed=posting.signed), entry.queue_id, key, drill)
