"""What an agency posts over HTTP. Each is durable when it is answered, and safe to send again under the same Idempotency-Key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct, structs

from referral.domain.events import ConsentState
from referral.domain.events import Door as By
from referral.errors import Rejected
from referral.runtime.together import Together
from services.intake import accepting, acts, answers, shown, store, submit
from services.intake.accepting import Posting
from services.intake.call import KEY, Call, known_id
from services.intake.door import Door
from services.intake.kept import Receipt


class Referrals:
    """The door for referrals: those that come at the same moment share one transaction."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._together: Together[Posting, Receipt | Rejected] = Together(self._accept)

    async def submit(self, call: Call) -> shown.ReferralReceipt:
        """Take one referral. Same key, same body: the same receipt; another body: 409."""
        if call.key is None:
            raise Rejected("missing-key", KEY, "send your own number for this referral, so that it is safe to send again", status=400)
        found = submit.submission(call.data, self._door.lists())
        answer = await self._together(Posting(agency=call.agency, key=call.key, door=By.HTTP, found=found, signed=call.signed))
        if isinstance(answer, Rejected):
            raise answer
        return shown.referral_receipt(answer, self._door.key)

    async def _accept(self, postings: Sequence[Posting]) -> list[Receipt | Rejected]:
        async with self._door.begin() as tx:
            return await accepting.accept(tx, self._door, self._door.lists(), postings)


Act = Callable[..., Awaitable[Receipt]]


def act(do: Act, kind: type[Struct], name: str, what: str) -> Callable[[Call], Awaitable[shown.ActReceipt]]:
    """A handler that does one act of `acts` to the thing whose id stands in the path."""

    async def handler(call: Call) -> shown.ActReceipt:
        id, body = known_id(call, name, what), call.body(kind)
        async with call.door.begin() as tx:
            receipt = await do(tx, call.door, call.post(), id, body)
        return shown.act_receipt(receipt, call.door.key)

    handler.__name__, handler.__doc__ = do.__name__, do.__doc__
    return handler


respond = act(acts.respond, answers.AnswerBody, "offer_id", "offer")
traits = act(acts.traits, submit.TraitsBody, "case_id", "case")
exclude = act(acts.exclude, answers.ExclusionBody, "case_id", "case")
instruct = act(acts.instruct, answers.InstructionBody, "case_id", "case")
withdraw = act(acts.withdraw, answers.WithdrawalBody, "referral_id", "referral")


async def consent(call: Call) -> shown.ConsentReceipt:
    """Record a consent given, refused or withdrawn; reading that rests on it ends with this answer, which says what follows."""
    case_id, body, lists = known_id(call, "case_id", "case"), call.body(submit.ConsentBody), call.door.lists()
    async with call.door.begin() as tx:
        receipt = await acts.consent(tx, call.door, call.post(), case_id, body)
        running = await store.pathways(tx, case_id) if body.state in (ConsentState.WITHDRAWN, ConsentState.REFUSED) else ()
    follows = tuple(sorted({lists.withdrawal.get(pathway, "stop") for pathway in running}))
    return shown.ConsentReceipt(**structs.asdict(shown.act_receipt(receipt, call.door.key)), follows=follows)


async def write(call: Call) -> shown.Written:
    """A new version of one section of the case file."""
    case_id, section = known_id(call, "case_id", "case"), call.path["section"]
    content = submit.section(section, call.body(dict[str, Any]), call.door.lists(), "$")
    async with call.door.begin() as tx:
        version = await acts.write(tx, call.door, call.post(), case_id, section, content)
    return shown.Written(case_id=case_id, section=section, version=version)
