"""Pages that record a change of a case: what is known, consent, somebody to keep away, the age, another municipality.

Each is a form, then a page that says what follows and asks once, then the same command as the API's (`act_on_case`).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import RedirectResponse, Response

from referral.domain import local_time
from referral.domain.authority.words import Act, Kind
from referral.domain.events import ConsentState
from referral.domain.policy import questions as policy_questions
from referral.domain.policy.procedure import Pathway
from referral.errors import Rejected, Unavailable
from services.intake import store
from services.intake.accounts import colleagues
from services.intake.casefile import access
from services.intake.commands import act_on_case
from services.intake.commands.act_on_case import Post
from services.intake.context import in_time
from services.intake.messages import responses, submission
from services.intake.messages.timestamps import micros
from services.intake.model import Receipt
from services.intake.pages import confirmation, known
from services.intake.pages.case_head import CaseHead, ended, headed
from services.intake.pages.forms import Fields
from services.intake.pages.page_request import PageRequest, form, known_id
from services.intake.pages.writing import follows
from services.intake.pages.writing.follows import Follow

Options = tuple[tuple[str, str], ...]
SCOPE = "scope."
"""Begins the name of each box of a section in the form of a consent."""
NOTHING = (Follow("follows.desk"),)
"""What follows where no procedure runs: the desk decides."""
STATES = (ConsentState.GIVEN, ConsentState.REFUSED, ConsentState.WITHDRAWN)
_REFUSALS = {"last-desk": "change.last", "key-reused": "error.key", "contradiction": "change.contradiction"}


@dataclass(frozen=True, slots=True, repr=False)
class Here:
    """One request for a page of a change.

    back: path of the page of the offer or the desk's task from which the person comes.
    pathway: the procedure of that offer or task, in its newest version; None where there is none.
    colleagues: (account id, login) of the agency.
    """

    call: PageRequest
    kind: Change
    case_id: str
    back: str
    step: str
    pathway: Pathway | None
    head: CaseHead
    colleagues: Options

    @property
    def form(self) -> Fields:
        return self.call.form

    def codes(self, kind: str) -> tuple[str, ...]:
        return self.call.lists.codes.get(kind, ())

    def named(self, kind: str) -> Options:
        """Return (code, name) of a list of the policy."""
        name = self.call.name
        return tuple((code, name(kind, code)) for code in self.call.lists.offered(kind) if code)

    def sorted(self, kind: str) -> Options:
        """Return the same, by name."""
        return tuple(sorted(self.named(kind), key=lambda pair: pair[1].casefold()))

    def worded(self, codes: tuple[str, ...], start: str) -> Options:
        """Return (code, our text) of those codes for which there is one."""
        say = self.call.say
        return tuple((code, say(f"{start}.{code}")) for code in codes if say.has(f"{start}.{code}"))


@dataclass(frozen=True, slots=True)
class Question:
    """One entry of the form. options: (code, name). hint: key of a text. boxes: several may be chosen; then `name` begins the name of
    each. label: its words, where the policy has them; else a text of ours. heading: words above it. type: of a field that is
    written."""

    name: str
    options: Options = ()
    hint: str = ""
    boxes: bool = False
    optional: bool = False
    label: str = ""
    heading: str = ""
    type: str = "date"

    def chosen(self, entered: Fields) -> str:
        """Return the entered answer in words; empty without one."""
        if self.boxes:
            return ", ".join(label for code, label in self.options if entered.get(self.name + code))
        value = entered.get(self.name, "")
        return next((label for code, label in self.options if code == value), value if not self.options else "")


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """One kind of change: its form, what is wrong with what was entered beside missing answers, what follows in a procedure, and the
    command. fields: place in the body of the command → the question that it is about."""

    act: Act
    ask: Callable[[Here], tuple[Question, ...]]
    wrong: Callable[[Here, dict[str, str]], Mapping[str, str]]
    follows: Callable[[Here, Pathway], tuple[Follow, ...]]
    send: Callable[[AsyncConnection, Here, Post], Awaitable[Receipt]]
    fields: Mapping[str, str] = field(default_factory=dict)


async def page(call: PageRequest) -> Response:
    """Return the form of a change. It shows nothing of the case: what holds now is not for every step to know."""
    here = await _begun(call)
    if isinstance(here, Response):
        return here
    return _form(here, sent=confirmation.taken(call, call.path))


async def change(call: PageRequest) -> Response:
    """Say what follows from the form, or send it: `do` says which."""
    here = await _begun(call)
    if isinstance(here, Response):
        return here
    kind = here.kind
    missing = _missing(here)
    if wrong := {**missing, **kind.wrong(here, missing)}:
        return _form(here, errors=wrong, status=422)
    effects = kind.follows(here, here.pathway) if here.pathway else NOTHING
    if call.form.get("do") != "send":
        return _form(here, effects=effects)

    try:
        at = await in_time(call.command(lambda tx: kind.send(tx, here, call.post(_capacity(call)))))
    except Unavailable:
        return _form(here, errors={"top": "write.away"}, status=503, effects=effects, key=call.form.get("key", ""))
    if isinstance(at, Rejected):
        name = next((name for place, name in kind.fields.items() if at.where.startswith(place)), "top")
        return _form(here, errors={name: _REFUSALS.get(at.code, "change.refused")}, status=at.status)
    return confirmation.redirect(call, call.path, "done", at)


ROUTES = tuple(route for of in ("offers", "tasks") for route in form(f"/{of}/{{id}}/change/{{what}}", page, change))


async def _begun(call: PageRequest) -> Here | Response:
    """Return what the page is about. An offer or task that has ended leads back to its page, which says so. Rejected 404: not this
    person's, or the case excludes them."""
    kind, tasks = CHANGES.get(str(call.request.path_params["what"])), _capacity(call) is Kind.DESK
    if kind is None:
        raise store.unknown("change", "what")
    if tasks and not call.account.desk:
        raise store.unknown("task", "task_id")
    back = call.path.partition("/change/")[0]
    async with call.door.begin() as tx:
        about = await (store.task if tasks else store.offer)(tx, call.own, known_id(call, "task" if tasks else "offer"))
        if ended(about):
            return _gone(call, back)
        await access.hold(tx, call.door.keys, about.case_id)
        permit = await access.permitted(tx, call.who(_capacity(call)), kind.act, about.case_id)
        head = await headed(tx, permit, call, about)
        staff = await colleagues.of_agency(tx, call.account.agency)
    working = tuple((one.id, one.login) for one in staff.values() if not one.disabled)
    known = (*call.policy.every, *call.policy.pinned.values())
    return Here(call, kind, about.case_id, back, about.step, next((p for p in known if p.id == about.pathway), None), head, working)


