"""Say “I have seen it” from a browser whose session rests. It acknowledges, as a key on the telephone does, and nothing else.

A session rests while the shift goes on in which its owner signed in, after an hour without a page. The sign-in page then lists the numbers
of the cases that wait, which the message that led there names too, and nothing about them.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Kind
from referral.domain.case_number import case_number
from referral.domain.events import Via, Word
from referral.errors import Rejected
from services.intake import store
from services.intake.accounts.store import Account
from services.intake.casefile import access
from services.intake.commands import act_on_case, idempotency
from services.intake.commands.act_on_case import Post
from services.intake.model import Offer
from services.intake.pages import confirmation, labels
from services.intake.pages.labels import Time
from services.intake.pages.offer import possible
from services.intake.pages.page_request import PageRequest

SEEN = Word.ACKNOWLEDGE.value


@dataclass(frozen=True, slots=True)
class Waits:
    """A case that waits for somebody to have seen it, and the time that is left."""

    number: str
    time: Time | None


def _own(account: Account) -> Permit:
    return access.own(Who(Kind.STAFF, account.agency, account.id))


async def waiting(call: PageRequest) -> tuple[Offer, ...]:
    """Return the offers that the owner of the resting session may acknowledge, the next limit first; none without such a session."""
    former = call.visit.former
    if former is None or not former.rests:
        return ()
    async with call.pages.door.begin() as tx:
        offers = await store.open_offers(tx, _own(former.account))
    return tuple(offer for offer in offers if offer.kind != "NOTIFY" and SEEN in possible(offer))


async def cases(call: PageRequest) -> tuple[Waits, ...]:
    """Return the cases of these offers for the sign-in page, each once; without those whose answer routing has not decided yet."""
    say, now = call.pages.render.say(call.visit), call.visit.now
    first: dict[str, Offer] = {}
    for offer in await waiting(call):
        assert call.visit.former is not None
        own = _own(call.visit.former.account)
        async with call.pages.door.begin() as tx:
            answers = await store.answers(tx, own, offer.offer_id)
        if not any(answer.word == SEEN and answer.became is None for answer in answers):
            first.setdefault(case_number(offer.case_id), offer)
    return tuple(Waits(number, labels.time(say, offer.due, offer.due_what, now)) for number, offer in first.items())


async def acknowledge(call: PageRequest) -> Response:
    """Acknowledge what the sign-in page listed, once for each form; what came after that page was made stays as it is."""
    door, key, shown = call.pages.door, call.form.get("key", ""), call.form.get("shown", "")
    until = int(shown) if shown.isascii() and shown.isdecimal() and len(shown) <= 18 else 0
    former, at = call.visit.former, 0
    for offer in await waiting(call):
        assert former is not None
        who = former.account
        if offer.opened_at > until:
            continue
        once = idempotency.form_digest(door.keys, who.agency, who.id, f"{key} {offer.offer_id}")
        try:
            async with door.begin() as tx:
                body = act_on_case.answer(SEEN, via=Via.WEB)
                post = Post(kind=Kind.STAFF, agency=who.agency, account=who.id, key=once)
                at = (await act_on_case.respond(tx, door, post, offer.offer_id, body)).received_at
        except Rejected:  # meanwhile it ended, or a colleague was quicker: the others still count
            continue
    to = confirmation.link("/signin", SEEN, at, call.visit.token) if at else "/signin"
    return RedirectResponse(to, status_code=303)
