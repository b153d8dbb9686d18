"""Pages of a desk: telephone answers of agencies that are not on the system, and tasks that no rule can place.

Also reads the state of a task's case, as far as it decides which instructions are possible now.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import RedirectResponse, Response

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act, Kind
from referral.domain.events import Decided
from referral.domain.policy import Policy
from referral.domain.rules.conditions import SETTLED
from referral.domain.rules.context import UNCONFIRMED
from referral.errors import Rejected
from referral.runtime.keys.case_keys import Keys
from services.intake import store
from services.intake.casefile import access, disclose, links, locations, sections
from services.intake.casefile.disclosure_rules import Reader
from services.intake.commands import act_on_case, idempotency
from services.intake.commands.act_on_case import Post
from services.intake.messages import responses
from services.intake.model import Answer, Offer, Situation, Spot, Task
from services.intake.pages import ask_once, confirmation, forms, guidance, inbox, told
from services.intake.pages import task as pages_task
from services.intake.pages.case_head import Stage
from services.intake.pages.forms import Entered
from services.intake.pages.page_request import PageRequest, known_id
from services.intake.projection.timeline import Line


async def call(call: PageRequest) -> Response:
    """Return the page of an offer whose agency is telephoned."""
    offer, known = await called(call)
    here = f"/calls/{offer.offer_id}"
    async with call.pages.door.begin() as tx:
        task = told.task_of(offer, await store.desk_tasks(tx, call.own))
    lines = await inbox.told_lines(call, {here: told.asked_of(task, _own(call))} if task is not None else {})
    return inbox.offer_page(call, offer, known, here=here, by_phone=True, line=lines.get(here))


async def read_out(call: PageRequest) -> Response:
    """Show where the child is, to be read out to an office that has accepted on the telephone and was called back on its own number. The
    reading is committed before this function returns."""
    offer, known = await called(call)
    who, here = call.visit.who, f"/calls/{offer.offer_id}"
    if call.form.get("called") != "yes":
        return inbox.offer_page(call, offer, known, here=here, by_phone=True, errors={"top": "aloud.needed"}, status=422)
    async with call.pages.door.begin() as tx:
        try:
            reader = Reader(agency=who.agency, account=who.id)
            shown = await disclose.read_out(tx, call.pages.door, reader, offer.case_id, offer.offer_id)
        except Rejected as why:
            if why.code != "reading-ended":
                raise
            return inbox.offer_page(call, offer, known, here=here, by_phone=True, errors={"top": "aloud.not"}, status=403)
    sections = inbox.readable(call, {**shown.sections, **dict.fromkeys(shown.empty)})
    return inbox.offer_page(call, offer, known, here=here, by_phone=True, shown=sections)


async def answer_call(call: PageRequest) -> Response:
    """Record the agency's answer: via PHONE, by this account."""
    offer, known = await called(call)
    entered = forms.answer(call.form, offer)
    if not entered.errors and (asked := inbox.ask_once(call, offer, known, entered.word, f"/calls/{offer.offer_id}")) is not None:
        return asked
    status = 422
    if not entered.errors or entered.errors == {"top": "error.word"}:
        sent = await inbox.send(call, offer, entered, via="PHONE")
        if isinstance(sent, Response):
            return sent
        entered, status = sent
    here = f"/calls/{offer.offer_id}"
    return inbox.offer_page(call, offer, known, here=here, by_phone=True, entered=entered, errors=entered.errors, status=status)


async def task(call: PageRequest) -> Response:
    """Return the page of one task of the person's desk."""
    data = await _tasked(call)
    if data.task.about == UNCONFIRMED:
        return RedirectResponse(f"/unverified/{data.task.task_id}", status_code=303)
    name = call.pages.render.name(call.visit)
    asked: dict[str, told.Asked] = {}  # a desk whose part is over does not read who is asked now
    if data.task.closed_at is None:
        asked = {offer.offer_id: told.asked_of(offer, name("agency", offer.agency)) for offer in data.offers}
        asked[data.task.task_id] = told.asked_of(data.task, _own(call))
    return _page(call, data, lines=told.once((await inbox.told_lines(call, asked)).values()))


