"""The page of a desk's task: the instructions that the desk may give now, as the state of the case and the policy leave them to it."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import RedirectResponse, Response

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act, Kind
from referral.domain.case_number import case_number
from referral.domain.events import Decided, StepKind
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Step
from referral.domain.rules.conditions import SETTLED
from referral.domain.rules.context import COMPLAINTS, UNCONFIRMED
from referral.domain.rules.instructions import STAYS
from referral.errors import Rejected
from referral.runtime.i18n import Name, Words
from referral.runtime.keys.case_keys import Keys
from services.intake import store
from services.intake.casefile import access, links, locations, sections
from services.intake.commands import act_on_case
from services.intake.messages import responses
from services.intake.model import Answer, Offer, Situation, Spot, Task
from services.intake.pages import case_head, confirmation, forms, guidance, relative_time, told
from services.intake.pages.answers import decided
from services.intake.pages.case_head import CaseHead, Stage
from services.intake.pages.forms import Entered, Fields
from services.intake.pages.page_request import PageRequest, get, known_id, post
from services.intake.policy_view import Lists
from services.intake.projection.timeline import Line

FIELDS = {"OFFER": "service", "TRANSFER": "service", "SETTLE": "code", "REOPEN": "pathway", "LINK": "other"}
"""Instruction → the field of its target, which it needs besides its reason."""
PROPOSED = "confirm-change"
"""Subject (`about`) of a task that asks whether one party's proposal holds."""
STOPPED = "stopped"
"""About of the task by which a stopped procedure goes on."""
STOPS = ("CLOSE", "STOP", "RELEASE", "OVERTAKEN")
"""Instructions that end something."""
TOLD = (StepKind.NOTIFY, StepKind.FEED)


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices that the procedure leaves to the desk at this step.

    services: (service id, agency id).
    codes: of its decision.
    links: kinds of a link.
    acts: an agency acts in the step, which is neither a decision nor a notice.
    """

    services: tuple[tuple[str, str], ...] = ()
    codes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    pathways: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    acts: bool = False

    @property
    def fields(self) -> Mapping[str, str]:
        """Return instruction → the field of its target; a step that is no decision is settled without one."""
        return {word: field for word, field in FIELDS.items() if word != "SETTLE" or self.codes}


@dataclass(frozen=True, slots=True)
class Here:
    """One request about a task. offers: those that wait for an answer at its step. stages: where the case stands. ways_on: tasks of the
    same case by which its desk lets a stopped procedure go on."""

    call: PageRequest
    task: Task
    spot: Spot
    now: Situation
    choices: Choices
    offers: tuple[Offer, ...]
    stages: tuple[Stage, ...]
    ways_on: tuple[Task, ...]
    answers: tuple[Answer, ...]

    @property
    def where(self) -> str:
        return f"/tasks/{self.task.task_id}"

    @property
    def head(self) -> CaseHead:
        """Return the head of the page. A settled task shows nothing of where the case stands: its desk may have no part any more."""
        settled = self.task.closed_at is not None
        return CaseHead(self.task.case_id, self.spot, self.task.pathway or self.now.pathway, () if settled else self.stages, ended=settled)

    def label(self, word: str) -> str:
        """Return the key of an instruction's text."""
        return label(word, self.task, self.choices, self.now)


async def page(call: PageRequest) -> Response:
    """Return the page of one task of the person's desk."""
    here = await _begun(call)
    if here.task.about == UNCONFIRMED:
        return RedirectResponse(f"/unverified/{here.task.task_id}", status_code=303)
    name = call.name
    asked: dict[str, told.Asked] = {}  # a desk whose part is over does not read who is asked now
    if here.task.closed_at is None:
        asked = {offer.offer_id: (offer, name("agency", offer.agency)) for offer in here.offers}
        asked[here.task.task_id] = (here.task, name("agency", call.account.agency))
    return draw(here, lines=told.once((await told.lines(call, asked)).values()))


