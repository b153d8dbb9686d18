"""Pages of the inbox and of one offer: display it, disclose the case file, send an answer."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import RedirectResponse, Response

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act, Kind
from referral.domain.durations import DAY_US
from referral.domain.events import Via
from referral.domain.rules.telephone import CALLS
from referral.errors import Rejected
from referral.wire.roster import Ask
from services.intake import contacts, notifier_client, store
from services.intake.casefile import access, disclose, locations, notes
from services.intake.casefile.disclosure_rules import Reader
from services.intake.commands import act_on_case, idempotency
from services.intake.commands.act_on_case import Post
from services.intake.contacts import Contact
from services.intake.messages.responses import WORDS_LIMIT
from services.intake.model import Answer, Offer, Spot, Task
from services.intake.pages import after, case_head, confirmation, forms, guidance, labels, many, relative_time, told, unconfirmed
from services.intake.pages import ask_once as asking
from services.intake.pages import offer as pages_offer
from services.intake.pages.after import After
from services.intake.pages.case_head import Stage
from services.intake.pages.forms import SPOKE_LIMIT, Entered
from services.intake.pages.page_request import PageRequest, known_id
from services.intake.pages.writing import view as casefile_view
from services.intake.projection import as_of

Readable = tuple[str, Any, tuple[casefile_view.Note, ...]]
"""A section as a page shows it: its name, its content, and its entries where it only grows."""
LOOK_S = 0.1
"""Seconds between two checks whether routing has decided an answer (ours): routing takes some 20 ms."""


async def inbox(call: PageRequest) -> Response:
    """Return the inbox: the agency's offers, most urgent first; for a desk also its tasks and telephone calls. A task to call an agency is
    shown as the call."""
    who, own = call.visit.who, call.own
    async with call.pages.door.begin() as tx:
        offers = {offer.offer_id: offer for offer in await store.all_offers(tx, own)}
        offers |= {offer.offer_id: offer for offer in await store.open_offers(tx, own)}
        calls = await store.calls(tx, own) if who.desk else ()
        every = await store.desk_tasks(tx, own) if who.desk else ()
        tasks = [task for task in every if task.about not in CALLS]
        unverified = await store.count_to_confirm(tx, own) if who.desk else (0, 0)
        cases = [offer.case_id for offer in (*offers.values(), *calls)] + [task.case_id for task in tasks]
        spots = await locations.spots(tx, own, call.pages.door.keys, cases)
        crowds = await locations.crowds(tx, own, call.visit.now) if who.desk else ()
        held = await store.holders(tx, own, offers)
        stages = await where(tx, call, [*(offer for offer in offers.values() if offer.closed_at is None), *calls, *tasks])
    render = call.pages.render
    say, name = render.say(call.visit), render.name(call.visit)
    want, now = many.wanted(call.request.query_params), call.visit.now
    waiting: list[Offer | Task] = [*(offer for offer in offers.values() if labels.waits(offer)), *calls, *tasks]
    filters = many.choices([*offers.values(), *calls, *tasks], want, say, name)
    ours, phoned = (many.offers(rows, want, held, who.login, now) for rows in (offers.values(), calls))
    groups = labels.groups(ours, phoned, many.tasks(tasks, want), labels.Known(spots, held, stages), say, name, now)
    public = call.pages.door.lists().public  # nobody to telephone, and its line says how many wait
    empty = not want and not (unverified[0] or groups.answer or groups.tasks or groups.calls or groups.work)
    crowded = [say("inbox.crowd", agency=name("agency", agency), number=number) for agency, number in crowds if agency != public]
    desk = name("agency", who.agency)
    asked = {f"/offers/{offer.offer_id}": told.asked_of(offer) for offer in offers.values() if told.awaited(offer)}
    asked |= {f"/calls/{offer.offer_id}": told.asked_of(task, desk) for offer in calls if (task := told.task_of(offer, every)) is not None}
    asked |= {f"/tasks/{task.task_id}": told.asked_of(task, desk) for task in tasks}
    shown = {href: what for href, what in asked.items() if href in groups.shown()}
    lines, unreachable = await asyncio.gather(told_lines(call, shown), _unreachable(call))
    away = [line for line in told.once(lines.values()) if line.away]  # said once, not on every card
    told_of = {} if away else lines
    waits = unconfirmed.line(*unverified, say, call.visit.now)
    return render.page(
        "inbox.html",
        call.visit,
        groups=groups,
        empty=empty,
        crowds=crowded,
        told=told_of,
        away=away,
        unverified=waits,
        unreachable=unreachable,
        line=many.line(waiting, say, now),
        few=many.FEW,
        filters=filters if want or len(waiting) > many.FEW else None,
        filtered=bool(want),
    )


async def _unreachable(call: PageRequest) -> bool:
    """Return True if the reader is to be told of cases, and no address is there by which a message could come. A notifier that does not
    answer says nothing."""
    if call.pages.door.notifier is None:
        return False
    ask = Ask(agency=call.visit.who.agency, begins=call.visit.now, ends=call.visit.now + 1)
    try:
        async with asyncio.timeout(notifier_client.ANSWER_S):
            found = await notifier_client.roster(call.pages.door.notifier, call.pages.door.keys, ask)
    except TimeoutError:
        return False
    people = () if found is None else found.people
    me = next((one for one in people if one.account == call.visit.who.id and one.rungs), None)
    return me is not None and all(contact.waits for contact in me.contacts)


async def offer(call: PageRequest) -> Response:
    """Return the page of one offer that the agency holds or held. The case file stays closed until the person opens it with the form."""
    async with call.pages.door.begin() as tx:
        offer, known = await seen(tx, call)
    href = f"/offers/{offer.offer_id}"
    lines = await told_lines(call, {href: told.asked_of(offer)} if told.awaited(offer) else {})
    return _page(call, offer, known, line=lines.get(href))


async def show(call: PageRequest) -> Response:
    """Return the page with the case file. The reading is committed before this function returns, so before any of the file leaves."""
    who = call.visit.who
    async with call.pages.door.begin() as tx:
        offer, known = await seen(tx, call)
        try:
            shown = await disclose.disclose(tx, call.pages.door, Reader(agency=who.agency, account=who.id), offer.case_id, offer.offer_id)
        except Rejected as why:
            if why.code != "reading-ended":
                raise
            return _page(call, offer, known, errors={"top": "show.ended"}, status=403)
    return _page(call, offer, known, shown={**shown.sections, **dict.fromkeys(shown.empty)})


async def answer(call: PageRequest) -> Response:
    """Send an answer, once for each form. On an error the page shows it beside the field, and keeps the entered values."""
    async with call.pages.door.begin() as tx:
        offer, known = await seen(tx, call)
    entered = forms.answer(call.form, offer)
    if not entered.errors and (asked := ask_once(call, offer, known, entered.word, f"/offers/{offer.offer_id}")) is not None:
        return asked
    status = 422
    if not entered.errors or entered.errors == {"top": "error.word"}:
        # The word may be impossible because this very form came before: its key tells.
        sent = await send(call, offer, entered, via="WEB")
        if isinstance(sent, Response):
            return sent
        entered, status = sent
    return _page(call, offer, known, entered=entered, errors=entered.errors, status=status)


"""A stay that ends sooner after the arrival is asked about (ours): most such ends are slips of a thumb."""


def ask_once(call: PageRequest, offer: Offer, known: Beside, word: str, here: str) -> Response | None:
    """Return the page that asks before a word ends something; None where nothing does, or the person means it."""
    if not asking.asks(call, word):
        return None
    say, name = call.pages.render.say(call.visit), call.pages.render.name(call.visit)
    head = case_head.head(offer.case_id, known.spot, offer.pathway, say, name)
    means = say.first(f"word.{word}.means", "once.means")
    undo = next((p.take_back for p in call.pages.render.policy().current if p.id == offer.pathway), None) if word == "COMPLETE" else None
    back = say("once.means") if undo is None or offer.kind == "PLACE" else say("once.undo", time=relative_time.span(say, undo.micros))
    lines = [means, back]
    if word == "COMPLETE":
        if offer.kind == "PLACE" and offer.arrived and call.visit.now - offer.changed_at < DAY_US:
            lines.append(say("once.short", time=relative_time.clock(say, offer.changed_at, call.visit.now)))
        if known.closes:
            lines.append(say(known.closes))
    return asking.question(call, head, name("step", offer.step), say(f"word.{word}"), lines, here)


async def send(call: PageRequest, offer: Offer, entered: Entered, *, via: str) -> Response | tuple[Entered, int]:
    """Send an answer. Return the redirect to the page that confirms it, or the entered values with the error and the status."""
    door, who = call.pages.door, call.visit.who
    try:
        body = act_on_case.answer(entered.word, reason=entered.reason, code=entered.code, texts=dict(entered.texts), via=via)
        key = idempotency.form_digest(door.keys, who.agency, who.id, call.form.get("key", ""))
        async with door.begin() as tx:
            post = Post(kind=Kind.DESK if via == Via.PHONE else Kind.STAFF, agency=who.agency, account=who.id, key=key)
            receipt = await act_on_case.respond(tx, door, post, offer.offer_id, body, entered.spoke)
    except Rejected as why:
        if why.status == 404:
            raise
        return confirmation.refused(entered, why), why.status
    here = call.request.url.path.rpartition("/")[0]
    await decided(call, offer.offer_id, entered.word, receipt.received_at)
    return RedirectResponse(confirmation.link(here, entered.word, receipt.received_at, call.visit.token), status_code=303)


async def decided(call: PageRequest, offer_id: str, word: str, at: int) -> None:
    """Wait until routing has decided an answer, at most `patience_s`. at: time of its receipt, µs UTC."""
    until = time.monotonic() + call.pages.patience_s
    while time.monotonic() < until:
        async with call.pages.door.begin() as tx:
            answers = await store.answers(tx, call.own, offer_id)
        if any(answer.became is not None for answer in answers if (answer.word, answer.at) == (word, at)):
            return
        await asyncio.sleep(LOOK_S)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the page of an offer shows beside the offer.

    who: login of the colleague who has it. stages: where the case stands. contacts: whom the agency may telephone about it.
    after: what became of the answer that has just ended the agency's part.
    closes: key of the text that says that the case closes with this part; empty where another part is open.
    """

    spot: Spot
    answers: tuple[Answer, ...]
    who: str
    stages: tuple[Stage, ...]
    contacts: tuple[Contact, ...]
    after: After | None
    closes: str = ""


