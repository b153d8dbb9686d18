"""Recompute the figures of oversight directly: visit every event of every case once for each measure. Slow and obvious by design.

It shares no code with oversight. docs/decisions/0018-measures.md defines each measure; this file follows it line by line.
The small counts that it computes are confidential and must not be published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct, field, structs

from referral.domain import events as e
from referral.domain.local_time import LOCAL
from referral.domain.policy import Policy

FOLLOW_UP = timedelta(days=30)
EARLIEST, LATEST = (int(datetime(year, 1, 1, tzinfo=LOCAL).timestamp()) * 1_000_000 for year in (2000, 2100))
AHEAD = 365 * 86_400_000_000
"""Limit in µs before the first policy. A child that began earlier is outside every period."""
DECLINED = (e.How.DECLINED_BY_AGENCY, e.How.DECLINED_BY_PERSON)
ANSWERED = (e.OfferAcknowledged, e.OfferAccepted, e.OfferArrived, e.OfferHeld)
STAGES = ("acknowledged", "accepted", "arrived", "completed", "ended")
WAITS = ("acknowledged", "accepted", "bed", "interview", "plan")
Figures = dict[tuple[str, str], int]
"""(measure, group) → the figure, small ones included. A wait has the groups `count`, `half` and `most`."""


class CaseEvent(Struct, frozen=True):
    """One decrypted event of a case, without drills and duplicates. topic: without prefix. at: recorded_at, µs UTC.

    set_back: routing had recorded a later time in this case before, and `at` is that later time (set by `in_order`).
    """

    case_id: str
    topic: str
    seq: int
    at: int
    body: Any
    set_back: bool = False

    def __repr__(self) -> str:
        return f"CaseEvent({self.case_id} {self.topic} {self.seq})"


class Child(Struct):
    """One child on one procedure. first: fact → the first time at which it was true. timed: no clock was set back when it began."""

    pathway: str
    began: int
    case_id: str
    traits: e.Traits
    timed: bool
    first: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Child({self.case_id} {self.pathway})"

    def by(self, fact: str, close: int) -> bool:
        """Return True if the fact was true before this moment."""
        return fact in self.first and self.first[fact] < close


def in_order(events: Iterable[CaseEvent], erased: frozenset[str]) -> Iterator[CaseEvent]:
    """Yield the events in order, without erased cases and times outside every period. Routing's times are made monotonic per case."""
    latest = dict[str, int]()
    for event in sorted(events, key=lambda event: (event.case_id, event.topic, event.seq)):
        if event.case_id in erased or not EARLIEST <= event.at < LATEST:
            continue
        before = latest.get(event.case_id, 0) if event.topic == "referral-routing" else 0
        if event.topic == "referral-routing":
            latest[event.case_id] = max(event.at, before)
        yield structs.replace(event, at=before, set_back=True) if event.at < before else event


def children(events: Iterable[CaseEvent], erased: frozenset[str], first_policy: int) -> list[Child]:
    """Return every child on every procedure, without erased cases. first_policy: when the first bundle came into force, µs UTC."""
    cases: dict[str, list[CaseEvent]] = {}
    for event in in_order(events, erased):
        cases.setdefault(event.case_id, []).append(event)
    raiser = {
        event.body.new_case_id: case_id for case_id, of_case in cases.items() for event in of_case if isinstance(event.body, e.CaseRaised)
    }
    by_root: dict[tuple[str, str], Child] = {}
    began = [child for case_id, of_case in cases.items() for child in _of_case(case_id, of_case)]
    for child in sorted(began, key=lambda c: (c.began, c.case_id)):
        root, seen = child.case_id, set[str]()
        while root in raiser and root not in seen:  # in a circle, which no honest routing makes, any of it will do
            seen.add(root)
            root = raiser[root]
        known = by_root.setdefault((root, child.pathway), child)
        for fact, at in child.first.items():
            known.first[fact] = min(at, known.first.get(fact, at))
    return [child for child in by_root.values() if child.began >= first_policy - AHEAD]


def _of_case(case_id: str, events: list[CaseEvent]) -> Iterator[Child]:
    """Yield the procedures of one case."""
    routing = sorted((event for event in events if event.topic == "referral-routing"), key=lambda event: event.seq)
    traits, on = None, dict[str, Child]()
    for event in routing:
        if isinstance(event.body, e.CaseOpened | e.CaseChanged):
            traits = event.body.traits
        if isinstance(event.body, e.TrackChanged) and event.body.state is e.TrackState.OPENED and event.body.pathway not in on:
            on[event.body.pathway] = Child(event.body.pathway, event.at, case_id, traits or _nothing(), timed=not event.set_back)
    pathway = {event.body.track_id: event.body.pathway for event in routing if _opens(event.body)}
    offers = {event.body.offer_id: event for event in routing if isinstance(event.body, e.OfferOpened)}
    undone = {(event.body.track_id, event.body.step, event.body.done_at) for event in routing if isinstance(event.body, e.OfferReopened)}
    for event in routing:
        if isinstance(event.body, e.StepDone) and (event.body.track_id, event.body.step, event.at) in undone:
            continue  # the answer that finished the step was taken back
        offer = offers.get(getattr(event.body, "offer_id", None) or "")
        track = getattr(event.body, "track_id", None) or (offer.body.track_id if offer else None)
        if track in pathway:
            for fact in _facts(event, offer, routing):
                if event.set_back and fact.startswith("wait:"):
                    continue
                _first(on[pathway[track]], fact, event.at)
    whole = [(fact, event.at) for event in events for fact in _of_whole(event.body)]
    for child in on.values():
        for fact, at in whole:
            _first(child, fact, at)
        yield child


