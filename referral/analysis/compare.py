"""Compare the decisions of two policies about the same case, and collect the cases that go elsewhere, with examples.

Two decisions differ in kind: the case goes elsewhere, or only limits and words differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from referral.domain import events as e
from referral.domain.case import Case
from referral.domain.describe import describe, span

SAME = 0
SAID = 1
ELSEWHERE = 2
"""Results of a comparison: alike; the same agencies do the same, but other limits or words; the case goes elsewhere."""
NAMES = frozenset({"head", "why", "digest", "by", "claim", "offer_id", "task_id", "track_id", "referral_id", "new_case_id", "opened_by"})
"""Fields that identify an event or its origin, and carry no content to compare."""
WORDS = frozenset({"due", "due_what", "was_due", "shows", "words", "reasons", "needs", "skip", "ladder", "starts", "reach"})
"""Fields that change limits and the information for the recipient, not the agency or its act."""


@lru_cache(64)
def fields(kind: type[Struct]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return two lists of fields of an event type: those that decide where the case goes, and those that carry only limits and words."""
    all_ = [name for name in kind.__struct_fields__ if name not in NAMES]
    return tuple(n for n in all_ if n not in WORDS), tuple(n for n in all_ if n in WORDS)


def alike(before: Struct, after: Struct) -> int:
    """Compare two events; return SAME, SAID or ELSEWHERE."""
    if type(before) is not type(after):
        return ELSEWHERE
    goes, says = fields(type(before))
    if any(getattr(before, name) != getattr(after, name) for name in goes):
        return ELSEWHERE
    return SAID if any(getattr(before, name) != getattr(after, name) for name in says) else SAME


def parting(before: tuple[Struct, ...], after: tuple[Struct, ...]) -> tuple[int, int]:
    """Compare two decisions; return the result and the index of the first event that goes elsewhere (or the number of events)."""
    worst = SAME
    for index, (one, other) in enumerate(zip(before, after, strict=False)):
        worst = max(worst, alike(one, other))
        if worst == ELSEWHERE:
            return ELSEWHERE, index
    index = min(len(before), len(after))
    return (worst if len(before) == len(after) else ELSEWHERE), index


PLAIN = {
    e.OfferOpened: "asked",
    e.OfferEscalated: "woken higher up",
    e.OfferClosed: "offer ended",
    e.OfferAccepted: "accepted",
    e.NeedsPerson: "put to a desk",
    e.DeadlinePassed: "limit missed",
    e.CaseRaised: "complaint raised",
    e.StepOpened: "step begun",
    e.StepDone: "step over",
    e.TrackChanged: "procedure begun or ended",
    e.DecisionRecorded: "decided",
    e.InputIgnored: "without effect",
    e.CaseClosed: "case closed",
}
"""Short names of events, for the kinds of difference."""


def plain(event: Struct | None) -> str:
    """Return an event in a few words."""
    return "nothing" if event is None else PLAIN.get(type(event), type(event).__name__)


def kind(before: Any, after: Any) -> str:
    """Return the kind of difference between two events of the same moment. None: there is no further event."""
    if isinstance(before, e.OfferOpened) and isinstance(after, e.OfferOpened) and (before.step, before.seat) == (after.step, after.seat):
        return f"{before.step}: another agency asked" if before.service != after.service else f"{before.step}: asked otherwise"
    if type(before) is type(after) and getattr(before, "step", None):
        return f"{before.step}: {plain(before)} otherwise"
    one, other = _step(before), _step(after)
    return f"{one}{plain(before)} → {other if other != one else ''}{plain(after)}"


def _step(event: Any) -> str:
    step = getattr(event, "step", "")
    return f"{step}: " if step else ""


LISTED = 500
"""Names of cases that are kept (ours); the counts are complete."""
TOLD = 4
"""Decisions before the parting that an example shows (ours)."""
EXAMPLES = 3
"""Examples of each kind that are kept (ours)."""