async def instruct(call: PageRequest) -> Response:
    """Send an instruction, once for each form."""
    data = await _tasked(call)
    task, door, who = data.task, call.pages.door, call.visit.who
    entered = forms.instruction(call.form, pages_task.offered(task, data.choices, data.now), _fields(data.choices))
    if entered.errors and set(entered.errors) != {"top"}:  # this very form may have come before: its key tells
        return _page(call, data, entered=entered, errors=entered.errors, status=422)
    if not entered.errors and (asked := _ask_once(call, data, entered.word)) is not None:
        return asked
    linking, anew = entered.word == "LINK", entered.word == "REOPEN"
    body = responses.InstructionBody(
        word=entered.word,
        reason=entered.reason,
        track_id=None if anew else task.track_id,
        step="" if anew else task.step,
        seat=task.seat,
        target=entered.how if linking else SETTLED if entered.word == "SETTLE" and not data.choices.codes else entered.target,
        other=entered.target if linking else None,
        task_id=task.task_id if entered.word in ("CONFIRM", "REFUSE", "RESUME") else None,
    )
    try:
        key = idempotency.form_digest(door.keys, who.agency, who.id, call.form.get("key", ""))
        async with door.begin() as tx:
            post = Post(kind=Kind.DESK, agency=who.agency, account=who.id, key=key)
            receipt = await act_on_case.instruct(tx, door, post, task.case_id, body, about=task.task_id)
    except Rejected as why:
        if why.status == 404:
            raise
        wrong = confirmation.refused(entered, why)
        return _page(call, data, entered=wrong, errors=wrong.errors, status=why.status)
    where = f"/tasks/{task.task_id}"
    await inbox.decided(call, task.task_id, entered.word, receipt.received_at)
    return RedirectResponse(confirmation.link(where, entered.word, receipt.received_at, call.visit.token), status_code=303)


STOPPED = "stopped"
"""About of the task by which a stopped procedure goes on."""


async def _ways_on(tx: AsyncConnection, call: PageRequest, task: Task) -> list[Task]:
    """Return the open tasks of the same case by which the desk lets a stopped procedure go on."""
    every = await store.desk_tasks(tx, call.own)
    return [one for one in every if one.case_id == task.case_id and one.about == STOPPED and one.task_id != task.task_id]


def _ask_once(call: PageRequest, data: TaskData, word: str) -> Response | None:
    if not ask_once.asks(call, word):
        return None
    render, visit = call.pages.render, call.visit
    view = pages_task.view(data.task, data.spot, data.choices, data.now, render.say(visit), render.name(visit), visit.now)
    order = next(order for order in view.orders if order.word == word)
    say = render.say(visit)
    means = (order.means, say.first(f"once.{word}", "once.means"))
    return ask_once.question(call, view.head, view.title, order.label, means, f"/tasks/{data.task.task_id}")


async def called(call: PageRequest) -> tuple[Offer, inbox.Beside]:
    """Return the offer of a call, and what its page shows beside it. Rejected 404: the account does not work a desk."""
    who = call.visit.who
    if not who.desk:
        raise store.unknown("offer", "offer_id")
    async with call.pages.door.begin() as tx:
        offer = await store.call(tx, call.own, known_id(call, "offer"))
        leave = await access.permitted(tx, call.who(Kind.DESK), Act.SEE_CALL, offer.case_id)
        known = await inbox.beside(tx, leave, call, offer)
        case = await access.known(tx, call.pages.door.keys, offer.case_id)
        spoken = await sections.spoken(tx, leave, case.cipher, offer.offer_id) if case is not None else {}
    answers = tuple(msgspec.structs.replace(answer, spoke_to=spoken.get(answer.at, "")) for answer in known.answers)
    return offer, replace(known, answers=answers)


@dataclass(frozen=True, slots=True)
class TaskData:
    """A task with the values that its page shows. offers: those that wait for an answer at its step. stages: where the case stands."""

    task: Task
    spot: Spot
    now: Situation
    choices: pages_task.Choices
    offers: tuple[Offer, ...]
    stages: tuple[Stage, ...]
    ways_on: tuple[Task, ...]
    answers: tuple[Answer, ...]


