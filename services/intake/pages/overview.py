"""Pages of the overview: what an agency or desk has open, what is late, and the search by case number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from referral.domain import case_number
from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act
from referral.domain.durations import DAY_US
from referral.domain.events import SectionDisclosed
from referral.runtime.postgres import clock, queue
from services.intake import store
from services.intake.casefile import access, locations
from services.intake.model import Offer, Spot, Task
from services.intake.pages import case_head, tally
from services.intake.pages.case_head import CaseHead
from services.intake.pages.page_request import PageRequest
from services.intake.projection import as_of

INFORMED = 50
"""Most cases of which one page shows the progress (ours); the newest."""
COORDINATOR = "child-rights-coordinator"
"""Role whose notice lets its agency follow a case. Whoever is only told that there is one (police, without identity) follows nothing."""
FOUND = 20
"""Most links of one search (ours): a case has some steps at one agency, and a number has hardly ever two cases."""


async def overview(call: PageRequest) -> Response:
    """Return what is open by step and age band, the list of it, and the last days; for a desk of all agencies in its cases."""
    return await _page(call)


async def find(call: PageRequest) -> Response:
    """Go to the page of the case with this number, or list its pages. An unknown number and another agency's are the same."""
    typed = call.form.get("number", "")
    number = case_number.read(typed)
    if number is None:
        return await _page(call, typed=typed, wrong="find.wrong", status=422)
    who = call.visit.who
    async with call.pages.door.begin() as tx:
        hrefs = await _hrefs(tx, call.own, number, desk=who.desk)
    if not hrefs:
        return await _page(call, typed=number, wrong="find.none", status=404)
    if len(hrefs) == 1:
        return RedirectResponse(next(iter(hrefs)), status_code=303)
    return await _page(call, typed=number, found=hrefs)


async def progress(call: PageRequest) -> Response:
    """Show how far each open case is of which the agency is informed: a coordinator's municipality. Nothing says who the child is.

    Each reading is committed before the page leaves, as for a section of the case file.
    """
    who, render, door = call.visit.who, call.pages.render, call.pages.door
    say, name, policy = render.say(call.visit), render.name(call.visit), render.policy()
    heads: list[CaseHead] = []
    async with door.begin() as tx:
        leave = access.without_case(call.who(), Act.SEE_PROGRESS)
        informed = await _informed(tx, leave)
        offers = await as_of.track_offers(tx, leave, door.keys, informed)
        spots = await locations.spots(tx, leave, door.keys, informed)
        for case_id, notice in sorted(informed.items()):  # every transaction locks cases in this order
            case = await access.hold(tx, door.keys, case_id)
            if (await access.involvement(tx, who.agency, case_id)).barred(who.agency, who.id) or case.closed:
                continue
            read = SectionDisclosed(
                offer_id=notice.offer_id, agency=who.agency, by=who.id, section="progress", basis="notice", at=await clock.now(tx)
            )
            await queue.put_all(tx, [queue.row(case_id, read, door.new_id(), case.key, case.drill)])
            stages = case_head.stages(case_head.steps(policy, notice.pathway), offers.get(notice.track_id, ()), who.agency, say, name)
            heads.append(case_head.head(case_id, spots.get(case_id, Spot()), notice.pathway, say, name, stages=stages))
    return await _page(call, heads=heads)


async def _informed(tx: AsyncConnection, leave: Permit) -> dict[str, Offer]:
    """Return case id → the newest notice to the agency about it, of the newest open cases."""
    return {offer.case_id: offer for offer in await store.notices(tx, leave, COORDINATOR, INFORMED)}


async def _hrefs(tx: AsyncConnection, leave: Permit, number: str, *, desk: bool) -> dict[str, str]:
    """Return path → step (or what a task is about, as `about:code`) of every page that the reader has of the case with this number."""
    calls: tuple[Offer, ...] = await store.calls(tx, leave) if desk else ()
    tasks: tuple[Task, ...] = (*await store.desk_tasks(tx, leave), *await store.to_confirm(tx, leave)) if desk else ()
    known = await store.cases_of(tx, leave)
    every = {*known, *(offer.case_id for offer in calls), *(task.case_id for task in tasks)}
    cases = await run_in_threadpool(tally.matches, number, every)  # a hash of each: a tenth of a second for 10,000, and nobody else waits
    own = await store.offers_of(tx, leave, cases & known)
    found = {f"/tasks/{task.task_id}": f"about:{task.about}" for task in tasks if task.case_id in cases}
    found |= {f"/calls/{offer.offer_id}": f"step:{offer.step}" for offer in calls if offer.case_id in cases}
    found |= {f"/offers/{offer.offer_id}": f"step:{offer.step}" for offer in own}
    return dict(list(found.items())[:FOUND])


async def _page(
    call: PageRequest,
    *,
    typed: str = "",
    wrong: str = "",
    found: Mapping[str, str] | None = None,
    heads: Sequence[CaseHead] | None = None,
    status: int = 200,
) -> Response:
    who, render = call.visit.who, call.pages.render
    say, name = render.say(call.visit), render.name(call.visit)
    since = call.visit.now - tally.DAYS * DAY_US
    coordinates = any(place.coordinator == who.agency for place in render.policy().municipalities.values())
    async with call.pages.door.begin() as tx:
        offers = await store.offers_since(tx, call.own, since)
        if who.desk:
            every = {offer.offer_id: offer for offer in (*offers, *await store.desk_offers_since(tx, call.own, since))}
            offers = tuple(every.values())
        live = [offer for offer in offers if offer.closed_at is None]
        spots = await locations.spots(tx, call.own, call.pages.door.keys, [offer.case_id for offer in live])
        held = await store.holders(tx, call.own, [offer.offer_id for offer in live])
        informed = any(_coordinates(offer) for offer in offers) or (coordinates and bool(await _informed(tx, call.own)))
    bands = call.pages.door.lists().codes.get("age-band", ())
    links = [(href, name(*what.split(":", 1))) for href, what in (found or {}).items()]
    return render.page(
        "overview.html",
        call.visit,
        here="/overview",
        status=status,
        tally=tally.tally(offers, who.agency, spots, held, bands, say, name, call.visit.now),
        days=tally.DAYS,
        desk=who.desk,
        typed=typed,
        wrong=say(wrong) if wrong else "",
        links=links,
        heads=heads,
        exercises=coordinates,
        informed=informed,
    )


def _coordinates(offer: Offer) -> bool:
    """Return whether an offer is the notice of a coordinator."""
    return offer.kind == "NOTIFY" and offer.role == COORDINATOR and offer.state != "CANCELLED"
