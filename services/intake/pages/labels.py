"""Texts of offers and tasks in the reader's language, for the cards and boxes of the pages, grouped by case. Pure: rows, names and the time
in; template values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from referral.domain.rules.telephone import NOT_CALLED, NOT_TOLD
from referral.runtime.i18n import Name as Name
from referral.runtime.i18n import Words
from services.intake.model import Offer, Spot, Task
from services.intake.pages import case_head, relative_time
from services.intake.pages.case_head import CaseHead, Stage

SOON_US = 15 * 60 * 1_000_000
"""A limit nearer than this is highlighted (ours): the shortest limit of the procedures, time to acknowledge, is 15 minutes."""
LATELY_US = 24 * 60 * 60 * 1_000_000
"""An offer that ended longer ago is not in the inbox (ours): every shift sees the results of the previous one."""
SHOWN = 50
"""Most cards of one group (ours): more than a shift answers. Those whose limit is next stay, and the page says how many there are."""
TOLD = ("age-band", "sex", "language")
"""Sections whose codes belong to the list of the same name."""
UNTOLD = (NOT_CALLED, NOT_TOLD)
NOWHERE = Spot()
URGENCIES = ("emergency", "urgent", "routine")


@dataclass(frozen=True, slots=True)
class Time:
    """A limit in words. tone: late, soon or empty. stamp: the same with its date, for paper."""

    left: str
    limit: str
    machine: str
    what: str
    tone: str
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One card of the inbox. line: the role, step or agency. state: what it waits for, and who of our agency has it. who: the same login,
    or the agency to be telephoned."""

    href: str
    title: str
    line: str
    urgency: str
    urgency_name: str
    urgent: bool
    state: str
    asked: str
    time: Time | None
    who: str = ""


@dataclass(frozen=True, slots=True)
class CaseCards:
    """The cards of one case in one group of the inbox."""

    head: CaseHead
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of the inbox, in the order of the page: first the offers that need an answer. In each stand first the cases whose limit
    has passed, then emergencies, then those whose limit is next. many: group → cards that it would have without the limit SHOWN."""

    answer: tuple[CaseCards, ...]
    tasks: tuple[CaseCards, ...]
    calls: tuple[CaseCards, ...]
    work: tuple[CaseCards, ...]
    info: tuple[CaseCards, ...]
    ended: tuple[CaseCards, ...]
    many: Mapping[str, int]

    def any(self) -> bool:
        """Return whether there is any card."""
        return any(self.many.values())

    def shown(self) -> frozenset[str]:
        """Return the paths of the cards that wait for somebody."""
        return frozenset(card.href for group in (self.answer, self.calls, self.tasks) for case in group for card in case.cards)


@dataclass(frozen=True, slots=True)
class Known:
    """What the inbox knows beside its rows.

    spots: case id → its facts. who: offer id → login of the colleague whose answer holds. stages: track id → where the case stands.
    """

    spots: Mapping[str, Spot]
    who: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, tuple[Stage, ...]] = field(default_factory=dict)


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
        what=text(say, "limit.late" if tone == "late" and say.has(f"limit.late.{what}") else "limit", what, "other") if what else "",
        tone=tone,
        stamp=relative_time.stamp(due),
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


def ended(offer: Offer, spot: Spot, say: Words) -> str:
    """Return the text for the end of an offer. Silence that was ours or the desk's is not shown as the agency's. Whoever did a part of a
    case to its end, or had a part when it ended, or was notified, reads that the case is closed."""
    notified = offer.kind == "NOTIFY" and offer.state == "CANCELLED"
    if spot.closed_at is not None and (notified or offer.state == "COMPLETED" or offer.reason == "TRACK_ENDED"):
        known = f"ended.closed.{spot.outcome}"
        return say(known if say.has(known) else "ended.closed.other", time=relative_time.stamp(spot.closed_at))
    if notified:
        return say("ended.notice")
    if offer.state == "EXPIRED" and "DECIDE" in offer.words:
        return say("ended.undecided")
    return say(f"ended.{offer.reason}") if offer.reason in UNTOLD else text(say, "ended", offer.state, "UNKNOWN")


def asked(say: Words, at: int, now: int) -> str:
    """Return the time at which an offer or task began."""
    return f"{say('offer.asked')} {relative_time.clock(say, at, now)}"


def groups(
    offers: Iterable[Offer], calls: Iterable[Offer], tasks: Iterable[Task], known: Known, say: Words, name: Name, now: int
) -> Groups:
    """Sort an agency's offers, calls and tasks into the groups of the inbox."""
    ours = sorted(offers, key=lambda offer: order(offer, now))
    lately = [offer for offer in ours if offer.closed_at is not None and now - offer.closed_at < LATELY_US]

    def of(group: str) -> list[Offer]:
        return [offer for offer in ours if offer.closed_at is None and _group(offer) == group]

    def cases(rows: Iterable[Offer], *, agency: bool = False) -> tuple[CaseCards, ...]:
        return _cases(((row, shown(row, agency)) for row in rows), known, say, name)

    def shown(row: Offer, agency: bool) -> Card:
        spot = known.spots.get(row.case_id, NOWHERE)
        return card(row, known.who.get(row.offer_id, ""), say, name, now, agency=agency, spot=spot)

    answer, work, info, called, orders = (
        of("answer"),
        of("work"),
        of("info"),
        sorted(calls, key=lambda offer: order(offer, now)),
        list(tasks),
    )
    rows: dict[str, Sequence[Offer | Task]] = {
        "answer": answer,
        "tasks": orders,
        "calls": called,
        "work": work,
        "info": info,
        "ended": lately,
    }
    return Groups(
        answer=cases(answer),
        tasks=_cases(((task, task_card(task, say, name, now)) for task in orders), known, say, name),
        calls=cases(called, agency=True),
        work=cases(work),
        info=cases(info),
        ended=cases(lately),
        many={group: len(found) for group, found in rows.items()},
    )