def _opens(body: Any) -> bool:
    return isinstance(body, e.TrackChanged) and body.state is e.TrackState.OPENED


def _nothing() -> e.Traits:
    words: dict[str, Any] = dict.fromkeys(("concern", "age", "age_band", "sex", "found_in", "home", "urgency", "origin", "asylum"), "")
    return e.Traits(**words, languages=(), flags=(), times=())


def _first(child: Child, fact: str, at: int) -> None:
    child.first[fact] = min(at, child.first.get(fact, at))


def _facts(event: CaseEvent, opened: CaseEvent | None, routing: Sequence[CaseEvent]) -> Iterator[str]:
    """Yield the facts that an event states about its procedure. opened: the opening of its offer, where it names one."""
    body = event.body
    if isinstance(body, e.StepDone) and body.step in ("interview", "plan") and body.outcome == "done":
        yield f"wait:{body.step}"
    if isinstance(body, e.TrackChanged) and body.state in (e.TrackState.ENDED, e.TrackState.SWITCHED):
        done = body.state is e.TrackState.ENDED and body.outcome == "done"
        yield "stage:completed" if done else "stage:ended"
    if isinstance(body, e.OfferOpened | e.OfferEscalated) and body.rung > 0 and opened is not None:
        yield f"rung:{body.rung}"
    if opened is None:
        return
    offer: e.OfferOpened = opened.body
    if isinstance(body, e.OfferAcknowledged | e.OfferAccepted) and offer.kind is not e.OfferKind.NOTIFY:
        yield from ("stage:acknowledged", "wait:acknowledged")
    if isinstance(body, e.OfferAccepted):
        yield from ("stage:accepted", "wait:accepted")
        if offer.kind is e.OfferKind.PLACE and "ARRIVE" not in offer.words:
            yield "wait:bed"
    if isinstance(body, e.OfferArrived):
        yield "stage:arrived"
        if offer.kind is e.OfferKind.PLACE:
            yield "wait:bed"
    declines = (isinstance(body, e.OfferClosed) and body.how in DECLINED) or (isinstance(body, e.OfferHeld) and body.due is None)
    if declines and body.reason:
        yield f"declined:{body.reason}"
    if isinstance(body, e.DeadlinePassed):
        if body.why.rule not in ("not-called", "not-told"):  # the agency had not been notified
            yield f"late:{offer.agency}"
        before = (other for other in routing if other.seq < event.seq and isinstance(other.body, ANSWERED))
        if not any(other.body.offer_id == offer.offer_id for other in before):
            yield "unanswered"


def _of_whole(body: Any) -> Iterator[str]:
    """Yield the facts that an event states about its whole case."""
    if isinstance(body, e.CaseLinked) and body.how == "same-person":
        yield "duplicate"
    if isinstance(body, e.ReferralWithdrawn) or (isinstance(body, e.ConsentChanged) and body.consent.state is e.ConsentState.WITHDRAWN):
        yield "withdrawn"


