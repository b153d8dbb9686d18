"""Hold the state of a case while its events are projected: small, because there may be very many cases."""

from __future__ import annotations

from array import array
from sys import intern

from referral.domain import events as e

NEVER = 0
"""Placeholder for a missing time."""


class Run:
    """One case on one procedure. facts, times: facts and since when they are true. timed: whether the begin has a reliable time."""

    __slots__ = ("age_band", "began_at", "case", "facts", "municipality", "pathway", "sex", "timed", "times")

    def __init__(self, case: Case, pathway: str, at: int) -> None:
        self.case, self.pathway, self.began_at, self.timed = case, intern(pathway), at, not case.back
        self.municipality, self.sex, self.age_band = case.traits
        self.facts: list[str] = []
        self.times = array("q")

    def so(self, fact: str, at: int) -> None:
        """Record a fact from this time on; keep an earlier time."""
        if fact not in self.facts:
            self.facts.append(intern(fact))
            self.times.append(at)
        elif at < self.times[here := self.facts.index(fact)]:
            self.times[here] = at

    def forget(self, fact: str, at: int) -> None:
        """Remove a fact that became true at this time, and at no earlier one."""
        if fact in self.facts and self.times[here := self.facts.index(fact)] == at:
            del self.facts[here]
            del self.times[here]

    def waited(self, what: str, at: int) -> None:
        """Record the end of a wait, unless the clock was set back."""
        if not self.case.back:
            self.so(f"wait:{what}", at)


class Offer:
    """An offer that can still matter. stay: index of its place among the case's stays; -1 if it needs no place."""

    __slots__ = ("agency", "answered", "arrives", "beds", "notice", "run", "stay")

    def __init__(self, run: Run, body: e.OfferOpened) -> None:
        self.run, self.agency, self.answered, self.stay = run, intern(body.agency), False, -1
        self.notice, self.beds = body.kind is e.OfferKind.NOTIFY, body.kind is e.OfferKind.PLACE
        self.arrives = "ARRIVE" in body.words


class Stay:
    """A place that is held: since when, and until when."""

    __slots__ = ("service", "since", "until")

    def __init__(self, service: str, since: int) -> None:
        self.service, self.since, self.until = intern(service), since, NEVER

    def holds(self, at: int) -> bool:
        """Return whether the place was held just before this instant."""
        return self.since < at and (self.until == NEVER or at <= self.until)

    def meets(self, first: int, last: int) -> bool:
        """Return whether the place may be held at some instant from first to last."""
        return self.since < last and (self.until == NEVER or first <= self.until)


class Case:
    """State of one case.

    tracks, offers: by id, while they can matter. joined, withdrawn: when first so. raised: cases about the same child.
    since: the latest time of routing's records so far. back: whether routing's last record has an earlier time.
    """

    __slots__ = ("back", "id", "joined", "offers", "raised", "runs", "since", "stays", "tracks", "traits", "withdrawn")

    def __init__(self, id: str) -> None:
        self.id, self.since, self.back, self.joined, self.withdrawn = id, NEVER, False, NEVER, NEVER
        self.traits = ("", "", "")
        self.runs: tuple[Run, ...] = ()
        self.raised: tuple[str, ...] = ()
        self.stays: tuple[Stay, ...] = ()
        self.tracks: dict[str, Run] | None = None
        self.offers: dict[str, Offer] | None = None