async def seen(tx: AsyncConnection, call: PageRequest) -> tuple[Offer, Beside]:
    """Return the offer of the path, and what its page shows beside it. Rejected: the person may not see it."""
    offer = await store.offer(tx, call.own, known_id(call, "offer"))
    leave = await access.permitted(tx, call.who(), Act.SEE_OFFER, offer.case_id)
    return offer, await beside(tx, leave, call, offer)


async def beside(tx: AsyncConnection, leave: Permit, call: PageRequest, offer: Offer) -> Beside:
    """Return what the page of an offer shows beside the offer. leave: to see the offer, or the call about it."""
    render, agency = call.pages.render, call.visit.who.agency
    policy, say, name = render.policy(), render.say(call.visit), render.name(call.visit)
    spot = (await locations.spots(tx, leave, call.pages.door.keys, [offer.case_id])).get(offer.case_id, Spot())
    track = (await as_of.track_offers(tx, leave, call.pages.door.keys, [offer.case_id])).get(offer.track_id, [])
    live, until = offer.closed_at is None and offer.declined_by is None, store.NEVER if spot.then_at is None else spot.then_at
    answers, lists = await store.answers(tx, leave, offer.offer_id), call.pages.door.lists()
    follows = None
    if (last := after.ending(answers, call.visit.now)) is not None:
        since = await store.since(tx, leave, last.at, min(last.at + after.AFTER_US, until))
        follows = after.view(offer, since, spot.desk, lists.telephones.get(spot.desk, ""), say, name, call.visit.now)
    stages = case_head.stages(case_head.steps(policy, offer.pathway), track, agency, say, name) if live else ()
    return Beside(
        spot=spot,
        answers=answers,
        who=(await store.holders(tx, leave, [offer.offer_id])).get(offer.offer_id, "") if agency == offer.agency else "",
        stages=stages,
        contacts=contacts.contacts(lists, offer, track, spot.desk) if agency == offer.agency else (),
        after=follows,
        closes=await _closes(tx, leave, offer, stages, until),
    )


