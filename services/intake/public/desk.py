"""Page of a desk for a referral that nobody vouches for: read it, correct it, confirm or refuse it."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response

from referral.domain.authority.words import Act, Kind
from referral.domain.case_number import case_number
from referral.domain.events import Traits
from referral.domain.policy.questions import KNOWN, SEVERAL, traits_said
from referral.domain.rules.context import UNCONFIRMED
from referral.errors import Rejected
from services.intake import store
from services.intake.casefile import access, disclose
from services.intake.casefile.disclosure_rules import Reader
from services.intake.commands import act_on_case, idempotency
from services.intake.commands.act_on_case import Post
from services.intake.messages import responses
from services.intake.model import Task
from services.intake.pages import confirmation, known, relative_time, told
from services.intake.pages.page_request import PageRequest, known_id
from services.intake.policy_view import Lists
from services.intake.public import looking, waiting
from services.intake.public.form import NO_WORDS, UNKNOWN, Group

WRITTEN = ("narrative", KNOWN, "location", "identity", "reporter")
"""Sections that the public page fills, in the order in which a desk reads them."""
CALLED = "agreed-by-phone"
"""Reason of a confirmation: the desk has called back."""
NUMBER = re.compile(r"\+?[0-9][0-9 ()/.-]{3,40}")
"""A telephone number as the sender typed it, that a phone can dial."""
LOOK_S = 0.1
"""Seconds between two checks whether routing has decided (ours): routing takes some 20 ms."""
FIELDS = {"found_in": "municipality", "concern": "concern", "age_band": "age-band", "urgency": "urgency"}
"""Traits that a desk may correct before it confirms → their code list."""


async def one(call: PageRequest) -> Response:
    """Return the page of one referral. What was written stays closed until the person opens it."""
    task, traits = await _task(call)
    return await _page(call, task, traits)


async def show(call: PageRequest) -> Response:
    """Return the page with what was written. The reading is committed before this function returns, so before any of it leaves."""
    task, traits = await _task(call)
    if task.closed_at is not None:  # its page shows nothing more, so nothing is read
        return RedirectResponse(f"/unverified/{task.task_id}", status_code=303)
    who, door = call.visit.who, call.pages.door
    reader, read = Reader(agency=who.agency, account=who.id), dict[str, Any]()
    async with door.begin() as tx:
        for section in WRITTEN:
            if versions := await disclose.versions(tx, door, reader, task.case_id, section):
                read[section] = [version.content for version in versions if version.version == versions[-1].version or version.version < 0]
        await waiting.mark_read(tx, await access.permitted(tx, call.who(Kind.DESK), Act.OPEN_REPORT, task.case_id))
    return await _page(call, task, traits, read=read)


async def answer(call: PageRequest) -> Response:
    """Confirm, after correcting what the desk has learnt, or refuse; once for each form."""
    task, traits = await _task(call)
    form, lists = call.form, call.pages.door.lists()
    confirms = form.get("answer") == "confirm"
    word = "CONFIRM" if confirms else "REFUSE"
    marked = {field: value for field, value in form.items() if field.startswith(known.PREFIX)}
    typed = {field: form.get(field, "") for field in FIELDS} | marked | {"reason": form.get("reason", "")}
    if confirms:
        errors = {field: "confirm.needed" for field, kind in FIELDS.items() if typed[field] not in lists.codes.get(kind, ())}
    else:
        errors = {} if typed["reason"] in lists.codes.get("refusal-reason", ()) else {"reason": "error.reason"}
    if errors:
        return await _page(call, task, traits, typed=typed, errors=errors, status=422)
    learnt = {field: typed[field] for field in FIELDS} | {"age": _age(typed["age_band"])}
    corrected: dict[str, Any] = {name: code for name, code in learnt.items() if confirms and code != getattr(traits, name)}
    asked = [one for _, group in _questions(lists, traits) for one in group] if confirms else []
    said = known.answers(form, asked, lists)
    for trait, codes in traits_said(asked, said).items():
        corrected[trait] = codes if trait in SEVERAL else codes[-1]
    if times := known.times(asked, said):
        corrected["times"] = times
        if known.impossible(times, call.visit.now):
            return await _page(call, task, traits, typed=typed, errors={"top": "refer.known.time"}, status=422)
    try:
        at = await _ordered(call, task, word, typed["reason"], corrected, said)
    except Rejected as why:
        if why.status == 404:
            raise
        return await _page(call, task, traits, typed=typed, errors={"top": "error.refused"}, code=why.code, status=why.status)
    await _settled(call, task.task_id)
    where = f"/unverified/{task.task_id}"
    return RedirectResponse(confirmation.link(where, word, at, call.visit.token), status_code=303)


async def _settled(call: PageRequest, task_id: str) -> None:
    """Wait until routing has settled the task, at most `patience_s`."""
    until = time.monotonic() + call.pages.patience_s
    while time.monotonic() < until:
        async with call.pages.door.begin() as tx:
            task = await store.task(tx, call.own, task_id)
        if task.closed_at is not None:
            return
        await asyncio.sleep(LOOK_S)


def _questions(lists: Lists, traits: Traits) -> tuple[Group, ...]:
    """Return the questions that a desk is asked beside its four, in groups: those of the concern first."""
    every, age = lists.questions, traits.age if traits.age_band != UNKNOWN else ""
    first = every.of(traits.concern, age)
    return (*(((NO_WORDS, first),) if first else ()), *every.beside(traits.concern, age))


async def _ordered(call: PageRequest, task: Task, word: str, reason: str, corrected: Mapping[str, Any], said: Mapping[str, str]) -> int:
    """Queue the corrected traits and the order in one transaction, in this order. Return the time of the receipt, µs UTC."""
    door, who, key = call.pages.door, call.visit.who, call.form.get("key", "")

    def post(name: str) -> Post:
        return Post(kind=Kind.DESK, agency=who.agency, account=who.id, key=idempotency.form_digest(door.keys, who.agency, who.id, name))

    async with door.begin() as tx:
        await access.permitted(tx, call.who(Kind.DESK), Act.ANSWER_REPORT, task.case_id)
        if corrected or said:
            await act_on_case.some_traits(tx, door, post(f"{key} traits"), task.case_id, corrected, said)
        order = responses.InstructionBody(word=word, reason=reason or CALLED, task_id=task.task_id)
        receipt = await act_on_case.instruct(tx, door, post(key), task.case_id, order)
    return receipt.received_at


async def _task(call: PageRequest) -> tuple[Task, Traits]:
    """Return the task and the traits of its case. Rejected 404: no such task of this desk, or one about something else."""
    who, door = call.visit.who, call.pages.door
    id = known_id(call, "task")
    if not who.desk:
        raise store.unknown("task", "task_id")
    async with door.begin() as tx:
        task = await store.task(tx, call.own, id)
        leave = await access.permitted(tx, call.who(Kind.DESK), Act.SEE_REPORT, task.case_id)
        traits = await waiting.traits_of(tx, leave, door.keys, [task.case_id])
    if task.about != UNCONFIRMED or task.case_id not in traits:
        raise store.unknown("task", "task_id")
    return task, traits[task.case_id]


def _age(band: str) -> str:
    """Return the age code that belongs to an age band."""
    low = band.partition("-")[0]
    return "uncertain" if not low.isdigit() else "adult" if int(low) >= 18 else "child"


async def _page(
    call: PageRequest,
    task: Task,
    traits: Traits,
    *,
    read: Mapping[str, Sequence[Any]] | None = None,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    code: str = "",
    status: int = 200,
) -> Response:
    render, visit, lists = call.pages.render, call.visit, call.pages.door.lists()
    say, name = render.say(visit), render.name(visit)
    about = say.voiced("adult" if traits.age == "adult" else "")  # an adult is called no child
    where = f"/unverified/{task.task_id}"
    language = visit.language
    questions = [
        known.entry(one, lists, name, say, heading if one is group[0] else "")
        for words, group in _questions(lists, traits)
        for heading in [words.get(language) or words.get("en", "")]
        for one in group
    ]
    chosen = typed or {field: getattr(traits, field) for field in FIELDS}
    asked = {where: (task, name("agency", visit.who.agency))} if task.closed_at is None else {}
    lines = told.once((await told.lines(call, asked)).values())
    looks = await looking.of_case(call, task.case_id) if task.closed_at is None else ()
    return render.page(
        "unverified_one.html",
        visit,
        here=where,
        status=status,
        drill=not call.pages.by_day,
        task=task,
        number=case_number(task.case_id),
        facts=waiting.line(traits, name, say) if task.closed_at is None else "",
        urgency=(traits.urgency, name("urgency", traits.urgency)) if task.closed_at is None else ("routine", ""),
        since=relative_time.clock(say, task.opened_at, visit.now),
        told=lines,
        looking=looks,
        read=None if read is None else [(name("section", section), _labelled(call, section, found)) for section, found in read.items()],
        fields=[(field, about(LABELS[field]), [(word, name(kind, word)) for word in lists.codes[kind]]) for field, kind in FIELDS.items()],
        reasons=[(word, name("instruction-reason", word)) for word in lists.codes.get("refusal-reason", ())],
        chosen=chosen,
        known=questions,
        known_answered=any(field.startswith(known.PREFIX) for field in chosen),
        errors={field: say(key, code=code) for field, key in (errors or {}).items()},
        dial=_telephone(read or {}),
        sent=confirmation.became(
            call, where, title="task.sent", label=lambda word: say(f"instruct.{word}"), settled=task.closed_at is not None
        ),
        key=secrets.token_hex(16),
    )


LABELS = {"found_in": "refer.found_in", "concern": "refer.concern", "age_band": "refer.age_band", "urgency": "confirm.urgency"}


def _telephone(read: Mapping[str, Sequence[Any]]) -> tuple[str, str] | None:
    """Return the sender's number, to dial and as it was typed; None where there is none that a phone can dial."""
    typed = [str(content.get("telephone", "")) for content in read.get("reporter", ()) if isinstance(content, Mapping)]
    number = next((one for one in typed if NUMBER.fullmatch(one)), None)
    return None if number is None else (re.sub(r"[^0-9+]", "", number), number)


def _labelled(call: PageRequest, section: str, contents: Sequence[Any]) -> list[dict[str, Any]]:
    """Return each version of a section under the names of its fields in the reader's language."""
    policy, language, name = call.pages.render.policy(), call.visit.language, call.pages.render.name(call.visit)
    if section == KNOWN:
        say, each = call.pages.render.say(call.visit), policy.questions.each
        return [known.readable(content, each, name, say) for content in contents if isinstance(content, dict)]
    about = policy.sections.get(section)
    labels = {field.id: field for field in about.fields} if about else {}

    def shown(key: str, value: Any) -> tuple[str, Any]:
        field = labels.get(key)
        if field is None:
            return key, value
        return field.names[language], name(field.of, value) if field.of and isinstance(value, str) else value

    return [dict(shown(key, value) for key, value in content.items()) for content in contents if isinstance(content, dict)]
