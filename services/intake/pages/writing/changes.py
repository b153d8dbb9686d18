"""Pages that record a change of a case: consent, somebody to keep away, the age, another municipality.

Each is a form, then a page that says what follows and asks once, then the same command as the API's (`act_on_case`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from referral.domain.authority.words import Kind
from referral.errors import Rejected, Unavailable
from services.intake import store
from services.intake.accounts import colleagues
from services.intake.casefile import access
from services.intake.commands import idempotency
from services.intake.commands.act_on_case import Post
from services.intake.context import in_time
from services.intake.model import Offer, Receipt
from services.intake.pages import confirmation
from services.intake.pages.page_request import PageRequest, known_id
from services.intake.pages.writing.follows import Follow
from services.intake.pages.writing.kinds import CHANGES, Change, Here, Question
from services.intake.pages.writing.sections import headed


async def page(call: PageRequest) -> Response:
    """Return the form of a change. It shows nothing of the case: what holds now is not for every step to know."""
    here = await _begun(call)
    if isinstance(here, Response):
        return here
    return _form(here, sent=confirmation.changed(call.request.query_params, here.where, call.visit, call.pages.render.say(call.visit)))


async def change(call: PageRequest) -> Response:
    """Say what follows from the form, or send it: `do` says which."""
    here = await _begun(call)
    if isinstance(here, Response):
        return here
    kind = _kind(call)
    if wrong := kind.wrong(here):
        return _form(here, errors=wrong, status=422)
    if call.form.get("do") != "send":
        return _form(here, effects=kind.follows(here))
    who, door = call.visit.who, call.pages.door
    try:
        key = idempotency.form_digest(door.keys, who.agency, who.id, call.form.get("key", ""))
        receipt = await in_time(
            _send(
                here,
                kind,
                Post(kind=_capacity(call), agency=who.agency, account=who.id, key=key),
            )
        )
    except Unavailable:
        return _form(here, errors={"top": "write.away"}, status=503, effects=kind.follows(here), key=call.form.get("key", ""))
    except Rejected as why:
        if why.status == 404:
            raise
        known = {"last-desk": "change.last", "key-reused": "error.key", "contradiction": "change.contradiction"}
        name = next((name for place, name in kind.fields.items() if why.where.startswith(place)), "top")
        return _form(here, errors={name: known.get(why.code, "change.refused")}, status=why.status)
    return RedirectResponse(confirmation.link(here.where, "done", receipt.received_at, call.visit.token), status_code=303)


async def _send(here: Here, kind: Change, post: Post) -> Receipt:
    async with here.call.pages.door.begin() as tx:
        return await kind.send(tx, here, post)


async def _begun(call: PageRequest) -> Here | Response:
    """Return what the page is about. An offer or task that has ended leads back to its page, which says so. Rejected 404: not this
    person's, or the case excludes them."""
    who, door = call.visit.who, call.pages.door
    kind = _kind(call)
    tasks = call.request.url.path.startswith("/tasks/")
    if tasks and not who.desk:
        raise store.unknown("task", "task_id")
    async with door.begin() as tx:
        about = await (store.task if tasks else store.offer)(tx, call.own, known_id(call, "task" if tasks else "offer"))
        back = call.request.url.path.partition("/change/")[0]
        if about.closed_at is not None or (isinstance(about, Offer) and about.declined_by is not None):
            return _gone(call, back)
        await access.hold(tx, door.keys, about.case_id)
        leave = await access.permitted(tx, call.who(_capacity(call)), kind.act, about.case_id)
        head = await headed(tx, leave, call, about)
        working = tuple((one.id, one.login) for one in (await colleagues.of_agency(tx, who.agency)).values() if not one.disabled)
    policy = call.pages.render.policy()
    pathway = next((one for one in (*policy.current, *policy.pinned.values()) if one.id == about.pathway), None)
    return Here(call, about.case_id, back, about.step, pathway, head, working)


def _gone(call: PageRequest, back: str) -> Response:
    """Return the confirmation of a change that ended this very offer or task; without one, lead back to its page."""
    say = call.pages.render.say(call.visit)
    sent = confirmation.changed(call.request.query_params, call.request.url.path, call.visit, say)
    if sent is None:
        return RedirectResponse(back, status_code=303)
    title = say(f"change.{call.request.path_params['what']}")
    return call.pages.render.page("change.html", call.visit, here=back, title=title, sent=sent, offer=back, gone=True)


def _capacity(call: PageRequest) -> Kind:
    """Return the capacity of the page: a person of a desk acts as it on the page of a task alone."""
    return Kind.DESK if call.request.url.path.startswith("/tasks/") else Kind.STAFF


def _kind(call: PageRequest) -> Change:
    kind = CHANGES.get(str(call.request.path_params["what"]))
    if kind is None:
        raise store.unknown("change", "what")
    return kind


def _form(
    here: Here,
    *,
    errors: Mapping[str, str] | None = None,
    effects: tuple[Follow, ...] | None = None,
    sent: confirmation.Sent | None = None,
    status: int = 200,
    key: str = "",
) -> Response:
    call = here.call
    render, visit = call.pages.render, call.visit
    say, name = render.say(visit), render.name(visit)
    what = str(call.request.path_params["what"])
    questions = CHANGES[what].ask(here)
    asked = {question.name for question in questions if not question.boxes}
    boxes = tuple(question.name for question in questions if question.boxes)
    entered = {field: value for field, value in call.form.items() if field in asked or field.startswith(boxes)}
    return render.page(
        "change.html",
        visit,
        here=here.where,
        status=status,
        title=say(f"change.{what}"),
        means=say(f"change.{what}.means"),
        step=name("step", here.step) if here.step else "",
        procedure=name("pathway", here.pathway.id) if here.pathway else "",
        offer=here.back,
        head=here.head,
        questions=questions,
        entered=entered,
        chosen=[(one.label, _chosen(one, entered)) for one in questions if _chosen(one, entered)],
        effects=None if effects is None else [effect(one, here, say, name) for one in effects],
        errors={field: say(key_) for field, key_ in (errors or {}).items()},
        sent=sent,
        gone=False,
        key=key or secrets.token_hex(16),
    )


def effect(one: Follow, here: Here, say: Any, name: Any) -> str:
    """Return an effect in words."""
    kind = "age" if one.key == "follows.age" else "decision" if one.key == "follows.away.forbids" else "pathway"
    return str(
        say(
            one.key,
            steps=", ".join(name("step", step) for step in one.steps),
            sections=", ".join(name("section", section) for section in one.sections),
            code=name(kind, one.code) if one.code else "",
        )
    )


def _chosen(question: Question, entered: Mapping[str, str]) -> str:
    """Return the entered answer to a question in words; empty without one."""
    if question.boxes:
        return ", ".join(label for code, label in question.options if entered.get(question.name + code))
    value = entered.get(question.name, "")
    return next((label for code, label in question.options if code == value), value if not question.options else "")
