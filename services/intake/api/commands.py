"""HTTP handlers of agencies' commands. Each command is stored before the answer, and may be sent again under the same Idempotency-Key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct, structs

from referral.domain.events import ConsentState, Door
from referral.errors import Rejected
from referral.runtime.postgres.group_commit import Together
from services.intake import store
from services.intake.api import schemas
from services.intake.api.agency_request import KEY, AgencyRequest, known_id
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

    async def submit(self, call: AgencyRequest) -> schemas.ReferralReceipt:
        """Take one referral. Same key, same body: the same receipt; another body: 409."""
        if call.key is None:
            raise Rejected("missing-key", KEY, "send your own number for this referral, so that it is safe to send again", status=400)
        referral = submit.submission(call.data, self._door.lists())
        answer = await self._together(Posting(agency=call.agency, key=call.key, door=Door.HTTP, referral=referral, signed=call.signed))
        if isinstance(answer, Rejected):
            raise answer
        return schemas.referral_receipt(answer, self._door.key)

    async def _accept(self, postings: Sequence[Posting]) -> list[Receipt | Rejected]:
        async with self._door.begin() as tx:
            return await accept_referrals.accept(tx, self._door, self._door.lists(), postings)


Act = Callable[..., Awaitable[Receipt]]


def act(do: Act, kind: type[Struct], name: str, what: str) -> Callable[[AgencyRequest], Awaitable[schemas.ActReceipt]]:
    """Return a handler that runs one command of `act_on_case` on the thing whose id is in the path."""

    async def handler(call: AgencyRequest) -> schemas.ActReceipt:
        id, body = known_id(call, name, what), call.body(kind)
        async with call.door.begin() as tx:
            receipt = await do(tx, call.door, call.post(), id, body)
        return schemas.act_receipt(receipt, call.door.key)

    handler.__name__, handler.__doc__ = do.__name__, do.__doc__
    return handler


respond = act(act_on_case.respond, responses.AnswerBody, "offer_id", "offer")
traits = act(act_on_case.traits, submit.TraitsBody, "case_id", "case")
exclude = act(act_on_case.exclude, responses.ExclusionBody, "case_id", "case")
instruct = act(act_on_case.instruct, responses.InstructionBody, "case_id", "case")
withdraw = act(act_on_case.withdraw, responses.WithdrawalBody, "referral_id", "referral")


async def consent(call: AgencyRequest) -> schemas.ConsentReceipt:
    """Record a consent given, refused or withdrawn; reading that rests on it ends with this answer, which says what follows."""
    case_id, body, lists = known_id(call, "case_id", "case"), call.body(submit.ConsentBody), call.door.lists()
    async with call.door.begin() as tx:
        receipt = await act_on_case.consent(tx, call.door, call.post(), case_id, body)
        running = await store.pathways(tx, case_id) if body.state in (ConsentState.WITHDRAWN, ConsentState.REFUSED) else ()
    follows = tuple(sorted({lists.withdrawal.get(pathway, "stop") for pathway in running}))
    return schemas.ConsentReceipt(**structs.asdict(schemas.act_receipt(receipt, call.door.key)), follows=follows)


async def write(call: AgencyRequest) -> schemas.Written:
    """A new version of one section of the case file."""
    case_id, section = known_id(call, "case_id", "case"), call.path["section"]
    content = submit.section(section, call.body(dict[str, Any]), call.door.lists(), "$")
    async with call.door.begin() as tx:
        version = await act_on_case.write(tx, call.door, call.post(), case_id, section, content)
    return schemas.Written(case_id=case_id, section=section, version=version)
