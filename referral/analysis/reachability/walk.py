"""Follow one way from the referral to its end, and collect its forks: another code decided, or an agency that fails from a step on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct, structs

from referral.analysis.reachability.state_key import View, Views
from referral.analysis.reachability.watched import Facet, Wanted, read, read_closely, read_until_now
from referral.analysis.reachability.world import Decided, Fault, Given, World, faults
from referral.domain import events as e
from referral.domain.case import Case, open_offers, seats
from referral.domain.durations import DAY_US
from referral.domain.events import OfferOpened
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Marks, Pathway, Step
from referral.domain.rules.conditions import case_marks, secure_allowed, track_marks
from referral.domain.rules.context import COMPLAINTS, UNCONFIRMED
from referral.domain.rules.telephone import CALLS

INPUTS = 400
"""Inputs of a way, after which it counts as endless (ours; the longest of the shipped procedures has some 60)."""
HORIZON = 1_000 * DAY_US
"""Length of a way, after which it counts as endless (ours): reviews have repeated for years."""


class Point(NamedTuple):
    """The world after a decision of a way. lists: how far the directory was read until then, where that is watched."""

    world: World
    lists: Mapping[Wanted, int]


class Fork(NamedTuple):
    """A point at which a way splits: the world at that point, and the difference.

    point: the world after the decision, which nothing changes any more.
    given: the assumptions from here on.
    opened: the offer.
    mark: what else would be the same fork: for a failure its agency, step and fault.
    step, agency: of the offer.
    fault: how the agency fails from here on; None: `code` is decided instead.
    parent: the way that splits.
    """

    point: Point
    given: Given
    opened: OfferOpened
    mark: tuple[object, ...]
    step: str
    agency: str
    fault: Fault | None
    code: str
    parent: Way
    known: Way
    """The results of the parent way before the fork."""
    at: int
    """Number of decisions of the parent before the fork."""

    @property
    def world(self) -> World:
        """A new world that goes on from here. A full agency fails from the start, because it is not even asked."""
        if self.fault is Fault.FULL:
            return World(self.point.world.policy, self.given)
        world = self.point.world.fork(self.given)
        if self.fault is not None:
            world.fails(self.opened.offer_id, self.opened, self.fault)
        return world


class Asks(NamedTuple):
    """Agencies that are asked: because the order names them, and because they hold a seat."""

    ordered: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()

    def add(self, other: Asks) -> Asks:
        """Return the union of both."""
        return Asks(self.ordered | other.ordered, self.held | other.held)

    def concern(self, agencies: frozenset[str], case: Case) -> bool:
        """Return True when the case as it is now would ask any of these agencies: a seat that they do not hold would ask another."""
        return bool(agencies & self.ordered) or holds(case, agencies & self.held)


def holds(case: Case, agencies: frozenset[str]) -> bool:
    """Return True when one of these agencies holds a seat of the case as it is now."""
    return bool(agencies) and any(seat.offer is not None and seat.offer.agency in agencies for _, _, _, seat in seats(case))


class Way(Struct, eq=False):
    """Results of one way.

    first, bed, desk: µs from the referral to the first acceptance, to a place, to a desk; -1: never.
    tasks: time of each desk task, by what it is about, its step and seat.
    opened: steps that began.
    decided: (step, code).
    asked: (agency, step).
    late: limits that passed, by step.
    closed: steps for which a desk is asked while an office is closed.
    end: how the way ended.
    parent: the way without its last failure.
    merged: the parent way (or its parent) whose continuation this way shares, and the number of its decisions before that.
    views: state key → number of decisions.
    asks: agencies that are asked after so many decisions.
    reads: how far the directory was read until after so many decisions, where that is watched.
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
    reads: list[Mapping[Wanted, int]] = []

    @property
    def agencies(self) -> frozenset[str]:
        """The agencies that fail."""
        return frozenset(agency for agency, _, _ in self.failing)

    @property
    def parents(self) -> Iterator[Way]:
        """The ways on which fewer agencies fail, the nearest first."""
        way = self.parent
        while way is not None:
            yield way
            way = way.parent

    @property
    def everybody(self) -> frozenset[str]:
        """The agencies that are asked on this way, to its very end."""
        later = self.merged[0].asks[self.merged[1]] if self.merged else Asks()
        return later.ordered | later.held | {agency for agency, _ in self.asked}


