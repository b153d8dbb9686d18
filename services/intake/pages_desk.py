"""For a desk: telephone answers of agencies that are not on the system, and tasks that no rule can place."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response

from referral.domain.policy import Policy
from referral.errors import Rejected
from services.intake import acts, answers, pages_choices, pages_form, pages_inbox, pages_sent, pages_task, receipts, store, whereabouts
from services.intake.acts import Post
from services.intake.kept import Offer, Spot, Task
from services.intake.pages_call import Call, known_id
from services.intake.pages_form import Entered


async def call(call: Call) -> Response:
    """An offer whose agency is telephoned."""
    found, spot = await _called(call)
    return pages_inbox.offer_page(call, found, spot, where=f"/calls/{found.offer_id}", by_phone=True)


async def answer_call(call: Call) -> Response:
    """Write down what the agency said: via PHONE, recorded by this account."""
    found, spot = await _called(call)
    entered = pages_form.answer(call.form, found)
    status = 422
    if not entered.errors or entered.errors == {"top": "error.word"}:
        sent = await pages_inbox.send(call, found, entered, via="PHONE")
        if isinstance(sent, Response):
            return sent
        entered, status = sent
    where = f"/calls/{found.offer_id}"
    return pages_inbox.offer_page(call, found, spot, where=where, by_phone=True, entered=entered, errors=entered.errors, status=status)


async def task(call: Call) -> Response:
    """One task of my desk."""
    found, spot = await _tasked(call)
    return _page(call, found, spot)


async def instruct(call: Call) -> Response:
    """Give an instruction, once for each form."""
    found, spot = await _tasked(call)
    door, who = call.pages.door, call.visit.who
    entered = pages_form.instruction(call.form, pages_task.offered(_choices(call, found)))
    if entered.errors:
        return _page(call, found, spot, entered=entered, errors=entered.errors, status=422)
    body = answers.InstructionBody(
        word=entered.word,
        reason=entered.reason,
        track_id=found.track_id,
        step=found.step,
        seat=found.seat,
        target=entered.service if entered.word == "OFFER" else entered.code if entered.word == "SETTLE" else "",
    )
    try:
        key = receipts.key_digest(door.keys, who.agency, call.form.get("key", ""), "form")
        async with door.begin() as tx:
            receipt = await acts.instruct(tx, door, Post(agency=who.agency, account=who.id, key=key), found.case_id, body)
    except Rejected as why:
        if why.status == 404:
            raise
        wrong = pages_sent.refused(entered, why)
        return _page(call, found, spot, entered=wrong, errors=wrong.errors, status=why.status)
    where = f"/tasks/{found.task_id}"
    return RedirectResponse(pages_sent.link(where, entered.word, receipt.received_at, call.visit.token), status_code=303)


async def _called(call: Call) -> tuple[Offer, Spot]:
    """Rejected 404 for who has no desk's account."""
    who = call.visit.who
    if not who.desk:
        raise store.unknown("offer", "offer_id")
    async with call.pages.door.begin() as tx:
        found = await store.call(tx, who.agency, known_id(call, "offer"), who.id)
        spots = await whereabouts.spots(tx, call.pages.door.keys, [found.case_id])
    return found, spots.get(found.case_id, Spot())


async def _tasked(call: Call) -> tuple[Task, Spot]:
    who = call.visit.who
    if not who.desk:
        raise store.unknown("task", "task_id")
    async with call.pages.door.begin() as tx:
        found = await store.task(tx, who.agency, known_id(call, "task"), who.id)
        spots = await whereabouts.spots(tx, call.pages.door.keys, [found.case_id])
    return found, spots.get(found.case_id, Spot())


def _choices(call: Call, found: Task) -> pages_task.Choices:
    policy: Policy = call.pages.render.policy()
    reasons = call.pages.door.lists().codes.get("instruction-reason", ())
    return pages_choices.choices(policy, found.step, found.seat, reasons)


def _page(
    call: Call,
    found: Task,
    spot: Spot,
    *,
    entered: Entered | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    render, visit = call.pages.render, call.visit
    say = render.say(visit)
    where = f"/tasks/{found.task_id}"
    return render.page(
        "task.html",
        visit,
        here=where,
        status=status,
        view=pages_task.view(found, spot, _choices(call, found), say, render.name(visit), visit.now),
        entered=entered or Entered(),
        errors={field: say(key, code=entered.refusal if entered else "") for field, key in (errors or {}).items()},
        sent=pages_sent.told(call.request.query_params, where, visit, say, "instruct"),
        key=secrets.token_hex(16),
    )
