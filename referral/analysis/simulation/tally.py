"""Counts of simulated cases: numbers by word, never a case. Tallies of worlds are added up, so memory does not grow with cases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from referral.analysis.simulation.reactions import Live
from referral.analysis.simulation.world import Decided
from referral.domain import events as e
from referral.domain.durations import DAY_US, MINUTE_US

FINE = 8
"""Buckets of a time histogram between a time and its double (ours): a quantile is exact to within 9 %."""
MANY = 12
"""Largest number of tasks or offers of one case that is counted separately; larger ones are counted as this one."""
Key = tuple[str, str, str | int]
"""Measure, pathway (or municipality, service), and the word, number or bucket."""


class Tally(Struct):
    """Counts, by measure: `cases`, `raised`, `ended`, `nobody` (cases in which no agency ever accepted), `inputs`, `decisions`, `events`;
    `first` and `bed` (buckets of time since arrival), `place` (as first, by municipality), `rung` (on which an offer was accepted),
    `opened` (further procedures of a case), `declined`, `passed` (reasons), `desk` (tasks by what they are about), `tasks` and `asked`
    (cases by how many tasks and offers they had), `full` (µs without a free place, by service)."""

    counts: Counter[Key] = field(default_factory=Counter)

    def take(self, done: Decided) -> None:
        """Count one decision."""
        live, counts = done.live, self.counts
        counts["decisions", "", ""] += 1
        counts["events", "", ""] += len(done.events)
        for event in done.events:
            count = COUNTS.get(type(event))
            if count is not None:
                count(counts, live, event, done.at)
        if live.ended:
            self._ended(live)

    def _ended(self, live: Live) -> None:
        counts, pathway = self.counts, live.pathway
        counts["raised" if live.raised else "cases", pathway, ""] += 1
        counts["ended", pathway, live.ended] += 1
        counts["tasks", pathway, min(live.counts.get("tasks", 0), MANY)] += 1
        counts["asked", pathway, min(live.counts.get("asked", 0), MANY)] += 1
        counts["inputs", pathway, ""] += live.inputs
        if not live.first:
            counts["nobody", pathway, ""] += 1

    def beds(self, full: dict[str, int]) -> None:
        """Count how long services were full."""
        for service, micros in full.items():
            self.counts["full", service, ""] += micros

    def add(self, other: Tally) -> None:
        """Add the tally of another world."""
        self.counts.update(other.counts)

    def total(self, measure: str, pathway: str | None = None) -> int:
        """Return the sum of a measure."""
        return sum(n for (m, p, _), n in self.counts.items() if m == measure and pathway in (None, p))

    def words(self, measure: str, pathway: str | None = None) -> Counter[str | int]:
        """Return a measure by word, number or bucket."""
        found: Counter[str | int] = Counter()
        for (m, p, word), n in self.counts.items():
            if m == measure and pathway in (None, p):
                found[word] += n
        return found

    def of(self, measure: str) -> list[str]:
        """Return the pathways, municipalities or services for which a measure has numbers."""
        return sorted({p for (m, p, _), n in self.counts.items() if m == measure})

    def full(self, years: int) -> dict[str, float]:
        """Return days a year without a free place, by service, the fullest first."""
        days = {service: self.total("full", service) / DAY_US / years for service in self.of("full")}
        return dict(sorted(days.items(), key=lambda item: (-item[1], item[0])))


def bucket(micros: int) -> int:
    """Return the bucket of a length of time."""
    return int(FINE * math.log2(1 + max(micros, 0) / MINUTE_US))


def minutes(bucket: int) -> float:
    """Return the start of a bucket, in minutes."""
    return float(2 ** (bucket / FINE) - 1)


def quantile(buckets: Counter[str | int], share: float) -> float | None:
    """Return the minutes within which this share was reached; None where nothing was counted."""
    left = share * sum(buckets.values())
    for number in sorted(int(b) for b in buckets):
        left -= buckets[number]
        if left <= 0:
            return minutes(number + 1)
    return None


def _accepted(counts: Counter[Key], live: Live, event: Any, at: int) -> None:
    asked = live.offers.get(event.offer_id)
    if asked is None:
        return
    counts["rung", live.pathway, asked.rung] += 1
    if not live.first:
        live.first = at
        counts["first", live.pathway, bucket(at - live.at)] += 1
        if not live.raised:
            counts["place", live.place, bucket(at - live.at)] += 1
    if asked.opened.kind is e.OfferKind.PLACE and "ARRIVE" not in asked.opened.words:
        _bed(counts, live, at)


def _arrived(counts: Counter[Key], live: Live, event: Any, at: int) -> None:
    asked = live.offers.get(event.offer_id)
    if asked is not None and asked.opened.kind is e.OfferKind.PLACE:
        _bed(counts, live, at)


def _bed(counts: Counter[Key], live: Live, at: int) -> None:
    if not live.bed:
        live.bed = at
        counts["bed", live.pathway, bucket(at - live.at)] += 1


def _closed(counts: Counter[Key], live: Live, event: Any, at: int) -> None:
    if event.how in (e.How.DECLINED_BY_AGENCY, e.How.DECLINED_BY_PERSON) and event.why.rule != "other-accepted":
        counts["declined", live.pathway, event.reason] += 1


def _held(counts: Counter[Key], live: Live, event: Any, at: int) -> None:
    if event.due is None:
        counts["declined", live.pathway, event.reason] += 1


def _opened(counts: Counter[Key], live: Live, event: Any, at: int) -> None:
    live.again("asked")
    for passed in event.why.passed:
        counts["passed", live.pathway, passed.reason] += 1


def _track(counts: Counter[Key], live: Live, event: Any, at: int) -> None:
    if event.state is e.TrackState.OPENED and event.pathway != live.pathway:
        counts["opened", live.pathway, event.pathway] += 1


def _task(counts: Counter[Key], live: Live, event: Any, at: int) -> None:
    if event.why.rule != "repeated":
        live.again("tasks")
        counts["desk", live.pathway, event.about] += 1


COUNTS: dict[type, Callable[[Counter[Key], Live, Any, int], None]] = {
    e.OfferAccepted: _accepted,
    e.OfferArrived: _arrived,
    e.OfferClosed: _closed,
    e.OfferHeld: _held,
    e.OfferOpened: _opened,
    e.NeedsPerson: _task,
    e.TrackChanged: _track,
}