def _gone(call: PageRequest, back: str) -> Response:
    """Return the confirmation of a change that ended this very offer or task; without one, lead back to its page."""
    sent = confirmation.taken(call, call.path)
    if sent is None:
        return RedirectResponse(back, status_code=303)
    return call.page("change.html", here=back, what=call.request.path_params["what"], sent=sent, offer=back)


def _capacity(call: PageRequest) -> Kind:
    """Return the capacity of the page: a person of a desk acts as it on the page of a task alone."""
    return Kind.DESK if call.path.startswith("/tasks/") else Kind.STAFF


def _missing(here: Here) -> dict[str, str]:
    """Return the questions without an answer, or with one that the form does not offer."""
    wrong = {}
    for one in here.kind.ask(here):
        value = here.form.get(one.name, "")
        if not one.boxes and (value not in {code for code, _ in one.options} if value and one.options else not (value or one.optional)):
            wrong[one.name] = "change.choose"
    return wrong


def _form(
    here: Here,
    *,
    errors: Mapping[str, str] | None = None,
    effects: tuple[Follow, ...] | None = None,
    sent: tuple[str, int] | None = None,
    status: int = 200,
    key: str = "",
) -> Response:
    questions = here.kind.ask(here)
    asked, boxes = {one.name for one in questions if not one.boxes}, tuple(one.name for one in questions if one.boxes)
    return here.call.page(
        "change.html",
        here=here.call.path,
        status=status,
        what=here.call.request.path_params["what"],
        step=here.step,
        procedure=here.pathway.id if here.pathway else "",
        offer=here.back,
        head=here.head,
        questions=questions,
        entered={field: value for field, value in here.form.items() if field in asked or field.startswith(boxes)},
        effects=effects,
        errors=errors or {},
        sent=sent,
        key=key or secrets.token_hex(16),
    )