class Walker:
    """Walks one way of a pathway. forks: those found on it.

    met: failures and codes whose forks are known; a further one is no fork.
    failures: collect forks at which an agency fails, and not only those at which another code is decided.
    anyhow: collect them whether an agency is reached by telephone or not, for others that are reached otherwise.
    """

    def __init__(self, pathway: Pathway, met: set[object] | None = None, *, failures: bool = True, anyhow: bool = False) -> None:
        self.pathway = pathway
        self.forks: list[Fork] = []
        self._met, self._failures, self._anyhow = met, failures, anyhow
        self._at = 0
        self._point: Point | None = None

    def go(self, world: World, way: Way, *, branches: bool) -> Way:
        """Walk to the end of the way, or to a state from which its continuation is known. branches: collect forks, and the agencies asked
        after each state."""
        held: list[Asks] = []
        views = Views(world.policy)
        reads = [read_until_now(world.policy)]
        before_it = world.steps
        done = world.begin() if world.case is None else None
        before: Case | None = None
        for agency in sorted(way.agencies):
            read_closely(world.policy, agency, Facet.REACH)
        while True:
            if done is not None:
                self._at, self._point = len(held) + 1, None
                held.append(self._note(world, way, done, before, branches))
                if self._ends(world, way, views):
                    break
                if branches and self._failures:
                    way.views.setdefault(views.of(done.case), len(held))
                    read = read_until_now(world.policy)
                    reads.append(reads[-1] if read == reads[-1] else read)
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
        if branches and self._failures:
            later = way.merged[0].asks[way.merged[1]] if way.merged else Asks()
            way.asks = [later]
            for one in reversed(held):
                later = later.add(one)
                way.asks.append(later)
            way.asks.reverse()
            way.reads = reads
        return way

    def _note(self, world: World, way: Way, done: Decided, before: Case | None, branches: bool) -> Asks:
        """Record a decision, and return the agencies that it asks."""
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
            elif kind is e.NeedsPerson and event.about not in (*CALLS, *COMPLAINTS, UNCONFIRMED):
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
        read(world, done)
        return Asks(frozenset(asked[0]), frozenset(asked[1]))

    def _takes(self, event: e.OfferOpened, own: str, way: Way, branches: bool, world: World) -> bool:
        """Record an offer and its forks. Return True when the agency was asked because it holds a seat."""
        step = self.pathway.step(event.step) if event.track_id == own else None
        if step is None:
            return False
        way.asked.add((event.agency, event.step))
        if branches:
            place = f"{event.step}.{event.seat}" if step.two_persons and event.seat else event.step  # the second may fail, the first not
            for fault in faults(event, "acknowledge" in step.limits, anyhow=self._anyhow) if self._failures else ():
                given = structs.replace(way.given, faults={**way.given.faults, event.agency: fault})
                self._fork((event.agency, place, fault), world, way, event, given, fault)
            if event.kind is e.OfferKind.DECIDE and event.round == 0 and event.seat == 0:
                for code in step.codes:
                    if code != way.given.codes.get(step.id, step.codes[0]):
                        given = structs.replace(way.given, codes={**way.given.codes, step.id: code})
                        self._fork((event.step, code), world, way, event, given, code=code)
            if step.two_persons and event.seat and event.round == 0 and step.on_disagreement in step.codes:
                first = way.given.codes.get(step.id, step.codes[0])
                other = next((code for code in step.codes if code != first), first)
                if place not in way.given.codes:
                    given = structs.replace(way.given, codes={**way.given.codes, place: other})
                    self._fork((place, "differs"), world, way, event, given, code=other)
        return step.seats[event.seat].holder is not None

    def _fork(
        self,
        mark: tuple[object, ...],
        world: World,
        way: Way,
        event: e.OfferOpened,
        given: Given,
        fault: Fault | None = None,
        code: str = "",
    ) -> None:
        """Record a fork, unless this way or one before it has found the same."""
        if self._met is not None:
            if mark in self._met:
                return
            self._met.add(mark)
        if self._point is None:
            self._point = Point(world.fork(world.given), read_until_now(world.policy))
        agency = "" if fault is None else event.agency
        self.forks.append(Fork(self._point, given, event, mark, event.step, agency, fault, code, way, _known(way), self._at))

    def _reached(self, world: World, way: Way, event: Any, own: str, since: int, arrived: bool) -> None:
        """Record the first acceptance and the first place of the way."""
        opened = world.asked[event.offer_id][0]
        if opened.track_id != own:
            return
        if way.first < 0:
            way.first = since
        step = self.pathway.step(opened.step)
        if way.bed < 0 and step is not None and opened.kind is e.OfferKind.PLACE and (arrived or step.there == "ACCEPTED"):
            way.bed = since

    def _ends(self, world: World, way: Way, views: Views) -> bool:
        """Return True when the way has ended: the track is over, a desk is asked, or the continuation is known from a parent way."""
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
            return False  # an agency that fails still has an open offer
        now = views.of(case)
        for parent in way.parents:
            index = parent.views.get(now)
            if index is not None and not parent.asks[index].concern(way.agencies - parent.agencies, case):
                way.end, way.merged = parent.end, (parent, index)
                return True
        return False


