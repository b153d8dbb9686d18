"""HTTP handlers of agencies' commands. Each command is stored before the answer, and may be sent again under the same Idempotency-Key.

The first line of a handler's docstring is the summary of its operation in /openapi.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.words import Act
from referral.domain.events import ConsentState, Door
from referral.errors import Rejected
from referral.runtime.postgres.group_commit import Together
from services.intake import store
from services.intake.api import receipts, schemas
from services.intake.api.agency_request import KEY, AgencyRequest, known_id
from services.intake.casefile import access
from services.intake.commands import accept_referrals, act_on_case
from services.intake.commands.accept_referrals import Posting
from services.intake.context import IntakeContext
from services.intake.messages import responses
from services.intake.messages import submission as submit
from services.intake.model import Receipt


class Referrals:
    """The HTTP handler for referrals: those that arrive at the same moment share one transaction."""

    def __init__(self, door: IntakeContext) -> None:
        self._door = door
        self._together: Together[Posting, Receipt | Rejected] = Together(self._accept)

    async def submit(self, call: AgencyRequest) -> receipts.ReferralReceipt:
        """Take one referral. Same key, same body: the same receipt; another body: 409."""
        if call.key is None:
            raise Rejected("missing-key", KEY, "send your own number for this referral, so that it is safe to send again", status=400)
        referral = submit.submission(call.data, self._door.lists())
        if call.said is not None:
            call.said.check(submit.recorded(referral, call.agency))
        async with self._door.crowd.turn(call.agency, referral.drill, referral.traits.urgency):
            answer = await self._together(Posting(agency=call.agency, key=call.key, door=Door.HTTP, referral=referral, signed=call.signed))
        if isinstance(answer, Rejected):
            raise answer
        return receipts.referral_receipt(answer, self._door.key, call.said)

    async def _accept(self, postings: Sequence[Posting]) -> list[Receipt | Rejected]:
        async with self._door.begin() as tx:
            return await accept_referrals.accept(tx, self._door, self._door.lists(), postings)


async def respond(call: AgencyRequest) -> receipts.ActReceipt:
    """Answer an offer that the agency holds or ever held, or that its desk records for an agency reached by telephone (via PHONE)."""
    offer_id, body = known_id(call, "offer_id", "offer"), call.body(responses.AnswerBody)
    async with call.door.begin() as tx:
        receipt = await act_on_case.respond(tx, call.door, call.post(), offer_id, body)
    return receipts.act_receipt(receipt, call.door.key, call.said)


async def take_back(call: AgencyRequest) -> receipts.ActReceipt:
    """Take back that your part is done, sent by mistake: until `undo_until` of the offer, and as long as nobody else was asked."""
    offer_id, body = known_id(call, "offer_id", "offer"), call.body(responses.TakeBackBody)
    async with call.door.begin() as tx:
        receipt = await act_on_case.take_back(tx, call.door, call.post(), offer_id, body)
    return receipts.act_receipt(receipt, call.door.key, call.said)


async def traits(call: AgencyRequest) -> receipts.ActReceipt:
    """Record all traits as they are now: age settled, child moved, exploitation found."""
    case_id, body = known_id(call, "case_id", "case"), call.body(submit.TraitsBody)
    async with call.door.begin() as tx:
        receipt = await act_on_case.traits(tx, call.door, call.post(), case_id, body)
    return receipts.act_receipt(receipt, call.door.key, call.said)


async def exclude(call: AgencyRequest) -> receipts.ActReceipt:
    """Exclude an agency, a member of staff or a relation: after this transaction it reads nothing more."""
    case_id, body = known_id(call, "case_id", "case"), call.body(responses.ExclusionBody)
    async with call.door.begin() as tx:
        receipt = await act_on_case.exclude(tx, call.door, call.post(), case_id, body)
    return receipts.act_receipt(receipt, call.door.key, call.said)


async def instruct(call: AgencyRequest) -> receipts.ActReceipt:
    """A desk decides what no rule can. Rejected 404 for who is no desk of the case."""
    case_id, body = known_id(call, "case_id", "case"), call.body(responses.InstructionBody)
    async with call.door.begin() as tx:
        receipt = await act_on_case.instruct(tx, call.door, call.post(), case_id, body)
    return receipts.act_receipt(receipt, call.door.key, call.said)


async def withdraw(call: AgencyRequest) -> receipts.ActReceipt:
    """The sender takes its referral back: it sees no more of the case through it. What becomes of the child a desk decides."""
    referral_id, body = known_id(call, "referral_id", "referral"), call.body(responses.WithdrawalBody)
    async with call.door.begin() as tx:
        receipt = await act_on_case.withdraw(tx, call.door, call.post(), referral_id, body)
    return receipts.act_receipt(receipt, call.door.key, call.said)


async def consent(call: AgencyRequest) -> receipts.ConsentReceipt:
    """Record a consent given, refused or withdrawn; reading that rests on it ends with this answer, which says what follows."""
    case_id, body, lists = known_id(call, "case_id", "case"), call.body(submit.ConsentBody), call.door.lists()
    async with call.door.begin() as tx:
        receipt = await act_on_case.consent(tx, call.door, call.post(), case_id, body)
        running = await _running(tx, call, case_id) if body.state in (ConsentState.WITHDRAWN, ConsentState.REFUSED) else ()
    follows = tuple(sorted({lists.withdrawal.get(pathway, "stop") for pathway in running}))
    return receipts.ConsentReceipt(**structs.asdict(receipts.act_receipt(receipt, call.door.key, call.said)), follows=follows)


async def _running(tx: AsyncConnection, call: AgencyRequest, case_id: str) -> tuple[str, ...]:
    """Return the procedures of a case; none where a repeated request comes from an agency that has no part in it any more."""
    try:
        leave = await access.permitted(tx, call.who, Act.RECORD_CONSENT, case_id)
    except Rejected:
        return ()
    return await store.pathways(tx, leave, (await access.involvement(tx, call.agency, case_id)).seen_until)


async def write(call: AgencyRequest) -> schemas.Written:
    """A new version of one section of the case file."""
    case_id, section = known_id(call, "case_id", "case"), call.path["section"]
    content = submit.section(section, call.body(dict[str, Any]), call.door.lists(), "$")
    if (why := call.door.crowd.refuses_section(call.agency, len(content))) is not None:
        raise why
    async with call.door.begin() as tx:
        version = await act_on_case.write(tx, call.door, call.post(), case_id, section, content)
    return schemas.Written(case_id=case_id, section=section, version=version)
