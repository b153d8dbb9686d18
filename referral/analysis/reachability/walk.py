"""Follow one way from the referral to its end, and collect its forks: another code decided, or an agency that fails from a step on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import Struct, structs

from referral.analysis.reachability.agents import Fault, faults
from referral.analysis.reachability.invariants import wrongs
from referral.analysis.reachability.state_key import View, view
from referral.analysis.reachability.world import Decided, Given, World
from referral.domain import events as e
from referral.domain.case import Case, open_offers, seats
from referral.domain.policy.limits import DAY
from referral.domain.policy.procedure import Pathway
from referral.domain.rules.telephone import CALLS

INPUTS = 400
"""A way with more inputs goes round in a circle (ours; the longest of the shipped procedures has some 60)."""
HORIZON = 1_000 * DAY
"""A way that is not over by then is not waited for any longer (ours): reviews have repeated for years."""


class Fork(NamedTuple):
    """Where a way parts: the world as it stands, and what is new there. step, agency: of the offer. fault None: code is decided."""

    world: World
    step: str
    agency: str
    fault: Fault | None
    code: str
    parent: Way
    known: Way
    """What had come about before it."""
    at: int
    """After how many decisions of its parent."""


class Asks(NamedTuple):
    """Agencies that are asked: because the order names them, and because they hold a seat."""

    ordered: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()

    def add(self, other: Asks) -> Asks:
        """Both."""
        return Asks(self.ordered | other.ordered, self.held | other.held)

    def concern(self, agencies: frozenset[str], case: Case) -> bool:
        """Whether any of these agencies would be asked, as the case stands: a seat that it does not hold is asked of another."""
        if agencies & self.ordered:
            return True
        holding = agencies & self.held
        return bool(holding) and any(seat.offer is not None and seat.offer.agency in holding for _, _, _, seat in seats(case))


class Way(Struct, eq=False):
    """What one way came to. first, bed, desk: µs after the referral; -1: never. about: what the desk was asked first, and for which step.

    opened: steps that began. decided: (step, code). asked: (agency, step). end: how it ended. parent: the way that it failed from.
    late: limits that passed, by step. closed: steps for which a desk is asked while an office is closed.
    merged: it goes on as its parent (or the parent of that) does from there on. views: how it stood after so many decisions; asks: who is
    asked after them.
    """

    given: Given
    parent: Way | None = None
    failing: tuple[tuple[str, str, Fault], ...] = ()
    first: int = -1
    bed: int = -1
    desk: int = -1
    tasks: dict[tuple[str, str, int], int] = {}
    opened: set[str] = set()
    decided: set[tuple[str, str]] = set()
    asked: set[tuple[str, str]] = set()
    late: list[tuple[str, str]] = []
    closed: set[str] = set()
    wrong: list[str] = []
    offers: int = 0
    steps: int = 0
    end: str = ""
    merged: tuple[Way, int] | None = None
    last: Decided | None = None
    views: dict[View, int] = {}
    asks: list[Asks] = []

    @property
    def agencies(self) -> frozenset[str]:
        """Agencies that fail."""
        return frozenset(agency for agency, _, _ in self.failing)

    @property
    def parents(self) -> Iterator[Way]:
        """Ways on which fewer agencies fail, the nearest first."""
        way = self.parent
        while way is not None:
            yield way
            way = way.parent

    @property
    def everybody(self) -> frozenset[str]:
        """Agencies that are asked on it, to its very end."""
        later = self.merged[0].asks[self.merged[1]] if self.merged else Asks()
        return later.ordered | later.held | {agency for agency, _ in self.asked}


class Walker:
    """Goes ways of one pathway. forks: those found on the way that is gone now."""

    def __init__(self, pathway: Pathway) -> None:
        self.pathway = pathway
        self.forks: list[Fork] = []
        self._at = 0

    def go(self, world: World, way: Way, *, branches: bool) -> Way:
        """To its end, or to where it is known how it goes on. branches: collect forks, and what is asked after every view."""
        held: list[Asks] = []
        before_it = world.steps
        done = world.begin() if world.case is None else None
        before: Case | None = None
        while True:
            if done is not None:
                self._at = len(held) + 1
                held.append(self._note(world, way, done, before, branches))
                if self._ends(world, way):
                    break
                if branches:
                    way.views.setdefault(view(done.case, world.policy), len(held))
            if world.steps >= INPUTS or world.now > way.given.start + HORIZON:
                way.end = "endless"
                break
            before = world.case
            body = world.next()
            if body is None:
                way.end = "stands"
                break
            done = world.decide(body)
        way.last, way.steps = world.last, world.steps - before_it
        if branches:
            later = way.merged[0].asks[way.merged[1]] if way.merged else Asks()
            way.asks = [later]
            for one in reversed(held):
                later = later.add(one)
                way.asks.append(later)
            way.asks.reverse()
        return way

    def _note(self, world: World, way: Way, done: Decided, before: Case | None, branches: bool) -> Asks:
        """Take down what a decision says, and whom it asks."""
        since = done.now - way.given.start
        own = next((track.track_id for track in done.case.tracks if track.pathway == self.pathway.id), "")
        asked: tuple[set[str], set[str]] = set(), set()
        for event in done.events:
            kind = type(event)
            if kind is e.OfferOpened:
                way.offers += 1
                way.wrong += wrongs(before, done.case, event, done.now, world.policy)
                asked[self._takes(event, own, way, branches, world)].add(event.agency)
            elif kind is e.OfferAccepted or kind is e.OfferArrived:
                self._reached(world, way, event, own, since, kind is e.OfferArrived)
            elif kind is e.NeedsPerson and event.about not in CALLS:
                if event.track_id in (None, own):
                    way.tasks.setdefault((event.about, event.step, event.seat), since)
                if any(passed.reason == "CLOSED" for passed in event.why.passed):
                    way.closed.add(event.step)
                if way.desk < 0:
                    way.desk = since
            elif kind is e.StepOpened and event.track_id == own:
                way.opened.add(event.step)
            elif kind is e.DecisionRecorded and event.track_id == own:
                way.decided.add((event.step, event.code))
            elif kind is e.DeadlinePassed:
                opened = world.asked.get(event.offer_id)
                way.late.append((opened[0].step if opened else "", event.what))
        return Asks(frozenset(asked[0]), frozenset(asked[1]))

    def _takes(self, event: e.OfferOpened, own: str, way: Way, branches: bool, world: World) -> bool:
        """Take down an offer, with its forks. Whether the agency was asked because it holds a seat."""
        step = self.pathway.step(event.step) if event.track_id == own else None
        if step is None:
            return False
        way.asked.add((event.agency, event.step))
        if branches:
            for fault in faults(event, "acknowledge" in step.limits):
                self.forks.append(Fork(self._forked(world, event, fault), event.step, event.agency, fault, "", way, _known(way), self._at))
            if event.kind is e.OfferKind.DECIDE and event.round == 0 and event.seat == 0:
                for code in step.codes:
                    if code != way.given.codes.get(step.id, step.codes[0]):
                        given = structs.replace(way.given, codes={**way.given.codes, step.id: code})
                        self.forks.append(Fork(world.fork(given), event.step, "", None, code, way, _known(way), self._at))
        return step.seats[event.seat].holder is not None

    def _forked(self, world: World, event: e.OfferOpened, fault: Fault) -> World:
        """The world at this offer, whose agency fails from now on; one that is full is so from the first, as it is not even asked."""
        given = structs.replace(world.given, faults={**world.given.faults, event.agency: fault})
        if fault is Fault.FULL:
            return World(world.policy, given)
        other = world.fork(given)
        other.fails(event.offer_id, event, fault)
        return other

    def _reached(self, world: World, way: Way, event: Any, own: str, since: int, arrived: bool) -> None:
        opened = world.asked[event.offer_id][0]
        if opened.track_id != own:
            return
        if way.first < 0:
            way.first = since
        step = self.pathway.step(opened.step)
        if way.bed < 0 and step is not None and opened.kind is e.OfferKind.PLACE and (arrived or step.there == "ACCEPTED"):
            way.bed = since

    def _ends(self, world: World, way: Way) -> bool:
        case = world.case
        assert case is not None
        own = next((track for track in case.tracks if track.pathway == self.pathway.id), None)
        if case.closed or (own is not None and own.outcome):
            way.end = "ended" if own is None else own.outcome
            return True
        calm = next((parent for parent in way.parents if parent.parent is None), None)
        if calm is None or (calm.first >= 0 > way.first) or (calm.bed >= 0 > way.bed):
            return False
        if way.desk >= 0 and way.tasks.keys() - calm.tasks.keys():
            way.end = "desk"
            return True
        if any(world.asked[offer.offer_id][1] is not None for offer in open_offers(case)):
            return False  # somebody who fails still has the case
        now = view(case, world.policy)
        for parent in way.parents:
            index = parent.views.get(now)
            if index is not None and not parent.asks[index].concern(way.agencies - parent.agencies, case):
                way.end, way.merged = parent.end, (parent, index)
                return True
        return False


def inputs(last: Decided | None) -> Iterator[Decided]:
    """The decisions of a way, the first of them first."""
    found = []
    while last is not None:
        found.append(last)
        last = last.earlier
    yield from reversed(found)


def begun(fork: Fork) -> Way:
    """A way that has just forked: what was reached before is reached on it too, unless it begins anew."""
    given, known = fork.world.given, fork.known
    way = Way(given, None if fork.fault is None else fork.parent, failing=failing(fork.parent, fork))
    if fork.world.case is not None:
        way.first, way.bed, way.desk = known.first, known.bed, known.desk
        way.tasks, way.closed = dict(known.tasks), set(known.closed)
    return way


def _known(way: Way) -> Way:
    return Way(way.given, first=way.first, bed=way.bed, desk=way.desk, tasks=dict(way.tasks), closed=set(way.closed))


def failing(way: Way, fork: Fork) -> tuple[tuple[str, str, Fault], ...]:
    """Who fails after a fork, from which step on, and how."""
    return way.failing if fork.fault is None else (*way.failing, (fork.agency, fork.step, fork.fault))
