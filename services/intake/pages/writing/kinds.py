"""The four kinds of change that a page records: what each asks, what is wrong with an answer, what follows, and its command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain import local_time
from referral.domain.authority.words import Act
from referral.domain.events import ConsentState
from referral.domain.policy.procedure import Pathway
from services.intake.commands import act_on_case
from services.intake.commands.act_on_case import Post
from services.intake.messages import responses, submission
from services.intake.messages.timestamps import micros
from services.intake.model import Receipt
from services.intake.pages.case_head import CaseHead
from services.intake.pages.page_request import PageRequest
from services.intake.pages.writing import follows
from services.intake.pages.writing.follows import Follow

Options = tuple[tuple[str, str], ...]
SCOPE = "scope."
"""Begins the name of each box of a section in the form of a consent."""
NOTHING = (Follow("follows.desk"),)
"""What follows where no procedure runs: the desk decides."""
STATES = (ConsentState.GIVEN, ConsentState.REFUSED, ConsentState.WITHDRAWN)


@dataclass(frozen=True, slots=True, repr=False)
class Here:
    """One request for a page of a change.

    back: path of the page of the offer or the desk's task from which the person comes.
    pathway: the procedure of that offer or task, in its newest version; None where there is none.
    colleagues: (account id, login) of the agency.
    """

    call: PageRequest
    case_id: str
    back: str
    step: str
    pathway: Pathway | None
    head: CaseHead
    colleagues: Options

    @property
    def where(self) -> str:
        return self.call.request.url.path


@dataclass(frozen=True, slots=True)
class Question:
    """One entry of the form. options: (code, name). boxes: several may be chosen; then `name` begins the name of each."""

    name: str
    label: str
    options: Options
    hint: str = ""
    boxes: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """One kind of change: its form, the check of what was entered, what follows, and the command."""

    act: Act
    ask: Callable[[Here], tuple[Question, ...]]
    wrong: Callable[[Here], Mapping[str, str]]
    follows: Callable[[Here], tuple[Follow, ...]]
    send: Callable[[AsyncConnection, Here, Post], Awaitable[Receipt]]
    fields: Mapping[str, str] = field(default_factory=dict)
    """Place in the body of the command → the question that it is about."""


def _options(here: Here, kind: str, codes: tuple[str, ...] | None = None) -> Options:
    name = here.call.pages.render.name(here.call.visit)
    return tuple(
        (code, name(kind, code)) for code in (here.call.pages.door.lists().codes.get(kind, ()) if codes is None else codes) if code
    )


def _question(here: Here, field: str, options: Options, *, hint: str = "", boxes: bool = False, optional: bool = False) -> Question:
    say = here.call.pages.render.say(here.call.visit)
    label = say(f"change.ask.{field.rstrip('.')}")
    return Question(field, label, options, say(hint) if hint else "", boxes=boxes, optional=optional)


def _missing(here: Here) -> dict[str, str]:
    """Return the questions without an answer, or with one that the form does not offer."""
    wrong = {}
    for one in CHANGES[str(here.call.request.path_params["what"])].ask(here):
        value = here.call.form.get(one.name, "")
        if not one.boxes and (value not in {code for code, _ in one.options} if value and one.options else not (value or one.optional)):
            wrong[one.name] = "change.choose"
    return wrong


# Consent


def _ask_consent(here: Here) -> tuple[Question, ...]:
    say = here.call.pages.render.say(here.call.visit)
    states = tuple((str(state), say(f"change.state.{state}")) for state in STATES)
    givers = tuple(
        (code, say(f"change.giver.{code}"))
        for code in here.call.pages.door.lists().codes.get("giver", ())
        if say.has(f"change.giver.{code}")
    )
    written = here.call.pages.door.lists().codes["section"]
    return (
        _question(here, "state", states),
        _question(here, "giver", givers),
        _question(here, "until", (), hint="change.until.hint", optional=True),
        _question(here, SCOPE, _options(here, "section", written), hint="change.scope.hint", boxes=True),
    )


def _wrong_consent(here: Here) -> Mapping[str, str]:
    wrong = _missing(here)
    form = here.call.form
    if until := form.get("until", ""):
        if (end := _end_of(until)) is None:
            wrong["until"] = "write.error.date"
        elif form.get("state") == ConsentState.GIVEN and micros(end) <= here.call.visit.now:  # of any other answer the day is not sent
            wrong["until"] = "change.until.past"
    return wrong


def _scope(here: Here) -> tuple[str, ...]:
    return tuple(code for code in here.call.pages.door.lists().codes["section"] if here.call.form.get(SCOPE + code))


def _end_of(day: str) -> datetime | None:
    """Return the end of a day in Kosovo; None for a text that is no day."""
    try:
        return datetime.combine(date.fromisoformat(day), time(23, 59, 59), local_time.LOCAL)
    except ValueError:
        return None


async def _send_consent(tx: AsyncConnection, here: Here, post: Post) -> Receipt:
    form = here.call.form
    bases = here.call.pages.door.lists().codes.get("basis", ())
    given = form["state"] == ConsentState.GIVEN
    body = submission.ConsentBody(
        state=form["state"],
        basis="consent" if "consent" in bases else bases[0],
        giver=form["giver"],
        scope=_scope(here) if given else (),
        until=_end_of(form.get("until", "")) if given else None,
    )
    return await act_on_case.consent(tx, here.call.pages.door, post, here.case_id, body)


# Somebody to keep away


def _ask_away(here: Here) -> tuple[Question, ...]:
    say = here.call.pages.render.say(here.call.visit)
    kinds = tuple((kind, say(f"change.kind.{kind}")) for kind in ("AGENCY", "STAFF", "RELATION"))
    agencies = tuple(sorted(_options(here, "agency"), key=lambda pair: pair[1].casefold()))
    relations = tuple(
        (code, say.first(f"change.relation.{code}", "change.relation.other"))
        for code in here.call.pages.door.lists().codes.get("relation", ())
    )
    return (
        _question(here, "kind", kinds),
        _question(here, "agency", agencies, optional=True),
        _question(here, "staff", here.colleagues, hint="change.staff.hint", optional=True),
        _question(here, "relation", relations, optional=True),
    )


def _actor(here: Here) -> str:
    """Return the chosen actor of the chosen kind."""
    return here.call.form.get(here.call.form.get("kind", "").lower(), "")


def _wrong_away(here: Here) -> Mapping[str, str]:
    wrong = _missing(here)
    kind = here.call.form.get("kind", "").lower()
    return wrong | ({kind: "change.choose"} if not wrong and not _actor(here) else {})


async def _send_away(tx: AsyncConnection, here: Here, post: Post) -> Receipt:
    body = responses.ExclusionBody(kind=here.call.form["kind"], actor=_actor(here))
    return await act_on_case.exclude(tx, here.call.pages.door, post, here.case_id, body)


# Age and place


def _ask_age(here: Here) -> tuple[Question, ...]:
    bands = _options(here, "age-band")
    return _question(here, "age", _options(here, "age")), _question(here, "age_band", bands, hint="change.age_band.hint", optional=True)


def _ask_place(here: Here) -> tuple[Question, ...]:
    places = tuple(sorted(_options(here, "municipality"), key=lambda pair: pair[1].casefold()))
    return (_question(here, "found_in", places),)


async def _send_age(tx: AsyncConnection, here: Here, post: Post) -> Receipt:
    form = here.call.form
    changed = {name: form[name] for name in ("age", "age_band") if form.get(name)}  # a band that nobody chose stays as it is known
    return await act_on_case.some_traits(tx, here.call.pages.door, post, here.case_id, changed)


async def _send_place(tx: AsyncConnection, here: Here, post: Post) -> Receipt:
    return await act_on_case.some_traits(tx, here.call.pages.door, post, here.case_id, {"found_in": here.call.form["found_in"]})


CHANGES: Mapping[str, Change] = {
    "consent": Change(
        Act.RECORD_CONSENT,
        _ask_consent,
        _wrong_consent,
        lambda here: follows.consent(here.pathway, ConsentState(here.call.form["state"]), _scope(here)) if here.pathway else NOTHING,
        _send_consent,
    ),
    "keep-away": Change(
        Act.EXCLUDE,
        _ask_away,
        _wrong_away,
        lambda here: (
            follows.keep_away(here.pathway, here.call.form["kind"], _actor(here), here.call.visit.who.agency) if here.pathway else NOTHING
        ),
        _send_away,
        {"$.actor": "kind"},
    ),
    "age": Change(
        Act.RECORD_TRAITS,
        _ask_age,
        _missing,
        lambda here: follows.age(here.pathway, here.call.form["age"]) if here.pathway else NOTHING,
        _send_age,
        {"$.age": "age"},
    ),
    "place": Change(Act.RECORD_TRAITS, _ask_place, _missing, lambda here: follows.place(), _send_place, {"$.found_in": "found_in"}),
}