def inputs(last: Decided | None) -> Iterator[Decided]:
    """Yield the decisions of a way, oldest first."""
    found = []
    while last is not None:
        found.append(last)
        last = last.earlier
    yield from reversed(found)


def begun(fork: Fork) -> Way:
    """Return the way that begins at a fork. It keeps the results reached before the fork, unless it starts from the referral."""
    given, known = fork.given, fork.known
    way = Way(given, None if fork.fault is None else fork.parent, failing=failing(fork.parent, fork))
    if fork.fault is not Fault.FULL:
        way.first, way.bed, way.desk = known.first, known.bed, known.desk
        way.tasks, way.closed = dict(known.tasks), set(known.closed)
    return way


def _known(way: Way) -> Way:
    return Way(way.given, first=way.first, bed=way.bed, desk=way.desk, tasks=dict(way.tasks), closed=set(way.closed))


def failing(way: Way, fork: Fork) -> tuple[tuple[str, str, Fault], ...]:
    """Return the failures of a way after a fork: agency, step from which on, and fault."""
    return way.failing if fork.fault is None else (*way.failing, (fork.agency, fork.step, fork.fault))


def wrongs(before: Case | None, after: Case, opened: OfferOpened, now: int, policy: Policy) -> Iterator[str]:
    """Yield the faults of one offer; none when it is valid. before, after: the case around its decision."""
    track = next((one for one in after.tracks if one.track_id == opened.track_id), None)
    pathway = policy.pinned.get(track.digest) if track else None
    step = pathway.step(opened.step) if pathway else None
    service = policy.services.get(opened.service)
    if track is None or pathway is None or step is None or service is None or service.agency != opened.agency:
        yield "an offer of no known step to no known service"
        return
    known = case_marks(after, now)
    for ban in pathway.never:
        if ban.tag and ban.tag in service.tags and all(group & known for group in ban.when):
            yield f"{opened.service} is tagged {ban.tag}, which is never asked"
    if f"agency:{opened.agency}" in after.excluded:
        yield f"{opened.agency} is excluded and is asked"
    if step.placement is not None and service.roles & step.placement.secure:
        was = next((one for one in before.tracks if one.track_id == track.track_id), track) if before is not None else track
        stood = track_marks(after, track, pathway, policy, now) | track_marks(before or after, was, pathway, policy, now)
        if not secure_allowed(step.placement, stood):
            yield f"{opened.service} locks people up and is asked without {', '.join(sorted(step.placement.needs))}"
    elif service.roles & pathway.locked:
        yield f"{opened.service} locks people up and is asked by a step that needs no decision of a court"
    yield from _shown(after, opened, pathway, step, known, policy)


def _shown(after: Case, opened: OfferOpened, pathway: Pathway, step: Step, known: Marks, policy: Policy) -> Iterator[str]:
    """Yield the sections that an offer shows, or that its seat writes, although procedure or consent do not give them."""
    rule, consent = step.seats[opened.seat], after.consent
    may_see = set(rule.shows)
    if pathway.consent.needed and "consent=given" not in known:
        may_see = {section for section in may_see if not policy.sections[section].personal}
    elif pathway.consent.needed and consent is not None and consent.scope and not step.without_consent:
        may_see &= set(consent.scope)
    for section in sorted(set(opened.shows) - may_see):
        yield f"{opened.service} is shown {section}, which {step.id} does not show"
    for section in sorted(set(rule.writes) - set(rule.shows)):
        yield f"{opened.service} may write {section}, which {step.id} does not show"