def tables(cohort: Sequence[Child], policy: Policy, close: int) -> Figures:
    """Return every figure about these children, as of the moment `close`."""
    figures: Figures = {("children", "all"): len(cohort)}
    for measure in ("municipality", "sex-age", "stage", "rung"):
        figures[measure, "all"] = len(cohort)
    regions = sorted({f"region:{place.region}" for place in policy.municipalities.values()})
    figures |= {("municipality", place): 0 for place in (*policy.municipalities, "unknown", *regions)}
    sexes, bands = {*policy.codes["sex"], "unknown"}, {*policy.codes["age-band"], "unknown"}
    figures |= {("sex-age", group): 0 for sex in sexes for band in bands for group in _sex_age(sex, band, sexes & bands)}
    figures |= {("stage", stage): 0 for stage in ("begun", *STAGES)} | {("rung", rung): 0 for rung in ("0", "1", "2", "3+")}
    for child in cohort:
        place = child.traits.found_in if child.traits.found_in in policy.municipalities else "unknown"
        figures["municipality", place] += 1
        if place != "unknown":
            figures["municipality", f"region:{policy.municipalities[place].region}"] += 1
        sex = child.traits.sex if child.traits.sex in sexes else "unknown"
        band = child.traits.age_band if child.traits.age_band in bands else "unknown"
        for group in _sex_age(sex, band, sexes & bands):
            figures["sex-age", group] += 1
        figures["stage", next((s for s in reversed(STAGES) if child.by(f"stage:{s}", close)), "begun")] += 1
        rungs = [int(fact.removeprefix("rung:")) for fact in child.first if fact.startswith("rung:") and child.by(fact, close)]
        highest = max(rungs, default=0)
        figures["rung", str(highest) if highest < 3 else "3+"] += 1
    facts = [f"declined:{reason}" for reason in policy.codes["reason"]] + [f"late:{agency}" for agency in policy.agencies]
    for fact in (*facts, "unanswered", "duplicate", "withdrawn"):
        yes = sum(child.by(fact, close) for child in cohort)
        measure = fact.replace(":", ".", 1)
        figures |= {(measure, "yes"): yes, (measure, "no"): len(cohort) - yes, (measure, "all"): len(cohort)}
    for what in WAITS:
        waiting = [child for child in cohort if child.timed and child.by(f"wait:{what}", close)]
        waited = sorted((child.first[f"wait:{what}"] - child.began) // 60_000_000 for child in waiting)
        figures[f"wait.{what}", "count"] = len(waited)
        if waited:
            figures[f"wait.{what}", "half"] = rounded(waited[-(-50 * len(waited) // 100) - 1])
            figures[f"wait.{what}", "most"] = rounded(waited[-(-90 * len(waited) // 100) - 1])
    return figures


def _sex_age(sex: str, band: str, both: set[str]) -> tuple[str, str, str]:
    """Return the groups that a child belongs to. both: codes that exist as a sex and as an age band."""
    return f"sex:{sex}" if sex in both else sex, f"age:{band}" if band in both else band, f"{sex}/{band}"


def rounded(minutes: int) -> int:
    """Round to two significant digits, half up."""
    unit: int = 10 ** max(len(str(minutes)) - 2, 0)
    return (minutes + unit // 2) // unit * unit


def full(events: Iterable[CaseEvent], erased: frozenset[str], policy: Policy, month: str) -> dict[str, int]:
    """Return, for each role that has places, the days of the month at whose end none of its places was free."""
    offers: dict[str, e.OfferOpened] = {}
    changes: list[tuple[int, str, int, str, bool]] = []
    for event in in_order(events, erased):
        if event.topic != "referral-routing":
            continue
        if isinstance(event.body, e.OfferOpened) and event.body.kind is e.OfferKind.PLACE:
            offers[event.body.offer_id] = event.body
        if isinstance(event.body, e.OfferOpened | e.OfferAccepted | e.OfferClosed):
            changes.append((event.at, event.case_id, event.seq, event.body.offer_id, not isinstance(event.body, e.OfferClosed)))
    changes.sort()
    capacity = places(policy)
    days = dict.fromkeys(sorted(capacity), 0)
    for midnight in _midnights(month):
        held = {offer: held for at, _, _, offer, held in changes if at < midnight}
        taken = Counter[str]()
        for id, is_held in held.items():
            bed = policy.services.get(offers[id].service) if is_held and id in offers else None
            for role in bed.roles if bed is not None and bed.places is not None else ():
                taken[role] += 1
        for role in days:
            days[role] += taken[role] >= capacity[role]
    return days


def places(policy: Policy) -> Counter[str]:
    """Return, for each role, the places in the whole country, over the services that state a number of places."""
    totals = Counter[str]()
    for service in policy.services.values():
        for role in service.roles if service.places is not None else ():
            totals[role] += service.places or 0
    return totals


def _midnights(month: str) -> Iterator[int]:
    day = date(int(month[:4]), int(month[5:]), 2)
    while True:
        yield _micros(datetime(day.year, day.month, day.day, tzinfo=LOCAL))
        if day.day == 1:
            return
        day += timedelta(days=1)


def month_of(at: int) -> str:
    """Return the month of a moment in Kosovo's time. at: µs UTC."""
    return datetime.fromtimestamp(at // 1_000_000, LOCAL).strftime("%Y-%m")


def next_month(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def close_of(month: str) -> int:
    """Return the moment at which a month closes, µs UTC."""
    after = next_month(month)
    return _micros(datetime(int(after[:4]), int(after[5:]), 1, tzinfo=LOCAL)) + int(FOLLOW_UP.total_seconds()) * 1_000_000


def _micros(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


def during(cohort: Iterable[Child], pathway: str, first: str, last: str) -> list[Child]:
    """Return the children who began on a procedure in these months."""
    return [child for child in cohort if child.pathway == pathway and first <= month_of(child.began) <= last]
