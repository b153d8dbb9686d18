"""The page of the inbox: an agency's offers, the most urgent first; for a desk also its tasks and telephone calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

from starlette.responses import RedirectResponse, Response

from referral.domain.rules.telephone import CALLS
from referral.runtime.i18n import Words
from referral.wire.roster import Ask
from services.intake import notifier_client, store
from services.intake.casefile import locations
from services.intake.model import Offer, Spot, Task
from services.intake.pages import case_head, relative_time, told
from services.intake.pages import offer as offers
from services.intake.pages.case_head import CaseHead, Stage
from services.intake.pages.page_request import PageRequest, get

LATELY_US = 24 * 60 * 60 * 1_000_000
"""An offer that ended longer ago is not in the inbox (ours): every shift sees the results of the previous one."""
SHOWN = 50
"""Most cards of one group (ours): more than a shift answers. Those whose limit is next stay, and the page says how many there are."""
FEW = 5
"""Cases of a group that have a card; each further one has one line (ours): five cards are what a phone shows in two screens."""
ALL, LATE, MINE = "", "late", "mine"
"""What the reader chose to see."""


@dataclass(frozen=True, slots=True)
class Card:
    """One offer, call or task, and the path of its page. who: login of the colleague whose answer holds."""

    href: str
    row: Offer | Task
    who: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """One group of the inbox: the cards of each case together, at the place of the first. many: cards that it would have without SHOWN."""

    cases: tuple[tuple[CaseHead, list[Card]], ...]
    many: int


async def home(call: PageRequest) -> Response:
    """Lead to the inbox."""
    return RedirectResponse("/inbox", status_code=303)


async def inbox(call: PageRequest) -> Response:
    """Return the inbox. A task to call an agency is shown as the call."""
    who, own, now, door = call.account, call.own, call.now, call.door
    async with door.begin() as tx:
        held = {offer.offer_id: offer for offer in await store.all_offers(tx, own)}
        held |= {offer.offer_id: offer for offer in await store.open_offers(tx, own)}
        calls = await store.calls(tx, own) if who.desk else ()
        every = await store.desk_tasks(tx, own) if who.desk else ()
        tasks = [task for task in every if task.about not in CALLS]
        unverified = await store.count_to_confirm(tx, own) if who.desk else (0, 0)
        own_rows: list[Offer | Task] = [*held.values(), *tasks]
        rows = [*own_rows, *calls]
        spots = await locations.spots(tx, own, door.keys, [row.case_id for row in rows])
        crowds = await locations.crowds(tx, own, now) if who.desk else ()
        logins = await store.holders(tx, own, held)
        stages = await case_head.where(tx, call, [row for row in rows if row.closed_at is None])
    show, step = wanted(call.request.query_params)
    ours = [row for row in own_rows if matches(row, show, step, logins, who.login, now)]
    phoned = [offer for offer in calls if matches(offer, show, step, logins, who.login, now)]
    groups = grouped(ours, phoned, spots, logins, stages, now)
    waiting: list[Offer | Task] = [*filter(offers.waits, held.values()), *calls, *tasks]
    asked, name = dict[str, told.Asked](), call.name
    for card in (card for id in ("answer", "calls", "tasks") for _, cards in groups[id].cases for card in cards):
        task = told.task_of(card.row, every) if isinstance(card.row, Offer) and card.href.startswith("/calls/") else card.row
        if isinstance(task, Task):
            asked[card.href] = (task, name("agency", who.agency))
        elif task is not None and told.awaited(task):
            asked[card.href] = (task, "")
    lines, unreachable = await asyncio.gather(told.lines(call, asked), _unreachable(call))
    away = [line for line in told.once(lines.values()) if line.away]  # said once, not on every card
    steps = sorted(({row.step for row in rows} | {step}) - {""}, key=lambda code: (name("step", code).casefold(), code))
    return call.page(
        "inbox.html",
        groups=groups,
        empty=not (show or step or unverified[0] or any(groups[id].many for id in ("answer", "tasks", "calls", "work"))),
        # Of the public page there is nobody to telephone, and its line says how many wait.
        crowds=[crowd for crowd in crowds if crowd[0] != call.lists.public],
        told={} if away else lines,
        away=away,
        unverified=unverified,
        unreachable=unreachable,
        line=line(waiting, call.say, now),
        few=FEW,
        show=show,
        step=step,
        steps=steps if show or step or len(waiting) > FEW else None,
    )


ROUTES = (*get("/", home), *get("/inbox", inbox))


async def _unreachable(call: PageRequest) -> bool:
    """Return True if the reader is to be told of cases, and no address is there by which a message could come. A notifier that does not
    answer says nothing."""
    if call.door.notifier is None:
        return False
    ask = Ask(agency=call.account.agency, begins=call.now, ends=call.now + 1)
    try:
        async with asyncio.timeout(notifier_client.ANSWER_S):
            found = await notifier_client.roster(call.door.notifier, call.door.keys, ask)
    except TimeoutError:
        return False
    people = () if found is None else found.people
    me = next((one for one in people if one.account == call.account.id and one.rungs), None)
    return me is not None and all(contact.waits for contact in me.contacts)


def wanted(query: Mapping[str, str]) -> tuple[str, str]:
    """Return the filter in an address: ALL, LATE or MINE, and a step, empty for all; a word that we do not know filters nothing."""
    show = query.get("show", "")
    return show if show in (LATE, MINE) else ALL, query.get("step", "")[:100]


def matches(row: Offer | Task, show: str, step: str, logins: Mapping[str, str], login: str, now: int) -> bool:
    """Return whether the reader wants to see a row. A desk's tasks belong to nobody, and have no limit of their own.

    logins: offer id → login of the colleague who has it. login: the reader's.
    """
    if step not in ("", row.step):
        return False
    if isinstance(row, Task):
        return not show
    late = row.closed_at is None and row.due is not None and row.due <= now
    return {LATE: late, MINE: logins.get(row.offer_id) == login}.get(show, True)


def grouped(
    rows: Iterable[Offer | Task],
    calls: Iterable[Offer],
    spots: Mapping[str, Spot],
    logins: Mapping[str, str],
    stages: Mapping[str, tuple[Stage, ...]],
    now: int,
) -> dict[str, Group]:
    """Sort rows into the groups of the inbox: first the offers that need an answer. In each stand first the cases whose limit has passed,
    then emergencies, then those whose limit is next.

    calls: the offers whose agency a desk telephones. spots: case id → its facts. stages: track id → where the case stands.
    """
    found: dict[str, list[Card]] = {id: [] for id in ("answer", "tasks", "calls", "work", "info", "ended")}
    found["calls"] = [Card(f"/calls/{offer.offer_id}", offer) for offer in calls]
    for row in rows:
        if isinstance(row, Task):
            found["tasks"].append(Card(f"/tasks/{row.task_id}", row))
        elif row.closed_at is None or now - row.closed_at < LATELY_US:
            card = Card(f"/offers/{row.offer_id}", row, logins.get(row.offer_id, ""))
            found[_group(row)].append(card)
    for id, cards in found.items():
        if id != "tasks":
            cards.sort(key=lambda card: offers.order(cast(Offer, card.row), now))
    return {id: Group(_cases(cards, spots, stages), len(cards)) for id, cards in found.items()}


def _group(offer: Offer) -> str:
    if offer.closed_at is not None:
        return "ended"
    return "info" if offer.kind == "NOTIFY" else "answer" if offers.waits(offer) else "work"


def _cases(
    cards: Iterable[Card], spots: Mapping[str, Spot], stages: Mapping[str, tuple[Stage, ...]]
) -> tuple[tuple[CaseHead, list[Card]], ...]:
    """Put the cards of one case and procedure together, at the place of the first. A case without its key is erased: it has no card."""
    found: dict[tuple[str, str], list[Card]] = {}
    for card in islice(cards, SHOWN):
        found.setdefault((card.row.case_id, card.row.pathway), []).append(card)
    heads = []
    for (case_id, pathway), together in found.items():
        ended = all(case_head.ended(card.row) for card in together)
        line = () if ended else stages.get(together[0].row.track_id or "", ())
        heads.append((CaseHead(case_id, spots.get(case_id, Spot()), pathway, line, ended=ended), together))
    return tuple(heads)


def line(waiting: Sequence[Offer | Task], say: Words, now: int) -> str:
    """Return the line on top of the inbox: how many wait, how many are late or emergencies, and the next limit; empty for none.

    waiting: what waits for somebody: offers without an answer, calls and tasks.
    """
    if not waiting:
        return ""
    dues = [row.due for row in waiting if isinstance(row, Offer) and row.due is not None]
    late, ahead = sum(due <= now for due in dues), [due for due in dues if due > now]
    urgent = sum(isinstance(row, Offer) and row.urgency == offers.URGENCIES[0] for row in waiting)
    parts = (
        say("many.wait", count=len(waiting)),
        say("many.overdue", count=late) if late else "",
        say("many.emergencies", count=urgent) if urgent else "",
        say("many.next", time=relative_time.clock(say, min(ahead), now)) if ahead else "",
    )
    return " · ".join(part for part in parts if part)