async def instruct(call: PageRequest) -> Response:
    """Send an instruction, once for each form."""
    here = await _begun(call)
    task, choices = here.task, here.choices
    entered = instruction(call.form, offered(task, choices, here.now), choices.fields)
    if entered.errors and set(entered.errors) != {"top"}:  # this very form may have come before: its key tells
        return draw(here, entered=entered, status=422)
    if not entered.errors and forms.asks(call.form, entered.word):
        key, say = here.label(entered.word), call.say
        means, title = (say(f"{key}.means"), say.first(f"once.{entered.word}", "once.means")), call.name("about", task.about)
        return case_head.question(call, replace(here.head, stages=()), title, say(key), means, here.where)
    linking, anew = entered.word == "LINK", entered.word == "REOPEN"
    body = responses.InstructionBody(
        word=entered.word,
        reason=entered.reason,
        track_id=None if anew else task.track_id,
        step="" if anew else task.step,
        seat=task.seat,
        target=entered.how if linking else SETTLED if entered.word == "SETTLE" and not choices.codes else entered.target,
        other=entered.target if linking else None,
        task_id=task.task_id if entered.word in ("CONFIRM", "REFUSE", "RESUME") else None,
    )
    at = await call.command(lambda tx: act_on_case.instruct(tx, call.door, call.post(Kind.DESK), task.case_id, body, about=task.task_id))
    if isinstance(at, Rejected):
        return draw(here, entered=confirmation.refused(entered, at), status=at.status)
    await decided(call, task.task_id, entered.word, at)
    return confirmation.redirect(call, here.where, entered.word, at)


ROUTES = (*get("/tasks/{id}", page), *post("/tasks/{id}/instruct", instruct))


def instruction(form: Fields, words: Collection[str], choices: Mapping[str, str]) -> Entered:
    """Return the instruction in a form. words: instructions that the page offers. choices: instruction → the field of its target."""
    word, reason, how = form.get("word", ""), form.get("reason", ""), form.get("how", "")
    target = form.get(choices[word], "") if word in choices else ""
    errors: dict[str, str] = {}
    if word not in words:
        errors["top"] = "error.word"
    if not reason:
        errors["reason"] = "error.reason"
    if word in choices and not target and word != "REOPEN":
        errors[choices[word]] = "task.needed"
    if word == "LINK" and not how:
        errors["how"] = "task.needed"
    return Entered(word=word, reason=reason, target=target, how=how, errors=errors)


def offered(task: Task, choices: Choices, now: Situation) -> tuple[str, ...]:
    """Return the instructions that make sense in the state of the case, the likeliest first; routing decides whether one can be
    followed."""
    link = ("LINK",) if now.others else ()
    if task.about in COMPLAINTS:
        return ("CONFIRM", "REFUSE")
    if now.closed:
        return ("REOPEN", "RESUME", *link)
    if task.about == PROPOSED:
        return ("CONFIRM", "REFUSE", "STOP", "CLOSE", *link)
    known = {
        "OFFER": bool(choices.services) and not now.taken and not now.default,
        "SETTLE": bool(choices.codes) or choices.acts,
        "TRANSFER": bool(choices.services) and now.taken and choices.acts,
        "RELEASE": now.asked,
        "OVERTAKEN": choices.acts or not task.step,
    }
    at_step = [word for word, possible in known.items() if possible and (task.step or word == "OVERTAKEN")]
    on = ("RESUME",) if task.seat < 0 and task.about not in STAYS else ()
    before, after = (on, ()) if task.about == STOPPED else ((), on)
    return (*before, *at_step, *after, *(("STOP",) if task.about != STOPPED else ()), "CLOSE", *link)


