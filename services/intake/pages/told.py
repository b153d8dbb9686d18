"""Return in words who was told of an offer or a task: counts and times, never a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from referral.domain.rules.telephone import CALLS, WAITING
from referral.runtime.i18n import Words
from referral.wire.told import Told
from services.intake import notifier_client
from services.intake.model import Offer, Task
from services.intake.pages import relative_time
from services.intake.pages.page_request import PageRequest

LATE_US = 60_000_000
"""A message that is due for longer is said to be late (ours): normally it leaves within a second."""


@dataclass(frozen=True, slots=True)
class Line:
    """The count of who was told, in words.

    who: the agency that it is about, where the page is about another one too.
    bad: nobody was told, or messages do not leave, or it is not known. away: the last, as the notifier is away.
    """

    text: str
    who: str = ""
    bad: bool = False
    away: bool = False


Row = Offer | Task
Asked = tuple[Row, str]
"""An offer or a task, and the name of the agency whose people are told, where the page is about another one too; else empty."""


async def lines(call: PageRequest, asked: Mapping[str, Asked]) -> dict[str, Line]:
    """Return who was told, in words, by the path of the page of each offer or task; nothing where this stack names no notifier.

    Only what the reader may see is asked about, and after the transaction that read it.
    """
    notifier = call.door.notifier
    if notifier is None or not asked:
        return {}
    answer = await notifier_client.told(notifier, call.door.keys, [id_of(row) for row, _ in asked.values()])
    found = {href: line(answer, row, who, call.say, call.now) for href, (row, who) in asked.items()}
    return {href: one for href, one in found.items() if one is not None}


def id_of(row: Row) -> str:
    """Return the id under which the notifier knows an offer or a task."""
    return row.task_id if isinstance(row, Task) else row.offer_id


def awaited(offer: Offer) -> bool:
    """Return whether an offer's agency is told and owes an answer: not one that a desk telephones."""
    return offer.closed_at is None and offer.declined_by is None and offer.state in WAITING and offer.reach != "PHONE"


def at_step(task: Task, offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """Return the offers of the case that wait for an answer at the step of a task; none for a task about no step."""
    here = (offer for offer in offers if task.step and (offer.track_id, offer.step) == (task.track_id, task.step))
    return tuple(offer for offer in here if awaited(offer) and task.seat in (-1, offer.seat))


def task_of(offer: Offer, tasks: Iterable[Task]) -> Task | None:
    """Return the desk's task to telephone about this offer; None if it is at another desk."""
    at = (offer.case_id, offer.track_id, offer.step, offer.seat)
    return next((t for t in tasks if t.about in CALLS and (t.case_id, t.track_id, t.step, t.seat) == at), None)


def line(answer: Mapping[str, Told] | None, row: Row, who: str, say: Words, now: int) -> Line | None:
    """Return the words about one offer or task; None: there is nothing to say. answer: the notifier's; None: it is away."""
    if answer is None:
        return Line(say("told.away"), bad=True, away=True)
    # An agency's own system may read an offer.
    system = isinstance(row, Offer) and row.reach == "SYSTEM"
    told = answer.get(id_of(row))
    if told is None or told.rung < row.rung:
        return None if system else Line(f"{say('told.nobody')} {say('told.unread')}", who, bad=True)
    if system and not told.people:
        return None
    parts = [say("told", count=told.people, ends=", ".join(_told(told, say, now)))] if told.people else [say("told.nobody")]
    parts += [say("told.not", ends=", ".join(not_))] if (not_ := tuple(_not(told, say))) else []
    parts += [say("told.blocked", count=told.blocked)] if told.blocked else []
    after, stuck = _next(told, say, now)
    return Line(" ".join((*parts, after)), who, bad=stuck or not told.people or bool(told.blocked))


def once(found: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines of one page: that the notifier is away is said once."""
    every = tuple(found)
    return next(((line,) for line in every if line.away), every)


def _told(told: Told, say: Words, now: int) -> Iterable[str]:
    if told.delivered:
        yield say("told.delivered", count=told.delivered, time=_clock(told.delivered_at, say, now))
    if told.sent:
        yield say("told.sent", count=told.sent, time=_clock(told.sent_at, say, now))
    if told.silent:
        yield say("told.silent", count=told.silent)
    if told.cannot:
        yield say("told.cannot", count=told.cannot)


def _not(told: Told, say: Words) -> Iterable[str]:
    if told.lost:
        yield say("told.lost", count=told.lost)
    if told.waits:
        yield say("told.waits", count=told.waits)


def _next(told: Told, say: Words, now: int) -> tuple[str, bool]:
    """Return when the next message goes out, and whether it should have gone."""
    if told.paused:
        return say("told.paused"), True
    if told.next_at is None:
        return say("told.last"), False
    if told.next_at + LATE_US < now:
        return say("told.late", time=_clock(told.next_at, say, now)), True
    if told.next_at <= now:
        return say("told.now"), False
    return say("told.next", time=_clock(told.next_at, say, now)), False


def _clock(at: int | None, say: Words, now: int) -> str:
    return "" if at is None else relative_time.clock(say, at, now)