# Consent


def _ask_consent(here: Here) -> tuple[Question, ...]:
    return (
        Question("state", here.worded(STATES, "change.state")),
        Question("giver", here.worded(here.codes("giver"), "change.giver")),
        Question("until", hint="change.until.hint", optional=True),
        Question(SCOPE, here.named("section"), hint="change.scope.hint", boxes=True),
    )


def _wrong_consent(here: Here, _: dict[str, str]) -> Mapping[str, str]:
    until = here.form.get("until", "")
    end = _end_of(until)
    if until and end is None:
        return {"until": "write.error.date"}
    # Of any other answer the day is not sent.
    past = end is not None and here.form.get("state") == ConsentState.GIVEN and micros(end) <= here.call.now
    return {"until": "change.until.past"} if past else {}


def _scope(here: Here) -> tuple[str, ...]:
    return tuple(code for code in here.codes("section") if here.form.get(SCOPE + code))


def _end_of(day: str) -> datetime | None:
    """Return the end of a day in Kosovo; None for a text that is no day."""
    try:
        return datetime.combine(date.fromisoformat(day), time(23, 59, 59), local_time.LOCAL)
    except ValueError:
        return None


async def _send_consent(tx: AsyncConnection, here: Here, post: Post) -> Receipt:
    bases, given = here.codes("basis"), here.form["state"] == ConsentState.GIVEN
    body = submission.ConsentBody(
        state=here.form["state"],
        basis="consent" if "consent" in bases else bases[0],
        giver=here.form["giver"],
        scope=_scope(here) if given else (),
        until=_end_of(here.form.get("until", "")) if given else None,
    )
    return await act_on_case.consent(tx, here.call.door, post, here.case_id, body)


# What is known


def _known(here: Here) -> tuple[tuple[str, tuple[policy_questions.Question, ...]], ...]:
    """Return the questions in groups, those of the procedure's concern first: heading, questions."""
    every, language = here.call.policy.questions, here.call.visit.language
    applies = [mark for line in (here.pathway.applies if here.pathway else ()) for mark in line]
    ages = {mark.removeprefix("age=") for mark in applies if mark.startswith("age=")}
    age = next(iter(ages)) if len(ages) == 1 else "child" if ages else ""
    concerns = sorted(mark.removeprefix("concern=") for mark in applies if mark.startswith("concern="))
    first = tuple({one.id: one for concern in concerns for one in every.of(concern, age)}.values())
    asked = frozenset[str]().union(*(one.marks for one in first))
    groups = [(words.get(language) or words["en"], questions) for words, questions in every.beside("", age)]
    beside = ((heading, tuple(one for one in questions if not one.marks <= asked)) for heading, questions in groups)
    return (*((("", first),) if first else ()), *((heading, questions) for heading, questions in beside if questions))


def _ask_known(here: Here) -> tuple[Question, ...]:
    entries = (
        known.entry(one, here.call.lists, here.call.name, here.call.say, heading if one is questions[0] else "")
        for heading, questions in _known(here)
        for one in questions
    )
    found = list[Question]()
    for one in entries:
        asked = Question(one.name, one.options, boxes=one.boxes, optional=True, label=one.label, heading=one.heading)
        at = Question(one.time, optional=True, label=one.time_label, heading="" if one.options else one.heading, type="datetime-local")
        found += [*((asked,) if one.options else ()), *((at,) if one.time else ())]
    return tuple(found)


