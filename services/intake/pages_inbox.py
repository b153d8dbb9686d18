"""The inbox, and one offer: look, read the case file, answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import RedirectResponse, Response

from referral.errors import Rejected
from services.intake import acts, disclosing, pages_form, pages_offer, pages_sent, pages_view, receipts, store, whereabouts
from services.intake.acts import Post
from services.intake.answers import WORDS_LIMIT
from services.intake.kept import Offer, Spot
from services.intake.pages_call import Call, known_id
from services.intake.pages_form import Entered
from services.intake.reading import Reader


async def inbox(call: Call) -> Response:
    """What my agency holds, most urgent first; for a desk also its tasks and telephone calls."""
    who = call.visit.who
    async with call.pages.door.begin() as tx:
        offers = {offer.offer_id: offer for offer in await store.all_offers(tx, who.agency, who.id)}
        offers |= {offer.offer_id: offer for offer in await store.open_offers(tx, who.agency, who.id)}
        calls = await store.calls(tx, who.agency, who.id) if who.desk else ()
        tasks = await store.desk_tasks(tx, who.agency, who.id) if who.desk else ()
        cases = [one.case_id for one in (*offers.values(), *calls)] + [one.case_id for one in tasks]
        spots = await whereabouts.spots(tx, call.pages.door.keys, cases)
    render = call.pages.render
    say, name = render.say(call.visit), render.name(call.visit)
    groups = pages_view.groups(offers.values(), calls, tasks, lambda case: spots.get(case, Spot()), say, name, call.visit.now)
    empty = not (groups.answer or groups.tasks or groups.calls or groups.work)
    return render.page("inbox.html", call.visit, groups=groups, empty=empty)


async def offer(call: Call) -> Response:
    """One offer that my agency holds or held. The case file stays closed until it is asked for with the form."""
    async with call.pages.door.begin() as tx:
        found = await store.offer(tx, call.visit.who.agency, known_id(call, "offer"), call.visit.who.id)
        spot = await _spot(tx, call, found)
    return _page(call, found, spot)


async def show(call: Call) -> Response:
    """Open the case file. That it is read is committed before this returns, so before anything of it leaves."""
    who = call.visit.who
    async with call.pages.door.begin() as tx:
        found = await store.offer(tx, who.agency, known_id(call, "offer"), who.id)
        spot = await _spot(tx, call, found)
        try:
            shown = await disclosing.disclose(tx, call.pages.door, Reader(agency=who.agency, account=who.id), found.case_id, found.offer_id)
        except Rejected as why:
            if why.code != "reading-ended":
                raise
            return _page(call, found, spot, errors={"top": "show.ended"}, status=403)
    return _page(call, found, spot, shown={**shown.sections, **dict.fromkeys(shown.empty)})


async def answer(call: Call) -> Response:
    """Take an answer, once for each form. What is wrong with it stands beside the field, and what was entered stays."""
    async with call.pages.door.begin() as tx:
        found = await store.offer(tx, call.visit.who.agency, known_id(call, "offer"), call.visit.who.id)
        spot = await _spot(tx, call, found)
    entered = pages_form.answer(call.form, found)
    status = 422
    if not entered.errors or entered.errors == {"top": "error.word"}:
        # A word that is not possible any more may be this very form, sent twice: its key tells.
        sent = await send(call, found, entered, via="WEB")
        if isinstance(sent, Response):
            return sent
        entered, status = sent
    return _page(call, found, spot, entered=entered, errors=entered.errors, status=status)


async def send(call: Call, found: Offer, entered: Entered, *, via: str) -> Response | tuple[Entered, int]:
    """Hand an answer in: to the page that says so, or back with what is wrong and the status."""
    door, who = call.pages.door, call.visit.who
    try:
        body = acts.answer(entered.word, reason=entered.reason, code=entered.code, texts=dict(entered.texts), via=via)
        key = receipts.key_digest(door.keys, who.agency, call.form.get("key", ""), "form")
        async with door.begin() as tx:
            receipt = await acts.respond(tx, door, Post(agency=who.agency, account=who.id, key=key), found.offer_id, body)
    except Rejected as why:
        if why.status == 404:
            raise
        return pages_sent.refused(entered, why), why.status
    where = call.request.url.path.rpartition("/")[0]
    return RedirectResponse(pages_sent.link(where, entered.word, receipt.received_at, call.visit.token), status_code=303)


async def _spot(tx: AsyncConnection, call: Call, found: Offer) -> Spot:
    return (await whereabouts.spots(tx, call.pages.door.keys, [found.case_id])).get(found.case_id, Spot())


def _page(
    call: Call,
    found: Offer,
    spot: Spot,
    *,
    shown: Mapping[str, Any] | None = None,
    entered: Entered | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    name = call.pages.render.name(call.visit)
    sections = None if shown is None else [(name("section", one), pages_view.content(one, found, name)) for one, found in shown.items()]
    return offer_page(call, found, spot, where=f"/offers/{found.offer_id}", shown=sections, entered=entered, errors=errors, status=status)


def offer_page(
    call: Call,
    found: Offer,
    spot: Spot,
    *,
    where: str,
    by_phone: bool = False,
    shown: list[tuple[str, Any]] | None = None,
    entered: Entered | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The page of an offer. where: its path. by_phone: a desk records the answer of an agency on the telephone."""
    render, visit = call.pages.render, call.visit
    say, name = render.say(visit), render.name(visit)
    reasons = call.pages.door.lists().codes.get("reason", ())
    return render.page(
        "offer.html",
        visit,
        here=where,
        status=status,
        view=pages_offer.view(found, spot, say, name, reasons, visit.now, call=by_phone),
        shown=shown,
        entered=entered or Entered(),
        errors={field: say(key, count=WORDS_LIMIT, code=entered.refusal if entered else "") for field, key in (errors or {}).items()},
        sent=pages_sent.told(call.request.query_params, where, visit, say, "word"),
        key=secrets.token_hex(16),
        action_href=f"{where}/answer",
        words_limit=WORDS_LIMIT,
    )
