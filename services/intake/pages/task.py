"""View of a desk's task: the facts that the page shows, and the instructions that the desk may give now. Pure.

`choices` reads from the policy in force what it leaves to the desk at one step: services to offer to, and codes to settle with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from referral.domain.case_number import case_number
from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Step
from referral.domain.rules.context import COMPLAINTS
from referral.domain.rules.instructions import STAYS
from referral.runtime.i18n import Words
from services.intake.model import Situation, Spot, Task
from services.intake.pages import case_head, relative_time
from services.intake.pages.case_head import CaseHead, Stage
from services.intake.pages.labels import Name
from services.intake.policy_view import Lists

FIELDS = {"OFFER": "service", "TRANSFER": "service", "SETTLE": "code", "REOPEN": "pathway", "LINK": "other"}
"""Instruction → the field of its target, which it needs besides its reason."""
PROPOSED = "confirm-change"
"""Subject (`about`) of a task that asks whether one party's proposal holds."""
STOPS = ("CLOSE", "STOP", "RELEASE", "OVERTAKEN")
"""Instructions that end something."""


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


@dataclass(frozen=True, slots=True)
class Order:
    """One instruction that is possible now.

    field: the field of its target; empty: it has none.
    options: (value, name) of the targets.
    more: (value, name) of the second field `how`.
    chosen: the option that is selected at first.
    choose: the text for nothing selected.
    """

    word: str
    label: str
    means: str
    stop: bool
    field: str = ""
    legend: str = ""
    options: tuple[tuple[str, str], ...] = ()
    more: tuple[tuple[str, str], ...] = ()
    chosen: str = ""
    choose: str = ""


@dataclass(frozen=True, slots=True)
class TaskView:
    """The values that the page shows. reasons: (value, name). default: the decision that silence made, in words; empty where it made
    none."""

    title: str
    head: CaseHead
    settled: bool
    default: str
    facts: tuple[tuple[str, str], ...]
    orders: tuple[Order, ...]
    reasons: tuple[tuple[str, str], ...]


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
    before, after = (on, ()) if task.about == "stopped" else ((), on)
    return (*before, *at_step, *after, *(("STOP",) if task.about != "stopped" else ()), "CLOSE", *link)


def _shown(task: Task, choices: Choices, now: Situation) -> tuple[str, ...]:
    """Return the instructions of the page. A settled task has none, but in a closed case the one that begins the procedure anew."""
    words = offered(task, choices, now)
    return words if task.closed_at is None else tuple(word for word in words if word == "REOPEN" and now.closed)


def view(
    task: Task, spot: Spot, choices: Choices, now: Situation, say: Words, name: Name, at: int, *, stages: tuple[Stage, ...] = ()
) -> TaskView:
    """Return the view of a task. at: now, µs UTC. stages: where the case stands.

    A settled task shows nothing of where the case stands, is linked to, or what is proposed for it: its desk may have no part any more.
    """
    settled = task.closed_at is not None
    default = say("task.default", code=name("decision", now.default)) if now.default else _proposed(now, say, name)
    default = say(f"task.{task.about}") if task.about in COMPLAINTS else default
    known = (
        ("offer.step", name("step", task.step) if task.step else ""),
        ("offer.asked", relative_time.clock(say, task.opened_at, at)),
        ("task.repeat", relative_time.clock(say, task.due, at) if task.due is not None and not settled else ""),
        ("task.linked", ", ".join(f"{case_number(link.case_id)} ({say('link.' + link.how)})" for link in now.links if not settled)),
    )
    return TaskView(
        title=name("about", task.about),
        head=case_head.head(task.case_id, spot, task.pathway or now.pathway, say, name, ended=settled, stages=() if settled else stages),
        settled=settled,
        default="" if settled else default,
        facts=tuple((say(term), value) for term, value in known if value),
        orders=tuple(_order(word, task, choices, now, say, name, at) for word in _shown(task, choices, now)),
        reasons=tuple((code, name("instruction-reason", code)) for code in choices.reasons),
    )


def _proposed(now: Situation, say: Words, name: Name) -> str:
    """Return the proposal of one party in words; its codes stay codes, as in the timeline."""
    if not now.proposed:
        return ""
    kind, _, rest = now.proposed.partition(" ")
    actor = rest.partition(":")
    change = name("agency", actor[2]) if actor[0] == "agency" else ", ".join(rest.split())
    return say(f"task.proposed.{kind}", agency=name("agency", now.proposer), said=change)


def _order(word: str, task: Task, choices: Choices, now: Situation, say: Words, name: Name, at: int) -> Order:
    field, key = FIELDS.get(word, ""), _key(word, task, choices, now)
    options: tuple[tuple[str, str], ...] = ()
    match field:
        case "service":
            options = tuple(sorted(_services(choices.services, name), key=lambda pair: pair[1]))
        case "code":
            options = tuple((code, name("decision", code)) for code in choices.codes)
        case "pathway":
            options = tuple((code, name("pathway", code)) for code in choices.pathways)
        case "other":
            options = tuple((case, f"{case_number(case)} · {relative_time.clock(say, opened, at)}") for case, opened in now.others)
    return Order(
        word=word,
        label=say(key),
        means=say(key + ".means"),
        stop=word in STOPS,
        field=field if options else "",
        legend=say("task." + field) if field else "",
        options=options,
        more=tuple((how, say("link." + how)) for how in choices.links) if word == "LINK" else (),
        chosen=now.default if word == "SETTLE" else "",
        choose=say("task.applies" if word == "REOPEN" else "field.choose"),
    )


def label(word: str, task: Task) -> str:
    """Return the key of the text that names an instruction after it was given."""
    if task.about in COMPLAINTS:
        return f"instruct.{word}.complaint"
    return "instruct.CLOSE.track" if word == "CLOSE" and task.track_id else f"instruct.{word}"


def _key(word: str, task: Task, choices: Choices, now: Situation) -> str:
    """Return the key of an instruction's text; some texts depend on the state of the case."""
    other = {
        "SETTLE": "confirm" if now.default else "" if choices.codes else "step",
        "RESUME": "closed" if now.closed else "",
        "CLOSE": "track" if task.track_id else "",
        "OVERTAKEN": "" if task.step else "whole",
        "CONFIRM": "complaint" if task.about in COMPLAINTS else "",
        "REFUSE": "complaint" if task.about in COMPLAINTS else "",
    }.get(word, "")
    return f"instruct.{word}" + (f".{other}" if other else "")


def _services(services: Iterable[tuple[str, str]], name: Name) -> Iterable[tuple[str, str]]:
    """Yield (service id, name): the agency's name, with the service's id where the agency has several."""
    agencies = [agency for _, agency in services]
    for service, agency in services:
        yield service, name("agency", agency) + (f" ({service})" if agencies.count(agency) > 1 else "")


TOLD = (StepKind.NOTIFY, StepKind.FEED)


def choices(policy: Policy, lists: Lists, pathway: str, step: str, seat: int) -> Choices:
    """Return the choices at a step: services whose role the step's seat names (any seat where seat is -1), and the step's codes; nothing
    for an unknown step.

    pathway: of the task's track; empty: any.
    """
    every = [found for procedure in policy.current if pathway in ("", procedure.id) and (found := procedure.step(step))]
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
