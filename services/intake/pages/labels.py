"""Texts of offers and tasks in the reader's language, for the cards and boxes of the pages. Pure: rows, names and the time in; template
values out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from referral.domain.rules.telephone import NOT_CALLED, NOT_TOLD
from referral.runtime.i18n import Words
from services.intake.model import Offer, Spot, Task
from services.intake.pages import relative_time

SOON_US = 15 * 60 * 1_000_000
"""A limit nearer than this is highlighted (ours): the shortest limit of the procedures, time to acknowledge, is 15 minutes."""
LATELY_US = 24 * 60 * 60 * 1_000_000
"""An offer that ended longer ago is not in the inbox (ours): every shift sees the results of the previous one."""
SHOWN = 50
"""Most cards of one group; the most urgent stay."""
TOLD = ("age-band", "sex", "language")
"""Sections whose codes belong to the list of the same name."""
UNTOLD = (NOT_CALLED, NOT_TOLD)
URGENCIES = ("emergency", "urgent", "routine")

Name = Callable[[str, str], str]
"""(kind, code) → its name in the reader's language: `Policy.names` with the language filled in."""


@dataclass(frozen=True, slots=True)
class Time:
    """A limit in words. tone: late, soon or empty."""

    left: str
    limit: str
    machine: str
    what: str
    tone: str


@dataclass(frozen=True, slots=True)
class Card:
    """One card of the inbox."""

    href: str
    title: str
    line: str
    urgency: str
    urgency_name: str
    urgent: bool
    drill: bool
    state: str
    asked: str
    time: Time | None


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of the inbox, in the order of the page: first the offers that need an answer."""

    answer: list[Card]
    tasks: list[Card]
    calls: list[Card]
    work: list[Card]
    info: list[Card]
    ended: list[Card]


def text(say: Words, start: str, code: str, otherwise: str) -> str:
    """Return our text for a code, or the text for any other code."""
    return say.first(f"{start}.{code}", f"{start}.{otherwise}")


def time(say: Words, due: int | None, what: str, now: int) -> Time | None:
    """Return the time box of an offer; None where it has no limit."""
    if due is None:
        return None
    tone = "late" if due <= now else "soon" if due - now < SOON_US else ""
    return Time(
        left=relative_time.left(say, due, now),
        limit=relative_time.limit(say, due, now),
        machine=relative_time.machine(due),
        what=text(say, "limit", what, "other") if what else "",
        tone=tone,
    )


def state(offer: Offer) -> str:
    """Return the key of `words.yaml` for the state of an offer."""
    if offer.closed_at is not None:
        return "CLOSED"
    if offer.declined_by is not None:
        return "DECLINED"
    if offer.state == "ACCEPTED" and offer.arrived:
        return "ARRIVED"
    return offer.state


def ended(offer: Offer, say: Words) -> str:
    """Return the text for the end of an offer. Silence that was ours or the desk's is not shown as the agency's."""
    return say(f"ended.{offer.reason}") if offer.reason in UNTOLD else text(say, "ended", offer.state, "UNKNOWN")


def line(what: str, spot: Spot, name: Name) -> str:
    """Return the second line of a card: the role or step, and the municipality."""
    return " · ".join(part for part in (what, name("municipality", spot.found_in) if spot.found_in else "") if part)


def asked(say: Words, at: int, id: str, now: int) -> str:
    """Return the time and the reference of an offer or task, which distinguish two cards with the same title."""
    return f"{say('offer.asked')} {relative_time.clock(say, at, now)} · {say('offer.reference')} {id[:8]}"


def groups(
    offers: Iterable[Offer], calls: Iterable[Offer], tasks: Iterable[Task], spots: Callable[[str], Spot], say: Words, name: Name, now: int
) -> Groups:
    """Sort an agency's offers, calls and tasks into the groups of the inbox, the nearest limit first."""
    grouped = Groups([], [], [], [], [], [])
    for offer in sorted(offers, key=_urgency):
        if offer.closed_at is None:
            _group(grouped, offer).append(card(offer, spots(offer.case_id), say, name, now))
        elif now - offer.closed_at < LATELY_US:
            grouped.ended.append(card(offer, spots(offer.case_id), say, name, now))
    grouped.calls.extend(card(offer, spots(offer.case_id), say, name, now, agency=True) for offer in sorted(calls, key=_urgency))
    grouped.tasks.extend(task_card(task, spots(task.case_id), say, name, now) for task in tasks)
    for group in (grouped.answer, grouped.tasks, grouped.calls, grouped.work, grouped.info, grouped.ended):
        del group[SHOWN:]
    return grouped


def _group(grouped: Groups, offer: Offer) -> list[Card]:
    if offer.kind == "NOTIFY":
        return grouped.info
    return grouped.answer if offer.state in ("OFFERED", "ACKNOWLEDGED") and offer.declined_by is None else grouped.work


def _urgency(offer: Offer) -> tuple[float, int, int, str]:
    rank = URGENCIES.index(offer.urgency) if offer.urgency in URGENCIES else len(URGENCIES)
    return (offer.due if offer.due is not None else float("inf"), rank, offer.opened_at, offer.offer_id)


def card(offer: Offer, spot: Spot, say: Words, name: Name, now: int, *, agency: bool = False) -> Card:
    """Return the card of an offer. agency: it is another agency's, to be telephoned."""
    over = offer.closed_at is not None
    who = name("agency", offer.agency) if agency else name("role", offer.role)
    return Card(
        href=f"/calls/{offer.offer_id}" if agency else f"/offers/{offer.offer_id}",
        title=name("step", offer.step),
        line=line(who, spot, name),
        urgency=offer.urgency,
        urgency_name=name("urgency", offer.urgency),
        urgent=offer.urgency in URGENCIES[:2] and not over,
        drill=spot.drill,
        state=ended(offer, say) if over else say("state." + state(offer)),
        asked=asked(say, offer.opened_at, offer.offer_id, now),
        time=None if over or offer.kind == "NOTIFY" else time(say, offer.due, "call" if agency else offer.due_what, now),
    )


def task_card(task: Task, spot: Spot, say: Words, name: Name, now: int) -> Card:
    """Return the card of a desk's task."""
    return Card(
        href=f"/tasks/{task.task_id}",
        title=name("about", task.about),
        line=line(name("step", task.step) if task.step else "", spot, name),
        urgency="",
        urgency_name="",
        urgent=False,
        drill=spot.drill,
        state=say("task.rung") if task.rung else "",
        asked=asked(say, task.opened_at, task.task_id, now),
        time=None,
    )


def content(section: str, stored: Any, name: Name) -> Any:
    """Return the content of a section for the page. Codes derived from the case's traits become names; content that an agency wrote stays
    as it is."""
    if section not in TOLD or not isinstance(stored, Mapping):
        return stored
    codes = [code for value in stored.values() for code in (value if isinstance(value, list) else [value])]
    return ", ".join(name(section, str(code)) for code in codes)
