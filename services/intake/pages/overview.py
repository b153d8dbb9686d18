"""The page of the overview: what an agency or desk has open, what is late, how far the cases are of which it is informed, and the search by
case number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

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
from services.intake.pages import case_head
from services.intake.pages import offer as offers
from services.intake.pages.case_head import CaseHead
from services.intake.pages.page_request import PageRequest, get, post
from services.intake.projection import as_of

DAYS = 90
"""Days that the overview looks back (ours): a quarter, as offices report."""
ROWS = 200
"""Most rows of the list (ours); the ones whose limit is next stay."""
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
    async with call.door.begin() as tx:
        hrefs = await _hrefs(tx, call.own, number, desk=call.account.desk)
    if not hrefs:
        return await _page(call, typed=number, wrong="find.none", status=404)
    if len(hrefs) == 1:
        return RedirectResponse(next(iter(hrefs)), status_code=303)
    return await _page(call, typed=number, found=hrefs)


async def progress(call: PageRequest) -> Response:
    """Show how far each open case is of which the agency is informed: a coordinator's municipality. Nothing says who the child is.

    Each reading is committed before the page leaves, as for a section of the case file.
    """
    who, door, policy = call.account, call.door, call.policy
    heads: list[CaseHead] = []
    async with door.begin() as tx:
        permit = access.without_case(call.who(), Act.SEE_PROGRESS)
        informed = await _informed(tx, permit)
        track = await as_of.track_offers(tx, permit, door.keys, informed)
        spots = await locations.spots(tx, permit, door.keys, informed)
        for case_id, notice in sorted(informed.items()):  # every transaction locks cases in this order
            case = await access.hold(tx, door.keys, case_id)
            if (await access.involvement(tx, who.agency, case_id)).barred(who.agency, who.id) or case.closed:
                continue
            read = SectionDisclosed(
                offer_id=notice.offer_id, agency=who.agency, by=who.id, section="progress", basis="notice", at=await clock.now(tx)
            )
            await queue.put_all(tx, [queue.row(case_id, read, door.new_id(), case.key, case.drill)])
            stages = case_head.stages(policy, notice.pathway, track.get(notice.track_id, ()), who.agency)
            heads.append(CaseHead(case_id, spots.get(case_id, Spot()), notice.pathway, stages))
    return await _page(call, heads=heads)


ROUTES = (*get("/overview", overview), *post("/overview/find", find), *post("/overview/progress", progress))


async def _informed(tx: AsyncConnection, permit: Permit) -> dict[str, Offer]:
    """Return case id → the newest notice to the agency about it, of the newest open cases."""
    return {offer.case_id: offer for offer in await store.notices(tx, permit, COORDINATOR, INFORMED)}


async def _hrefs(tx: AsyncConnection, permit: Permit, number: str, *, desk: bool) -> dict[str, tuple[str, str]]:
    """Return path → (`step` or `about`, its code) of every page that the reader has of the case with this number."""
    calls: tuple[Offer, ...] = await store.calls(tx, permit) if desk else ()
    tasks: tuple[Task, ...] = (*await store.desk_tasks(tx, permit), *await store.to_confirm(tx, permit)) if desk else ()
    known = await store.cases_of(tx, permit)
    every = {*known, *(offer.case_id for offer in calls), *(task.case_id for task in tasks)}
    cases = await run_in_threadpool(matching, number, every)  # a hash of each: a tenth of a second for 10,000, and nobody else waits
    own = await store.offers_of(tx, permit, cases & known)
    found = {f"/tasks/{task.task_id}": ("about", task.about) for task in tasks if task.case_id in cases}
    found |= {f"/calls/{offer.offer_id}": ("step", offer.step) for offer in calls if offer.case_id in cases}
    found |= {f"/offers/{offer.offer_id}": ("step", offer.step) for offer in own}
    return dict(list(found.items())[:FOUND])


def matching(number: str, case_ids: Iterable[str]) -> frozenset[str]:
    """Return the cases that have this number: one, hardly ever two."""
    return frozenset(case for case in case_ids if case_number.case_number(case) == number)


async def _page(
    call: PageRequest,
    *,
    typed: str = "",
    wrong: str = "",
    found: Mapping[str, tuple[str, str]] | None = None,
    heads: Sequence[CaseHead] | None = None,
    status: int = 200,
) -> Response:
    who, since = call.account, call.now - DAYS * DAY_US
    coordinates = any(place.coordinator == who.agency for place in call.policy.municipalities.values())
    async with call.door.begin() as tx:
        rows = await store.offers_since(tx, call.own, since)
        if who.desk:
            rows = tuple({offer.offer_id: offer for offer in (*rows, *await store.desk_offers_since(tx, call.own, since))}.values())
        live = [offer for offer in rows if offer.closed_at is None]
        spots = await locations.spots(tx, call.own, call.door.keys, [offer.case_id for offer in live])
        logins = await store.holders(tx, call.own, [offer.offer_id for offer in live])
        informed = any(_coordinates(offer) for offer in rows) or (coordinates and bool(await _informed(tx, call.own)))
    waiting = open_steps(rows, call.now)
    counted, steps = tally(waiting, spots)
    begun = {offer.case_id for offer in rows}
    return call.page(
        "overview.html",
        here="/overview",
        status=status,
        counted=counted,
        steps=steps,
        bands=[band for band in call.lists.codes.get("age-band", ()) if any(band == code for _, code in counted)],
        waiting=waiting[:ROWS],
        late=sum(offer.due is not None and offer.due <= call.now for offer in waiting),
        begun=len(begun),
        ended=len(begun - {offer.case_id for offer in live}),
        spots=spots,
        nowhere=Spot(),
        logins=logins,
        days=DAYS,
        typed=typed,
        wrong=wrong,
        found=found or {},
        heads=heads,
        exercises=coordinates,
        informed=informed,
    )


def open_steps(rows: Iterable[Offer], now: int) -> list[Offer]:
    """Return the offers that are open, and more than a notice, in the order of a list."""
    return sorted((row for row in rows if not case_head.ended(row) and row.kind != "NOTIFY"), key=lambda row: offers.order(row, now))


def tally(waiting: Iterable[Offer], spots: Mapping[str, Spot]) -> tuple[Counter[tuple[str, str]], list[tuple[str, int]]]:
    """Count offers: (step, age band) → number, and (step, number), the most frequent first. spots: case id → its facts."""
    rows = list(waiting)
    counted = Counter((offer.step, spots.get(offer.case_id, Spot()).age_band) for offer in rows)
    return counted, Counter(offer.step for offer in rows).most_common()


def _coordinates(offer: Offer) -> bool:
    """Return whether an offer is the notice of a coordinator."""
    return offer.kind == "NOTIFY" and offer.role == COORDINATOR and offer.state != "CANCELLED"