def label(word: str, task: Task, choices: Choices, now: Situation) -> str:
    """Return the key of an instruction's text; some texts depend on the state of the case."""
    other = {
        "SETTLE": "confirm" if now.default else "" if choices.codes else "step",
        "RESUME": "closed" if now.closed else "",
        "OVERTAKEN": "" if task.step else "whole",
    }.get(word, "")
    return f"instruct.{word}.{other}" if other else given(word, task)


def given(word: str, task: Task) -> str:
    """Return the key of the text that names an instruction after it was given."""
    if task.about in COMPLAINTS:
        return f"instruct.{word}.complaint"
    return "instruct.CLOSE.track" if word == "CLOSE" and task.track_id else f"instruct.{word}"


def targets(word: str, choices: Choices, now: Situation, say: Words, name: Name, at: int) -> list[tuple[str, str]]:
    """Return (value, name) of the targets of an instruction. at: now, µs UTC."""
    match FIELDS.get(word):
        case "service":
            return sorted(_services(choices.services, name), key=lambda pair: pair[1])
        case "code":
            return [(code, name("decision", code)) for code in choices.codes]
        case "pathway":
            return [(code, name("pathway", code)) for code in choices.pathways]
        case "other":
            return [(case, f"{case_number(case)} · {relative_time.clock(say, opened, at)}") for case, opened in now.others]
    return []


def _services(services: Iterable[tuple[str, str]], name: Name) -> Iterable[tuple[str, str]]:
    """Yield (service id, name): the agency's name, with the service's id where the agency has several."""
    agencies = [agency for _, agency in services]
    for service, agency in services:
        yield service, name("agency", agency) + (f" ({service})" if agencies.count(agency) > 1 else "")


def default(task: Task, now: Situation, say: Words, name: Name) -> str:
    """Return in words the decision that silence made, what one party proposes (its codes stay codes, as in the timeline), or whose silence
    a complaint is about; empty where there is none."""
    if task.about in COMPLAINTS:
        return say(f"task.{task.about}")
    if now.default:
        return say("task.default", code=name("decision", now.default))
    if not now.proposed:
        return ""
    kind, _, rest = now.proposed.partition(" ")
    actor = rest.partition(":")
    change = name("agency", actor[2]) if actor[0] == "agency" else ", ".join(rest.split())
    return say(f"task.proposed.{kind}", agency=name("agency", now.proposer), said=change)


def choices(policy: Policy, lists: Lists, pathway: str, step: str, seat: int) -> Choices:
    """Return the choices at a step: services whose role the step's seat names (any seat where seat is -1), and the step's codes; nothing
    for an unknown step.

    pathway: of the task's track; empty: any.
    """
    every = [found for procedure in policy.every if pathway in ("", procedure.id) and (found := procedure.step(step))]
    roles = {role for at_step in every for role in _roles(at_step, seat)}
    return Choices(
        services=tuple((service.id, service.agency) for service in policy.services.values() if roles & service.roles),
        codes=tuple(dict.fromkeys(code for at_step in every for code in at_step.codes)),
        reasons=tuple(r for r in lists.codes.get("instruction-reason", ()) if r not in lists.codes.get("refusal-reason", ())),
        pathways=lists.codes.get("procedure", ()),
        links=lists.codes.get("linking", ()),
        acts=any(at_step.kind is not StepKind.DECIDE and at_step.kind not in TOLD for at_step in every),
    )


def _roles(step: Step, seat: int) -> Iterable[str]:
    for rule in step.seats[seat : seat + 1] if seat >= 0 else step.seats:
        yield from rule.roles
        yield from rule.last_resort
    if step.placement is not None:
        yield from step.placement.until_known
        for roles in step.placement.roles.values():
            yield from roles