def _cases(cards: Iterable[tuple[Offer | Task, Card]], known: Known, say: Words, name: Name) -> tuple[CaseCards, ...]:
    """Put the cards of one case and procedure together, at the place of the first. A case without its key is erased: it has no card."""
    found: dict[tuple[str, str], list[Card]] = {}
    rows: dict[tuple[str, str], list[Offer | Task]] = {}
    for row, made in islice(cards, SHOWN):
        place = row.case_id, row.pathway
        found.setdefault(place, []).append(made)
        rows.setdefault(place, []).append(row)
    return tuple(CaseCards(_head(rows[place], known, say, name), tuple(cards)) for place, cards in found.items())


def _head(rows: Sequence[Offer | Task], known: Known, say: Words, name: Name) -> CaseHead:
    first = rows[0]
    stages = () if not _live(rows) else known.stages.get(first.track_id or "", ())
    return case_head.head(
        first.case_id, known.spots.get(first.case_id, Spot()), first.pathway, say, name, ended=not _live(rows), stages=stages
    )


def _live(rows: Iterable[Offer | Task]) -> bool:
    """Return whether one of them is open and was not declined."""
    return any(row.closed_at is None and getattr(row, "declined_by", None) is None for row in rows)


def _group(offer: Offer) -> str:
    if offer.kind == "NOTIFY":
        return "info"
    return "answer" if waits(offer) else "work"


def waits(offer: Offer) -> bool:
    """Return whether an open offer needs an answer of its agency."""
    live = offer.closed_at is None and offer.declined_by is None and offer.kind != "NOTIFY"
    return live and offer.state in ("OFFERED", "ACKNOWLEDGED")


def order(offer: Offer, now: int) -> tuple[bool, bool, float, int, int, str]:
    """Return the place of an offer in a list: a limit that has passed, then an emergency, then the next limit."""
    rank = URGENCIES.index(offer.urgency) if offer.urgency in URGENCIES else len(URGENCIES)
    due = offer.due if offer.due is not None else float("inf")
    return (due > now, offer.urgency != URGENCIES[0], due, rank, offer.opened_at, offer.offer_id)


def card(offer: Offer, who: str, say: Words, name: Name, now: int, *, agency: bool = False, spot: Spot = NOWHERE) -> Card:
    """Return the card of an offer. who: login of the colleague who has it. agency: it is another agency's, to be telephoned. spot: of its
    case."""
    over = offer.closed_at is not None
    return Card(
        href=f"/calls/{offer.offer_id}" if agency else f"/offers/{offer.offer_id}",
        title=name("step", offer.step),
        line=name("agency", offer.agency) if agency else name("role", offer.role),
        urgency=offer.urgency,
        urgency_name=name("urgency", offer.urgency),
        urgent=offer.urgency in URGENCIES[:2] and not over,
        state=ended(offer, spot, say) if over else held(offer, who, say),
        asked=asked(say, offer.opened_at, now),
        time=None if over or offer.kind == "NOTIFY" else time(say, offer.due, "call" if agency else offer.due_what, now),
        who=name("agency", offer.agency) if agency else who if offer.state != "OFFERED" else "",
    )


def held(offer: Offer, who: str, say: Words) -> str:
    """Return the state of an open offer, and the colleague who has it."""
    found = say("state." + state(offer))
    return f"{found} ({who})" if who and offer.state != "OFFERED" else found


def task_card(task: Task, say: Words, name: Name, now: int) -> Card:
    """Return the card of a desk's task."""
    return Card(
        href=f"/tasks/{task.task_id}",
        title=name("about", task.about),
        line=name("step", task.step) if task.step else "",
        urgency="",
        urgency_name="",
        urgent=False,
        state=say("task.rung") if task.rung else "",
        asked=asked(say, task.opened_at, now),
        time=None,
    )


def content(section: str, stored: Any, name: Name) -> Any:
    """Return the content of a section for the page. Codes derived from the case's traits become names; content that an agency wrote stays
    as it is."""
    if section not in TOLD or not isinstance(stored, Mapping):
        return stored
    codes = [code for value in stored.values() for code in (value if isinstance(value, list) else [value])]
    return ", ".join(name(section, str(code)) for code in codes)
