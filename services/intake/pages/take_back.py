"""Take back an answer that was sent by mistake: by the agency itself, or by its desk for an agency on the telephone."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from referral.domain.authority.words import Kind
from referral.domain.events import Via
from referral.domain.rules.take_back import TAKE_BACK
from referral.errors import Rejected
from services.intake.commands import act_on_case, idempotency
from services.intake.commands.act_on_case import Post
from services.intake.messages.responses import TakeBackBody
from services.intake.model import Offer
from services.intake.pages import confirmation, desk, inbox
from services.intake.pages.forms import Entered
from services.intake.pages.page_request import PageRequest


async def own(call: PageRequest) -> Response:
    """Take back an answer of the person's agency."""
    async with call.pages.door.begin() as tx:
        offer, known = await inbox.seen(tx, call)
    return await _taken(call, offer, known, f"/offers/{offer.offer_id}", Via.WEB)


async def by_phone(call: PageRequest) -> Response:
    """Take back an answer that the desk recorded for an agency on the telephone."""
    offer, known = await desk.called(call)
    return await _taken(call, offer, known, f"/calls/{offer.offer_id}", Via.PHONE)


async def _taken(call: PageRequest, offer: Offer, known: inbox.Beside, here: str, via: Via) -> Response:
    """Send the withdrawal, once for each form. Return the redirect to the page that says what became of it, or the page with the error."""
    door, who = call.pages.door, call.visit.who
    try:
        key = idempotency.form_digest(door.keys, who.agency, who.id, call.form.get("key", ""))
        body = TakeBackBody(word="COMPLETE", via=via)
        async with door.begin() as tx:
            receipt = await act_on_case.take_back(
                tx,
                door,
                Post(kind=Kind.DESK if via is Via.PHONE else Kind.STAFF, agency=who.agency, account=who.id, key=key),
                offer.offer_id,
                body,
            )
    except Rejected as why:
        if why.status == 404:
            raise
        wrong = confirmation.refused(Entered(), why)
        phoned = via is Via.PHONE
        return inbox.offer_page(call, offer, known, here=here, by_phone=phoned, entered=wrong, errors=wrong.errors, status=why.status)
    await inbox.decided(call, offer.offer_id, TAKE_BACK, receipt.received_at)
    return RedirectResponse(confirmation.link(here, TAKE_BACK, receipt.received_at, call.visit.token), status_code=303)
