"""The page of a desk's task: what no rule could place, and what its desk may instruct. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.intake import words_time
from services.intake.kept import Spot, Task
from services.intake.pages_view import Name
from services.intake.words import Words

WORDS = ("OFFER", "SETTLE", "STOP", "RESUME", "CLOSE")
"""Instructions that a page can give; LINK needs the other case's id and has the API."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the procedure leaves to the desk at this step. services: (service id, agency id). codes: of its decision."""

    services: tuple[tuple[str, str], ...] = ()
    codes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskView:
    """All that the page shows. words, services, codes, reasons: (value, name)."""

    title: str
    drill: bool
    settled: bool
    facts: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]
    services: tuple[tuple[str, str], ...]
    codes: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str], ...]
    service_hint: str
    code_hint: str


def offered(choices: Choices) -> tuple[str, ...]:
    """The words that make sense: no question without something to choose from."""
    lacking = {"OFFER" if not choices.services else "", "SETTLE" if not choices.codes else ""}
    return tuple(word for word in WORDS if word not in lacking)


def view(task: Task, spot: Spot, choices: Choices, say: Words, name: Name, now: int) -> TaskView:
    known = (
        ("offer.step", name("step", task.step) if task.step else ""),
        ("offer.place", name("municipality", spot.found_in) if spot.found_in else ""),
        ("offer.asked", words_time.clock(say, task.opened_at, now)),
        ("task.repeat", words_time.clock(say, task.due, now) if task.due is not None and task.closed_at is None else ""),
        ("offer.reference", task.task_id[:8]),
    )
    return TaskView(
        title=name("about", task.about),
        drill=spot.drill,
        settled=task.closed_at is not None,
        facts=tuple((say(term), value) for term, value in known if value),
        words=tuple((word, say("instruct." + word)) for word in offered(choices)),
        services=tuple(sorted(_services(choices.services, name), key=lambda pair: pair[1])),
        codes=tuple((code, name("decision", code)) for code in choices.codes),
        reasons=tuple((code, name("instruction-reason", code)) for code in choices.reasons),
        service_hint=say("task.only", words=say("instruct.OFFER")),
        code_hint=say("task.only", words=say("instruct.SETTLE")),
    )


def _services(services: Iterable[tuple[str, str]], name: Name) -> Iterable[tuple[str, str]]:
    """An agency's name, with the service's id where the agency has several."""
    agencies = [agency for _, agency in services]
    for service, agency in services:
        yield service, name("agency", agency) + (f" ({service})" if agencies.count(agency) > 1 else "")