async def _begun(call: PageRequest) -> Here:
    """Return the task of the path, and what its page shows beside it. Rejected 404: the account does not work its desk."""
    if not call.account.desk:
        raise store.unknown("task", "task_id")
    async with call.door.begin() as tx:
        task = await store.task(tx, call.own, known_id(call, "task"))
        permit = await access.permitted(tx, call.who(Kind.DESK), Act.SEE_TASK, task.case_id)
        spots = await locations.spots(tx, permit, call.door.keys, [task.case_id])
        now = await situation(tx, permit, call.door.keys, task)
        offers = told.at_step(task, await store.case_offers(tx, permit))
        stages = await case_head.where(tx, call, [task])
        every = await store.desk_tasks(tx, call.own)
        answers = await store.answers(tx, permit, task.task_id)
    ways_on = tuple(one for one in every if (one.case_id, one.about) == (task.case_id, STOPPED) and one.task_id != task.task_id)
    may = choices(call.policy, call.lists, now.pathway, task.step, task.seat)
    at = stages.get(task.track_id or "", ())
    return Here(call, task, spots.get(task.case_id, Spot()), now, may, offers, at, ways_on, answers)


def draw(here: Here, *, lines: Iterable[told.Line] = (), entered: Entered | None = None, status: int = 200) -> Response:
    call, task, entered = here.call, here.task, entered or Entered()
    say, name = call.say, call.name
    settled, words = task.closed_at is not None, offered(task, here.choices, here.now)
    # A settled task has no instruction, but in a closed case the one that begins the procedure anew.
    orders = [word for word in words if not settled or (word == "REOPEN" and here.now.closed)]
    return call.page(
        "task.html",
        here=here.where,
        status=status,
        page=here,
        task=task,
        default="" if settled else default(task, here.now, say, name),
        orders=[(word, here.label(word), targets(word, here.choices, here.now, say, name, call.now)) for word in orders],
        fields=FIELDS,
        stops=STOPS,
        told=lines,
        guidance=guidance.view(call.policy, call.lists.number, here.now.pathway, task.step, say),
        entered=entered,
        errors={field: say(key, code=entered.refusal) for field, key in entered.errors.items()},
        sent=confirmation.became(call, here.where, here.answers, title="task.sent", label=lambda word: say(given(word, task))),
        key=secrets.token_hex(16),
    )


_STANDS = (
    "SELECT c.closed_at IS NOT NULL, coalesce((SELECT t.pathway FROM intake.track t WHERE t.track_id = :track), ''), "
    "ARRAY(SELECT o.state FROM intake.offer o WHERE o.case_id = :case AND o.track_id = :track AND o.step = :step "
    "AND (:seat < 0 OR o.seat = :seat) AND o.closed_at IS NULL) FROM intake.casefile c WHERE c.case_id = :case"
)


async def situation(tx: AsyncConnection, permit: Permit, keys: Keys, task: Task) -> Situation:
    """Return the state of the case of a task. permit: to see the task."""
    at = {"case": task.case_id, "track": task.track_id or "", "step": task.step, "seat": task.seat}
    [(closed, pathway, states)] = await store.rows(tx, _STANDS, at)
    lines = await _lines(tx, permit, keys) if task.about in ("confirm-default", "confirm-change") else []
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
        links=await links.links(tx, permit),
        others=await links.others(tx, permit),
    )


async def _lines(tx: AsyncConnection, permit: Permit, keys: Keys) -> list[Line]:
    """Return the timeline of a case, in order; empty for an erased case."""
    case_id = permit.case_id
    key = (await keys.load(tx, [case_id])).get(case_id)
    if key is None:
        return []
    cipher = sections.box(key)
    return [
        msgspec.msgpack.decode(sections.unseal(cipher, sealed, case_id, "timeline", str(seq)), type=Line)
        for seq, _, sealed in await store.happenings(tx, permit)
    ]


def _default(step: str, line: Line) -> str | None:
    """Return the code that silence recorded for the step, if this line is its decision; empty where a person decided; None for any other
    line."""
    if (line.what, line.step) != ("DECIDED", step):
        return None
    code, _, how = line.detail.rpartition(": ")[2].partition(" ")
    return code if how == Decided.SILENCE else ""
