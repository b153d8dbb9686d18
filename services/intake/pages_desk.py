"""For a desk: telephone answers of agencies that are not on the system, and tasks that no rule can place."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from referral.domain.policy import Policy
from referral.domain.standing import SETTLED
from referral.errors import Rejected
from services.intake import (
    acts,
    answers,
    pages_choices,
    pages_form,
    pages_inbox,
    pages_sent,
    pages_task,
    receipts,
    situation,
    store,
    whereabouts,
)
from services.intake.acts import Post
from services.intake.kept import Answer, Offer, Situation, Spot, Task
from services.intake.pages_call import Call, known_id
from services.intake.pages_form import Entered


async def call(call: Call) -> Response:
    """An offer whose agency is telephoned."""
    found, spot, said = await _called(call)
    return pages_inbox.offer_page(call, found, spot, said, where=f"/calls/{found.offer_id}", by_phone=True)


async def answer_call(call: Call) -> Response:
    """Write down what the agency said: via PHONE, recorded by this account."""
    found, spot, said = await _called(call)
    entered = pages_form.answer(call.form, found)
    status = 422
    if not entered.errors or entered.errors == {"top": "error.word"}:
        sent = await pages_inbox.send(call, found, entered, via="PHONE")
        if isinstance(sent, Response):
            return sent
        entered, status = sent
    where = f"/calls/{found.offer_id}"
    return pages_inbox.offer_page(
        call, found, spot, said, where=where, by_phone=True, entered=entered, errors=entered.errors, status=status
    )


async def task(call: Call) -> Response:
    """One task of my desk."""
    return _page(call, await _tasked(call))


async def instruct(call: Call) -> Response:
    """Give an instruction, once for each form."""
    asked = await _tasked(call)
    found, door, who = asked.task, call.pages.door, call.visit.who
    entered = pages_form.instruction(call.form, pages_task.offered(found, asked.choices, asked.now), _fields(asked.choices))
    if entered.errors and set(entered.errors) != {"top"}:  # an order that is not possible any more may be this very form, sent twice
        return _page(call, asked, entered=entered, errors=entered.errors, status=422)
    linking, anew = entered.word == "LINK", entered.word == "REOPEN"
    body = answers.InstructionBody(
        word=entered.word,
        reason=entered.reason,
        track_id=None if anew else found.track_id,
        step="" if anew else found.step,
        seat=found.seat,
        target=entered.how if linking else SETTLED if entered.word == "SETTLE" and not asked.choices.codes else entered.target,
        other=entered.target if linking else None,
        task_id=found.task_id if entered.word in ("CONFIRM", "REFUSE") else None,
    )
    try:
        key = receipts.form_digest(door.keys, who.agency, who.id, call.form.get("key", ""))
        async with door.begin() as tx:
            receipt = await acts.instruct(tx, door, Post(agency=who.agency, account=who.id, key=key), found.case_id, body)
    except Rejected as why:
        if why.status == 404:
            raise
        wrong = pages_sent.refused(entered, why)
        return _page(call, asked, entered=wrong, errors=wrong.errors, status=why.status)
    where = f"/tasks/{found.task_id}"
    return RedirectResponse(pages_sent.link(where, entered.word, receipt.received_at, call.visit.token), status_code=303)


async def _called(call: Call) -> tuple[Offer, Spot, tuple[Answer, ...]]:
    """Rejected 404 for who has no desk's account."""
    who = call.visit.who
    if not who.desk:
        raise store.unknown("offer", "offer_id")
    async with call.pages.door.begin() as tx:
        found = await store.call(tx, who.agency, known_id(call, "offer"), who.id)
        return found, *await pages_inbox.beside(tx, call, found)


@dataclass(frozen=True, slots=True)
class Asked:
    """A task with what its page needs."""

    task: Task
    spot: Spot
    now: Situation
    choices: pages_task.Choices


async def _tasked(call: Call) -> Asked:
    who = call.visit.who
    if not who.desk:
        raise store.unknown("task", "task_id")
    async with call.pages.door.begin() as tx:
        found = await store.task(tx, who.agency, known_id(call, "task"), who.id)
        spots = await whereabouts.spots(tx, call.pages.door.keys, [found.case_id])
        now = await situation.situation(tx, call.pages.door.keys, found, who.agency, who.id)
    policy: Policy = call.pages.render.policy()
    choices = pages_choices.choices(policy, call.pages.door.lists(), now.pathway, found.step, found.seat)
    return Asked(found, spots.get(found.case_id, Spot()), now, choices)


def _fields(choices: pages_task.Choices) -> Mapping[str, str]:
    """Word → the field of its target; a step that is no decision is settled without one."""
    return {word: field for word, field in pages_task.FIELDS.items() if word != "SETTLE" or choices.codes}


def _page(
    call: Call, asked: Asked, *, entered: Entered | None = None, errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    render, visit = call.pages.render, call.visit
    say = render.say(visit)
    where = f"/tasks/{asked.task.task_id}"
    return render.page(
        "task.html",
        visit,
        here=where,
        status=status,
        view=pages_task.view(asked.task, asked.spot, asked.choices, asked.now, say, render.name(visit), visit.now),
        entered=entered or Entered(),
        errors={field: say(key, code=entered.refusal if entered else "") for field, key in (errors or {}).items()},
        sent=pages_sent.ordered(call.request.query_params, where, visit, say),
        key=secrets.token_hex(16),
    )