async def _closes(tx: AsyncConnection, leave: Permit, offer: Offer, stages: Sequence[Stage], until: int) -> str:
    """Return the key of the text that says whether the case closes when this part is done; empty where another part was open then."""
    if "COMPLETE" not in pages_offer.possible(offer) or not await store.is_last_part(tx, leave, offer.offer_id, until):
        return ""
    ahead = any(stage.state == case_head.AHEAD for stage in stages) or len(await store.pathways(tx, leave, until)) > 1
    return "once.closes.unless" if ahead else "once.closes"


async def where(tx: AsyncConnection, call: PageRequest, rows: Sequence[Offer | Task]) -> dict[str, tuple[Stage, ...]]:
    """Return track id → where its case stands, for the tracks of these rows."""
    render, agency = call.pages.render, call.visit.who.agency
    policy, say, name = render.policy(), render.say(call.visit), render.name(call.visit)
    pathways = {row.track_id: row.pathway for row in rows if row.track_id and row.pathway}
    offers = await as_of.track_offers(tx, call.own, call.pages.door.keys, {row.case_id for row in rows if row.track_id in pathways})
    return {
        track: case_head.stages(case_head.steps(policy, pathway), offers.get(track, ()), agency, say, name)
        for track, pathway in pathways.items()
    }


