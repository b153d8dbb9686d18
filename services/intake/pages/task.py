"""The page of a desk's task: what no rule could place, and what its desk may order now. Pure.

What the procedures in force leave to a desk at one step: whom it may ask, and what it may settle. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Step
from referral.domain.rules.instructions import STAYS
from referral.runtime.i18n import Words
from services.intake.model import Situation, Spot, Task
from services.intake.pages import relative_time
from services.intake.pages.labels import Name
from services.intake.policy_view import Lists

FIELDS = {"OFFER": "service", "TRANSFER": "service", "SETTLE": "code", "REOPEN": "pathway", "LINK": "other"}
"""What an order has to choose from besides its reason."""
PROPOSED = "confirm-change"
"""What a task is about that asks whether something holds that one party has said."""
STOPS = ("CLOSE", "STOP", "RELEASE", "OVERTAKEN")
"""Orders that end something."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the procedure leaves to the desk at this step. services: (service id, agency id). codes: of its decision.
    links: kinds of a link. acts: it is a step that somebody acts in, neither a decision nor a notice."""

    services: tuple[tuple[str, str], ...] = ()
    codes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    pathways: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    acts: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """One order that is possible now. field: what it chooses from options, (value, name); empty: nothing. more: of a second field `how`.
    chosen: what stands there already. choose: the text for nothing chosen."""

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
    """All that the page shows. reasons: (value, name). default: what silence decided, in words; empty where it did not."""

    title: str
    drill: bool
    settled: bool
    default: str
    facts: tuple[tuple[str, str], ...]
    orders: tuple[Order, ...]
    reasons: tuple[tuple[str, str], ...]


def offered(task: Task, choices: Choices, now: Situation) -> tuple[str, ...]:
    """The orders that make sense as the case stands, the likeliest first; routing decides whether one can be followed."""
    link = ("LINK",) if now.others else ()
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


def view(task: Task, spot: Spot, choices: Choices, now: Situation, say: Words, name: Name, at: int) -> TaskView:
    """at: µs UTC."""
    known = (
        ("offer.step", name("step", task.step) if task.step else ""),
        ("task.pathway", name("pathway", now.pathway) if now.pathway else ""),
        ("offer.place", name("municipality", spot.found_in) if spot.found_in else ""),
        ("offer.asked", relative_time.clock(say, task.opened_at, at)),
        ("task.repeat", relative_time.clock(say, task.due, at) if task.due is not None and task.closed_at is None else ""),
        ("offer.reference", task.task_id[:8]),
        ("task.case", task.case_id[:8]),
        ("task.linked", ", ".join(f"{one.case_id[:8]} ({say('link.' + one.how)})" for one in now.links)),
    )
    return TaskView(
        title=name("about", task.about),
        drill=spot.drill,
        settled=task.closed_at is not None,
        default=say("task.default", code=name("decision", now.default)) if now.default else _proposed(now, say, name),
        facts=tuple((say(term), value) for term, value in known if value),
        orders=tuple(_order(word, task, choices, now, say, name, at) for word in offered(task, choices, now)),
        reasons=tuple((code, name("instruction-reason", code)) for code in choices.reasons),
    )


def _proposed(now: Situation, say: Words, name: Name) -> str:
    """What one party has said, in words; its codes stay codes, as in the timeline."""
    if not now.proposed:
        return ""
    kind, _, rest = now.proposed.partition(" ")
    actor = rest.partition(":")
    said = name("agency", actor[2]) if actor[0] == "agency" else ", ".join(rest.split())
    return say(f"task.proposed.{kind}", agency=name("agency", now.proposer), said=said)


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
            options = tuple((case, f"{case[:8]} · {relative_time.clock(say, opened, at)}") for case, opened in now.others)
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


def _key(word: str, task: Task, choices: Choices, now: Situation) -> str:
    """The text of an order; some read otherwise as the case stands."""
    other = {
        "SETTLE": "confirm" if now.default else "" if choices.codes else "step",
        "RESUME": "closed" if now.closed else "",
        "CLOSE": "track" if task.track_id else "",
        "OVERTAKEN": "" if task.step else "whole",
    }.get(word, "")
    return f"instruct.{word}" + (f".{other}" if other else "")


def _services(services: Iterable[tuple[str, str]], name: Name) -> Iterable[tuple[str, str]]:
    """An agency's name, with the service's id where the agency has several."""
    agencies = [agency for _, agency in services]
    for service, agency in services:
        yield service, name("agency", agency) + (f" ({service})" if agencies.count(agency) > 1 else "")


TOLD = (StepKind.NOTIFY, StepKind.FEED)


def choices(policy: Policy, lists: Lists, pathway: str, step: str, seat: int) -> Choices:
    """Services whose role the step's seat names (any seat where seat is -1), and the step's codes; nothing for an unknown step.

    pathway: of the task's track; empty: any.
    """
    every = [found for one in policy.current if pathway in ("", one.id) and (found := one.step(step))]
    roles = {role for one in every for role in _roles(one, seat)}
    return Choices(
        services=tuple((service.id, service.agency) for service in policy.services.values() if roles & service.roles),
        codes=tuple(dict.fromkeys(code for one in every for code in one.codes)),
        reasons=lists.codes.get("instruction-reason", ()),
        pathways=lists.codes.get("procedure", ()),
        links=lists.codes.get("linking", ()),
        acts=any(one.kind is not StepKind.DECIDE and one.kind not in TOLD for one in every),
    )


def _roles(step: Step, seat: int) -> Iterable[str]:
    for rule in step.seats[seat : seat + 1] if seat >= 0 else step.seats:
        yield from rule.roles
        yield from rule.last_resort
    if step.placement is not None:
        yield from step.placement.until_known
        for roles in step.placement.roles.values():
            yield from roles
