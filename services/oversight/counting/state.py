"""What is kept of a case while its events are folded: little, because there may be very many."""

from __future__ import annotations

from array import array
from sys import intern

from referral.domain import events as e

NEVER = 0
"""In place of a time."""


class Run:
    """One case on one procedure. facts, times: what is so, and since when. timed: whether the clock told when it began."""

    __slots__ = ("age_band", "began_at", "case", "facts", "municipality", "pathway", "sex", "timed", "times")

    def __init__(self, case: Case, pathway: str, at: int) -> None:
        self.case, self.pathway, self.began_at, self.timed = case, intern(pathway), at, not case.back
        self.municipality, self.sex, self.age_band = case.traits
        self.facts: list[str] = []
        self.times = array("q")

    def so(self, fact: str, at: int) -> None:
        """It is so from this time on, if not from an earlier one."""
        if fact not in self.facts:
            self.facts.append(intern(fact))
            self.times.append(at)
        elif at < self.times[here := self.facts.index(fact)]:
            self.times[here] = at

    def waited(self, what: str, at: int) -> None:
        """So long it waited for this; a clock that was set back cannot tell."""
        if not self.case.back:
            self.so(f"wait:{what}", at)


class Offer:
    """An offer that can still matter. stay: its number among the places that the case has held; -1 where it is about none."""

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
        """Whether the place was held just before this moment."""
        return self.since < at and (self.until == NEVER or at <= self.until)

    def meets(self, first: int, last: int) -> bool:
        """Whether it can hold at a moment from first to last."""
        return self.since < last and (self.until == NEVER or first <= self.until)


class Case:
    """tracks, offers: by id, while they can matter. joined, withdrawn: when it was first so. raised: cases about the same child.

    since: the latest time that routing wrote into it so far. back: whether its last record by routing says an earlier one.
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