async def told_lines(call: PageRequest, asked: Mapping[str, told.Asked]) -> dict[str, told.Line]:
    """Return who was told, in words, by the path of the page of each offer or task; nothing where this stack names no notifier.

    Only what the reader may see is asked about, and after the transaction that read it.
    """
    notifier = call.pages.door.notifier
    if notifier is None or not asked:
        return {}
    answer = await notifier_client.told(notifier, call.pages.door.keys, [one.id for one in asked.values()])
    say = call.pages.render.say(call.visit)
    lines = {href: told.line(answer, one, say, call.visit.now) for href, one in asked.items()}
    return {href: line for href, line in lines.items() if line is not None}


def _page(
    call: PageRequest,
    offer: Offer,
    known: Beside,
    *,
    shown: Mapping[str, Any] | None = None,
    line: told.Line | None = None,
    entered: Entered | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    sections = None if shown is None else readable(call, shown)
    here = f"/offers/{offer.offer_id}"
    return offer_page(call, offer, known, here=here, line=line, shown=sections, entered=entered, errors=errors, status=status)


def readable(call: PageRequest, shown: Mapping[str, Any]) -> list[Readable]:
    """Return sections as a page shows them. shown: section → what is stored, None where nothing is."""
    name = call.pages.render.name(call.visit)
    return [(name("section", section), _content(call, section, stored), _notes(call, section, stored)) for section, stored in shown.items()]


def _content(call: PageRequest, section: str, stored: Any) -> Any:
    render = call.pages.render
    about, codes = render.policy().sections.get(section), call.pages.door.lists().codes
    if section in codes.get("need", ()):
        return casefile_view.recorded(stored, render.name(call.visit), render.say(call.visit), call.visit.now)
    return casefile_view.content(about, stored, render.name(call.visit), render.say(call.visit), codes)


def _notes(call: PageRequest, section: str, stored: Any) -> tuple[casefile_view.Note, ...]:
    if section not in notes.GROWS or not stored:
        return ()
    render = call.pages.render
    entries = msgspec.convert(stored["entries"], tuple[notes.Entry, ...])
    about, say, name = render.policy().sections.get(section), render.say(call.visit), render.name(call.visit)
    return casefile_view.notes_of(entries, about, call.visit.who.agency, say, name, call.pages.door.lists().codes, call.visit.now)


def offer_page(
    call: PageRequest,
    offer: Offer,
    known: Beside,
    *,
    here: str,
    by_phone: bool = False,
    line: told.Line | None = None,
    shown: list[Readable] | None = None,
    entered: Entered | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    """Return the page of an offer. here: its path. by_phone: a desk records the answer of an agency on the telephone."""
    render, visit = call.pages.render, call.visit
    say, name = render.say(visit), render.name(visit)
    reasons = call.pages.door.lists().codes.get("reason", ())
    return render.page(
        "offer.html",
        visit,
        here=here,
        status=status,
        view=pages_offer.view(
            offer,
            known.spot,
            say,
            name,
            reasons,
            visit.now,
            call=by_phone,
            who=known.who,
            stages=known.stages,
            duty=pages_offer.keeps(render.policy(), offer),
        ),
        telephone=call.pages.door.lists().telephones.get(offer.agency, "") if by_phone else "",
        contacts=[
            (name("step", one.step) if one.step else say("contact.desk"), name("agency", one.agency), one.telephone)
            for one in known.contacts
        ],
        told=line,
        guidance=guidance.view(
            render.policy(), call.pages.door.lists().number, offer.pathway, offer.step, say, "phone" if by_phone else "system"
        ),
        shown=shown,
        entered=entered or Entered(),
        errors={
            field: say(key, count=SPOKE_LIMIT if field == "spoke" else WORDS_LIMIT, code=entered.refusal if entered else "")
            for field, key in (errors or {}).items()
        },
        sent=confirmation.became(call.request.query_params, here, visit, say, name, known.answers),
        said=[confirmation.line(answer, known.answers, say, name, visit.now) for answer in known.answers],
        after=known.after,
        key=secrets.token_hex(16),
        action_href=f"{here}/answer",
        words_limit=WORDS_LIMIT,
        spoke_limit=SPOKE_LIMIT,
    )