def _answers(here: Here) -> tuple[dict[str, str], dict[str, Any]]:
    """Return question → answer, and trait → the codes or times that they set."""
    questions = [one for _, group in _known(here) for one in group]
    said = known.answers(here.form, questions, here.call.lists)
    times = known.times(questions, said)
    return said, {**policy_questions.traits_said(questions, said), **({"times": times} if times else {})}


def _wrong_known(here: Here, _: dict[str, str]) -> Mapping[str, str]:
    said, learnt = _answers(here)
    if not said:
        return {"top": "change.known.none"}
    return {"top": "change.known.time"} if known.impossible(learnt.get("times", {}), here.call.now) else {}


async def _send_known(tx: AsyncConnection, here: Here, post: Post) -> Receipt:
    said, learnt = _answers(here)
    changed = {trait: codes if trait in (*policy_questions.SEVERAL, "times") else codes[-1] for trait, codes in learnt.items()}
    return await act_on_case.some_traits(tx, here.call.door, post, here.case_id, changed, said)


# Somebody to keep away


def _ask_away(here: Here) -> tuple[Question, ...]:
    say = here.call.say
    relations = tuple((code, say.first(f"change.relation.{code}", "change.relation.other")) for code in here.codes("relation"))
    return (
        Question("kind", here.worded(("AGENCY", "STAFF", "RELATION"), "change.kind")),
        Question("agency", here.sorted("agency"), optional=True),
        Question("staff", here.colleagues, hint="change.staff.hint", optional=True),
        Question("relation", relations, optional=True),
    )


def _actor(here: Here) -> str:
    """Return the chosen actor of the chosen kind."""
    return here.form.get(here.form.get("kind", "").lower(), "")


def _wrong_away(here: Here, missing: dict[str, str]) -> Mapping[str, str]:
    return {} if missing or _actor(here) else {here.form.get("kind", "").lower(): "change.choose"}


async def _send_away(tx: AsyncConnection, here: Here, post: Post) -> Receipt:
    body = responses.ExclusionBody(kind=here.form["kind"], actor=_actor(here))
    return await act_on_case.exclude(tx, here.call.door, post, here.case_id, body)


# Age and place


def _ask_age(here: Here) -> tuple[Question, ...]:
    return Question("age", here.named("age")), Question("age_band", here.named("age-band"), hint="change.age_band.hint", optional=True)


async def _send_traits(tx: AsyncConnection, here: Here, post: Post) -> Receipt:
    names = [one.name for one in here.kind.ask(here)]
    changed = {name: here.form[name] for name in names if here.form.get(name)}  # a band that nobody chose stays as it is known
    return await act_on_case.some_traits(tx, here.call.door, post, here.case_id, changed)


CHANGES: Mapping[str, Change] = {
    "known": Change(
        Act.RECORD_TRAITS,
        _ask_known,
        _wrong_known,
        lambda here, pathway: follows.known(pathway, (f"{trait}={code}" for trait, codes in _answers(here)[1].items() for code in codes)),
        _send_known,
    ),
    "consent": Change(
        Act.RECORD_CONSENT,
        _ask_consent,
        _wrong_consent,
        lambda here, pathway: follows.consent(pathway, ConsentState(here.form["state"]), _scope(here)),
        _send_consent,
    ),
    "keep-away": Change(
        Act.EXCLUDE,
        _ask_away,
        _wrong_away,
        lambda here, pathway: follows.keep_away(pathway, here.form["kind"], _actor(here), here.call.account.agency),
        _send_away,
        {"$.actor": "kind"},
    ),
    "age": Change(
        Act.RECORD_TRAITS,
        _ask_age,
        lambda *_: {},
        lambda here, pathway: follows.age(pathway, here.form["age"]),
        _send_traits,
        {"$.age": "age"},
    ),
    "place": Change(
        Act.RECORD_TRAITS,
        lambda here: (Question("found_in", here.sorted("municipality")),),
        lambda *_: {},
        lambda *_: follows.place(),
        _send_traits,
        {"$.found_in": "found_in"},
    ),
}