class Moment(Struct, frozen=True, eq=False):
    """One decision about a case. at: µs UTC. case: after it."""

    at: int
    case: Case
    events: tuple[Any, ...]


class Side(Struct, frozen=True):
    """Result of one policy from the parting on.

    at: µs UTC, 0 where no event ever follows.
    lines: its events from there on, as text.
    rule: of the first of them.
    passed: the services that were passed over, each with the reason.
    """

    at: int = 0
    lines: tuple[str, ...] = ()
    rule: str = ""
    passed: tuple[str, ...] = ()


class Parted(Struct, frozen=True):
    """One case that goes elsewhere.

    arrived: µs UTC.
    alike: number of equal decisions before the parting.
    story: the last of them, as text.
    unused: recorded inputs after the parting, which are no evidence about the other policy.
    """

    name: str
    pathway: str
    place: str
    kind: str
    arrived: int
    alike: int
    before: Side
    after: Side
    story: tuple[str, ...] = ()
    unused: int = 0


class Differences(Struct):
    """All differences. elsewhere: cases by kind, pathway and municipality. said: cases in which only limits or words differ. names: the
    first LISTED."""

    elsewhere: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    said: int = 0
    names: list[str] = field(default_factory=list)
    examples: dict[str, list[Parted]] = field(default_factory=dict)

    def wants(self, kind: str) -> bool:
        """Return True when a further example of this kind would be kept."""
        return len(self.examples.get(kind, ())) < EXAMPLES

    def take(self, parted: Parted) -> None:
        """Add one case that goes elsewhere."""
        self.elsewhere[parted.kind, parted.pathway, parted.place] += 1
        self.names = [*self.names, parted.name][:LISTED]
        self.examples[parted.kind] = [*self.examples.get(parted.kind, []), parted][:EXAMPLES]

    def add(self, other: Differences) -> None:
        """Add the differences of another world."""
        self.elsewhere.update(other.elsewhere)
        self.said += other.said
        self.names = [*self.names, *other.names][:LISTED]
        for word, found in other.examples.items():
            self.examples[word] = [*self.examples.get(word, []), *found][:EXAMPLES]


def story(moments: Iterable[Moment], arrived: int) -> tuple[str, ...]:
    """Return the decisions before the parting as lines: the time since the arrival, and the event."""
    return tuple(f"+{span(m.at - arrived)}: {describe(m.case, event, m.at)}" for m in moments for event in m.events)


def part(before: Moment | None, after: Moment | None) -> tuple[str, Side, Side]:
    """Return the kind of difference, and both sides of it. None: no further event ever follows there."""
    if before is not None and after is not None and before.at == after.at:
        _, index = parting(before.events, after.events)
        one, other = _at(before, index), _at(after, index)
        return kind(one, other), side(before, index), side(after, index)
    first, last = (before, after) if after is None or (before is not None and before.at < after.at) else (after, before)
    assert first is not None
    text = plain(first.events[0])
    if isinstance(first.events[0], e.DeadlinePassed):
        text = f"{first.events[0].what} missed"
    if last is not None and type(first.events[0]) is type(last.events[0]):
        word = "later" if first is before else "sooner"
    else:
        word = "no more" if first is before else "new"
    return f"{text}: {word}", side(before, 0), side(after, 0)


def side(moment: Moment | None, index: int) -> Side:
    """Return one side, from its index-th event on."""
    if moment is None:
        return Side()
    events = moment.events[index:] or moment.events[-1:]
    lines = tuple(describe(moment.case, event, moment.at) for event in events)
    why: e.Why = events[0].why
    return Side(moment.at, lines, why.rule, tuple(f"{p.service} {p.reason}" for p in why.passed))


def _at(moment: Moment, index: int) -> Any:
    """Return the index-th event of a moment; None when there is none."""
    return moment.events[index] if index < len(moment.events) else None