async def _tasked(call: PageRequest) -> TaskData:
    who = call.visit.who
    if not who.desk:
        raise store.unknown("task", "task_id")
    async with call.pages.door.begin() as tx:
        task = await store.task(tx, call.own, known_id(call, "task"))
        leave = await access.permitted(tx, call.who(Kind.DESK), Act.SEE_TASK, task.case_id)
        spots = await locations.spots(tx, leave, call.pages.door.keys, [task.case_id])
        now = await situation(tx, leave, call.pages.door.keys, task)
        offers = told.at_step(task, await store.case_offers(tx, leave))
        stages = await inbox.where(tx, call, [task])
        ways_on = await _ways_on(tx, call, task)
        answers = await store.answers(tx, leave, task.task_id)
    policy: Policy = call.pages.render.policy()
    choices = pages_task.choices(policy, call.pages.door.lists(), now.pathway, task.step, task.seat)
    return TaskData(
        task, spots.get(task.case_id, Spot()), now, choices, offers, stages.get(task.track_id or "", ()), tuple(ways_on), answers
    )


def _own(call: PageRequest) -> str:
    """Return the name of the reader's desk."""
    return call.pages.render.name(call.visit)("agency", call.visit.who.agency)


def _fields(choices: pages_task.Choices) -> Mapping[str, str]:
    """Return instruction → the field of its target; a step that is no decision is settled without one."""
    return {word: field for word, field in pages_task.FIELDS.items() if word != "SETTLE" or choices.codes}


def _page(
    call: PageRequest,
    data: TaskData,
    *,
    lines: Sequence[told.Line] = (),
    entered: Entered | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    render, visit = call.pages.render, call.visit
    say = render.say(visit)
    where = f"/tasks/{data.task.task_id}"
    return render.page(
        "task.html",
        visit,
        here=where,
        status=status,
        view=pages_task.view(data.task, data.spot, data.choices, data.now, say, render.name(visit), visit.now, stages=data.stages),
        told=lines,
        guidance=guidance.view(render.policy(), call.pages.door.lists().number, data.now.pathway, data.task.step, say),
        entered=entered or Entered(),
        errors={field: say(key, code=entered.refusal if entered else "") for field, key in (errors or {}).items()},
        ways_on=[(f"/tasks/{one.task_id}", render.name(visit)("pathway", one.pathway)) for one in data.ways_on],
        sent=confirmation.ordered(
            call.request.query_params, where, visit, say, data.answers, lambda word: say(pages_task.label(word, data.task))
        ),
        key=secrets.token_hex(16),
    )


_STANDS = (
    "SELECT c.closed_at IS NOT NULL, coalesce((SELECT t.pathway FROM intake.track t WHERE t.track_id = :track), ''), "
    "ARRAY(SELECT o.state FROM intake.offer o WHERE o.case_id = :case AND o.track_id = :track AND o.step = :step "
    "AND (:seat < 0 OR o.seat = :seat) AND o.closed_at IS NULL) FROM intake.casefile c WHERE c.case_id = :case"
)


async def situation(tx: AsyncConnection, leave: Permit, keys: Keys, task: Task) -> Situation:
    """Return the state of the case of a task. leave: to see the task."""
    at = {"case": task.case_id, "track": task.track_id or "", "step": task.step, "seat": task.seat}
    [(closed, pathway, states)] = await store.rows(tx, _STANDS, at)
    lines = await _lines(tx, leave, keys) if task.about in ("confirm-default", "confirm-change") else []
    defaults = map(partial(_default, task.step), reversed(lines)) if task.about == "confirm-default" else iter(())
    proposal = next((line for line in lines if line.task_id == task.task_id), None)
    return Situation(
        closed=closed,
        pathway=pathway,
        asked=bool(states),
        taken=not {"ACCEPTED", "ON_HOLD"}.isdisjoint(states),
        default=next((code for code in defaults if code is not None), ""),
        proposed=proposal.detail if proposal else "",
        proposer=proposal.agency if proposal else "",
        links=await links.links(tx, leave),
        others=await links.others(tx, leave),
    )


async def _lines(tx: AsyncConnection, leave: Permit, keys: Keys) -> list[Line]:
    """Return the timeline of a case, in order; empty for an erased case."""
    case_id = leave.case_id
    key = (await keys.load(tx, [case_id])).get(case_id)
    if key is None:
        return []
    cipher = sections.box(key)
    return [
        msgspec.msgpack.decode(sections.unseal(cipher, sealed, case_id, "timeline", str(seq)), type=Line)
        for seq, _, sealed in await store.happenings(tx, leave)
    ]


def _default(step: str, line: Line) -> str | None:
    """Return the code that silence recorded for the step, if this line is its decision; empty where a person decided; None for any other
    line."""
    if (line.what, line.step) != ("DECIDED", step):
        return None
    code, _, how = line.detail.rpartition(": ")[2].partition(" ")
    return code if how == Decided.SILENCE else ""
