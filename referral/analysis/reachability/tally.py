"""Add up the results of all ways: times by pathway and municipality, and which steps and codes were reached. Tallies of several processes
add up."""

from __future__ import annotations

from msgspec import Struct, field

from referral.analysis.reachability.explore import SharedWays
from referral.analysis.reachability.walk import Way
from referral.analysis.reachability.world import START


class Row(Struct):
    """Totals of one pathway in one municipality. Times are the longest, µs after the referral; -1: never on any way.

    first: to the first acceptance, on all ways; calm_first: on ways on which no agency fails.
    bed, calm_bed: the same, to a place.
    desk: to a desk, on ways without an earlier acceptance.
    ways: number of ways on which an agency fails.
    desks: of these, the number on which a desk is asked.
    by_first, by_bed: which agency fails, and how, on the longest way.
    """

    calm_first: int = -1
    calm_bed: int = -1
    first: int = -1
    bed: int = -1
    desk: int = -1
    ways: int = 0
    desks: int = 0
    no_bed: int = 0
    """Ways on which a desk has to find the bed."""
    by_first: str = ""
    by_bed: str = ""

    def add(self, other: Row) -> None:
        """Add the totals of more ways."""
        if other.first > self.first:
            self.by_first = other.by_first
        if other.bed > self.bed:
            self.by_bed = other.by_bed
        for name in ("calm_first", "calm_bed", "first", "bed", "desk"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        for name in ("ways", "desks", "no_bed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Tally(Struct):
    """All totals. rows: by pathway and municipality. opened, decided: by pathway, the steps that begin and the codes that are decided on
    any way.

    ways: of all kinds of cases. walked: of these, how many were walked: the others are the same as one of them.
    decisions, offers: of the ways that were walked.
    """

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    opened: dict[str, set[str]] = field(default_factory=dict)
    decided: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    kinds: int = 0
    ways: int = 0
    walked: int = 0
    decisions: int = 0
    offers: int = 0
    excluded: int = 0
    """Ways on which an agency is excluded."""

    def take(self, shared: SharedWays) -> None:
        """Count ways that are the same in some kinds of cases."""
        row, pathway = Row(), shared.example.pathway
        opened = self.opened.setdefault(pathway, set())
        decided = self.decided.setdefault(pathway, set())
        for way in shared.ways:
            opened |= way.opened
            decided |= way.decided
            self.walked += 1
            self.decisions += way.steps
            self.offers += way.offers
            self.excluded += bool(way.given.excluded)
            _count(row, way, shared.bed)
        self.ways += len(shared.ways) * len(shared.kinds)
        self.kinds += len(shared.kinds) * shared.begins
        for kind in shared.kinds:
            for place in kind.places:
                self.rows.setdefault((pathway, place), Row()).add(row)

    def add(self, other: Tally) -> None:
        """Add the tally of another process."""
        for key, row in other.rows.items():
            self.rows.setdefault(key, Row()).add(row)
        for pathway, steps in other.opened.items():
            self.opened.setdefault(pathway, set()).update(steps)
        for pathway, codes in other.decided.items():
            self.decided.setdefault(pathway, set()).update(codes)
        for name in ("kinds", "ways", "walked", "decisions", "offers", "excluded"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def _count(row: Row, way: Way, beds: bool) -> None:
    if not way.failing and way.given.start != START:
        return  # the length of a weekend is no property of the procedure
    if not way.failing:
        row.calm_first, row.calm_bed = max(row.calm_first, way.first), max(row.calm_bed, way.bed)
    else:
        row.ways += 1
        row.desks += way.desk >= 0
        row.no_bed += beds and way.bed < 0 and way.desk >= 0
    if way.first > row.first:
        row.first, row.by_first = way.first, who(way)
    if way.bed > row.bed:
        row.bed, row.by_bed = way.bed, who(way)
    if way.first < 0 or 0 <= way.desk < way.first:
        row.desk = max(row.desk, way.desk)


def who(way: Way) -> str:
    """Return the agency that fails on a way, named by its step: municipalities of one class have other agencies in the same places."""
    failures = [f"{step}: {fault.value}" if step else "an agency is excluded" for _, step, fault in way.failing]
    return ", then ".join(failures)
