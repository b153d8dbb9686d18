"""An inbox with many cases: the line on top, and the filters. Pure: rows, names and now in; template values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from referral.runtime.i18n import Name, Words
from services.intake.model import Offer, Task
from services.intake.pages import relative_time
from services.intake.pages.labels import URGENCIES

FEW = 5
"""Cases of a group that have a card; each further one has one line (ours): five cards are what a phone shows in two screens."""
ALL, LATE, MINE = "", "late", "mine"


@dataclass(frozen=True, slots=True)
class Filter:
    """The reader's choice of what to see. show: ALL, LATE or MINE. step: of one step only; empty: of all."""

    show: str = ALL
    step: str = ""

    def __bool__(self) -> bool:
        return bool(self.show or self.step)


@dataclass(frozen=True, slots=True)
class Choices:
    """The filter form. shows, steps: (value, name, chosen)."""

    shows: tuple[tuple[str, str, bool], ...]
    steps: tuple[tuple[str, str, bool], ...]


def wanted(query: Mapping[str, str]) -> Filter:
    """Return the filter in an address; a word that we do not know filters nothing."""
    show, step = query.get("show", ""), query.get("step", "")
    return Filter(show if show in (LATE, MINE) else ALL, step[:100])


def offers(rows: Iterable[Offer], want: Filter, who: Mapping[str, str], login: str, now: int) -> list[Offer]:
    """Return the offers that the reader wants to see. who: offer id → login of the colleague who has it."""

    def matches(offer: Offer) -> bool:
        late = offer.closed_at is None and offer.due is not None and offer.due <= now
        shown = {LATE: late, MINE: who.get(offer.offer_id) == login}.get(want.show, True)
        return shown and want.step in ("", offer.step)

    return [offer for offer in rows if matches(offer)]


def tasks(rows: Iterable[Task], want: Filter) -> list[Task]:
    """Return the desk's tasks that the reader wants to see: they belong to nobody, and have no limit of their own."""
    return [task for task in rows if not want.show and want.step in ("", task.step)]


def choices(rows: Iterable[Offer | Task], want: Filter, say: Words, name: Name) -> Choices:
    """Return the filters that make sense for these rows."""
    steps = sorted({row.step for row in rows if row.step} | ({want.step} - {""}))
    named = sorted(((step, name("step", step)) for step in steps), key=lambda pair: pair[1].casefold())
    return Choices(
        shows=tuple((show, say(f"many.{show or 'all'}"), show == want.show) for show in (ALL, LATE, MINE)),
        steps=(("", say("many.steps"), not want.step), *((step, label, step == want.step) for step, label in named)),
    )


def line(waiting: Sequence[Offer | Task], say: Words, now: int) -> str:
    """Return the line on top of the inbox: how many wait, how many are late or emergencies, and the next limit; empty for none.

    waiting: what waits for somebody: offers without an answer, calls and tasks.
    """
    if not waiting:
        return ""
    dues = [row.due for row in waiting if isinstance(row, Offer) and row.due is not None]
    late, ahead = sum(due <= now for due in dues), [due for due in dues if due > now]
    urgent = sum(isinstance(row, Offer) and row.urgency == URGENCIES[0] for row in waiting)
    parts = (
        say("many.wait", count=len(waiting)),
        say("many.overdue", count=late) if late else "",
        say("many.emergencies", count=urgent) if urgent else "",
        say("many.next", time=relative_time.clock(say, min(ahead), now)) if ahead else "",
    )
    return " · ".join(part for part in parts if part)
