"""Walk every way of every kind of case through the running `decide`, to check that every case reaches somebody. No rule is written a
second time.

Read it in this order. `tasks` lists the kinds of cases (`classes`: circumstances that a procedure cannot tell apart; `look`: whom a person
finds). `world` takes one case through `decide` with the agencies of `agents`. `walk` follows one way and finds its forks. This module walks
them all: the calm way, one for every code that can be decided, and from each of these one for every agency that is asked and every way in
which it can fail. An agency that is never asked cannot change a way. A way that reaches a state of the way without the failure
(`state_key`) goes on as that one did. `invariants` checks every offer.

A way is walked once for all kinds of a family that it cannot tell apart: those whose municipality agrees on all that `decide` has read of
it. So what happens when the police are silent is not walked again for every list of shelters.

Two agencies fail, one after the other: a second failure matters while the first still has an effect. Once a way is back in a state of its
parent, a further failing agency leads to the result of its failure alone, unless that way asks the first agency; only then both are tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct, field, structs

from referral.analysis.reachability.sharing import AT_NIGHT, LATE, PROMPT, Path, Seen, Walked, Ways, Whole, before, whole
from referral.analysis.reachability.tasks import Family, People, Read, Task, look_of
from referral.analysis.reachability.walk import Fork, Walker, Way, begun
from referral.analysis.reachability.watched import WatchedPolicy, watched
from referral.analysis.reachability.world import START, Fault, Given, World
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway


class SharedWays(NamedTuple):
    """Ways that are the same in some kinds of cases. example: the one that was walked.

    begins: these ways come first in these kinds. bed: a bed is found there when nobody fails. again: told before, of other kinds.
    """

    example: Task
    kinds: Sequence[Task]
    ways: Sequence[Way]
    begins: bool
    bed: bool
    again: bool = False


def explore(copy: WatchedPolicy, people: People, family: Family) -> Iterator[SharedWays]:
    """Yield every way of every kind of case of a family, once for all kinds that share it and have the same ways on which nobody fails."""
    pathway = next(one for one in copy.every if one.id == family[0].pathway)
    depth = family[0].depth
    known = Ways(copy, pathway, failures=depth > 0)
    waiting: Sequence[Seen] = [(task, look_of(task, copy, people)) for task in family]
    while waiting:
        late = whole(known, LATE, waiting[0])
        same, waiting = _alike(late.read, waiting)
        bed = any(walked.way.bed >= 0 for walked in late.calm)
        for walked in late.calm:
            yield _told(walked, same, bed, begins=walked is late.calm[0])
        left = same
        while left:
            prompt = whole(known, PROMPT, left[0])
            together, left = _alike(prompt.read, left)
            for walked in prompt.calm:
                yield _told(walked, together, bed)
        for path in ((AT_NIGHT,), *(late.apart if depth else ()), *(late.failing if depth == 1 else ())):
            left = same
            while left:
                walked = known.of(path, _example(known, path, left))
                together, left = _alike(walked.read, left, walked.key)
                yield _told(walked, together, bed)
                if walked.way.failing:
                    walked.forget()
        if depth > 1:
            yield from _pairs(copy, pathway, known, late, same, bed)


def _example(ways: Ways, path: Path, kinds: Sequence[Seen]) -> Seen:
    """Return the kind that should walk a way: one that has walked the way before it need not walk that again."""
    left = before(path) or (LATE,)
    return next((kind for kind in kinds if ways.has(left, kind)), kinds[0])


def _told(walked: Walked, kinds: Sequence[Seen], bed: bool, begins: bool = False) -> SharedWays:
    """Return a way with its kinds."""
    told = SharedWays(walked.kind[0], [task for task, _ in kinds], [walked.way], begins, bed, walked.told)
    walked.told = True
    return told


def _alike(read: Read, kinds: Sequence[Seen], key: int | None = None) -> tuple[list[Seen], list[Seen]]:
    """Divide kinds of cases: those that agree on all that was read with the first, or with this key, and the others."""
    wanted = kinds[0][1].key(read) if key is None else key
    same: list[Seen] = []
    others: list[Seen] = []
    for kind in kinds:
        (same if kind[1].key(read) == wanted else others).append(kind)
    return same, others


def _pairs(copy: WatchedPolicy, pathway: Pathway, known: Ways, late: Whole, kinds: Sequence[Seen], bed: bool) -> Iterator[SharedWays]:
    """Yield all ways on which one agency fails or two do; of kinds that agree on all that these read together."""
    left = kinds
    while left:
        own = [known.own(path, left[0]) for path in late.paths]
        copy.watch({wanted: max(walked.lists.get(wanted, 0) for walked in own) for walked in own for wanted in walked.lists})
        singles = [alone(pathway, own[late.paths.index(path[:-1])].forks[int(path[-1])], branches=True) for path in late.failing]
        found = [*(single.way for single in singles), *pairs(pathway, singles)]
        example = left[0]
        together, left = _alike(example[1].read(copy.lists), left)
        yield SharedWays(example[0], [task for task, _ in together], found, False, bed)


def ways(policy: Policy, task: Task, depth: int) -> Iterator[Way]:
    """Yield every way of one kind of case. depth: how many agencies fail at most: 0, 1, or 2 one after the other."""
    for shared in explore(watched(policy), People(policy), (structs.replace(task, depth=depth),)):
        yield from shared.ways


def calm_ways(policy: Policy, pathway: Pathway, given: Given, *, failures: bool = True) -> tuple[list[Way], list[Fork]]:
    """Return the ways on which no agency fails (one for each code of each decision, from the way that first asked for it),
    and their forks."""
    found: list[Way] = []
    broken: list[Fork] = []
    met: set[object] = set()
    waiting = [(World(policy, given), Way(given))]
    while waiting:
        world, way = waiting.pop(0)
        walker = Walker(pathway, met, failures=failures)
        found.append(walker.go(world, way, branches=True))
        for fork in walker.forks:
            if fork.fault is None:
                waiting.append((fork.world, begun(fork)))
            else:
                broken.append(fork)
    return found, broken


PAIRED = (Fault.STALLS, Fault.SILENT, Fault.DECLINES, Fault.FULL, Fault.UNSTAFFED)
"""Failures that are combined. An agency that stalls is silent too, only for longer, so silence counts where no agency can stall."""


class Single(NamedTuple):
    """One failure: its fork, its way, and the further forks of that way."""

    fork: Fork
    way: Way
    forks: Sequence[Fork]


def alone(pathway: Pathway, fork: Fork, *, branches: bool) -> Single:
    """Walk the way on which one more agency fails. branches: collect further forks."""
    walker = Walker(pathway)
    way = walker.go(fork.world, begun(fork), branches=branches)
    return Single(fork, way, [one for one in walker.forks if one.fault is not None])


def pairs(pathway: Pathway, singles: Sequence[Single]) -> Iterator[Way]:
    """Yield the ways on which another agency fails after the first."""
    counted = [single for single in singles if _counts(single.fork, singles)]
    for first in counted:
        for fork in first.forks:
            if fork.agency != first.fork.agency and _counts(fork, first.forks):
                yield alone(pathway, fork, branches=False).way
        if first.way.merged is not None:
            into, at = first.way.merged
            for then in counted:
                later = then.fork.parent is into and then.fork.at > at and then.fork.agency != first.fork.agency
                if later and first.fork.agency in then.way.everybody:
                    yield _both(pathway, first.fork, then.fork)


def _counts(fork: Fork, others: Sequence[Single] | Sequence[Fork]) -> bool:
    """Return True when this failure is one that is combined with others."""
    if fork.fault is not Fault.SILENT:
        return fork.fault in PAIRED
    forks = [other.fork if isinstance(other, Single) else other for other in others]
    return not any(o.fault is Fault.STALLS and (o.agency, o.step) == (fork.agency, fork.step) for o in forks)


def _both(pathway: Pathway, first: Fork, then: Fork) -> Way:
    """Walk the way on which the later agency fails, and the first one too if it is asked again."""
    assert first.fault is not None
    given = then.given
    world = then.world.fork(structs.replace(given, faults={**given.faults, first.agency: first.fault}))
    way = begun(then)
    way.given, way.failing = world.given, ((first.agency, first.step, first.fault), *way.failing)
    return Walker(pathway).go(world, way, branches=False)


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

    def add(self, other: Row, times: int = 1) -> None:
        """Add the totals of more ways. times: in so many kinds of cases."""
        if other.first > self.first:
            self.by_first = other.by_first
        if other.bed > self.bed:
            self.by_bed = other.by_bed
        for name in ("calm_first", "calm_bed", "first", "bed", "desk"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        for name in ("ways", "desks", "no_bed"):
            setattr(self, name, getattr(self, name) + getattr(other, name) * times)


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
            _count(row, way, shared.bed)
        for way in () if shared.again else shared.ways:
            opened |= way.opened
            decided |= way.decided
            self.walked += 1
            self.decisions += way.steps
            self.offers += way.offers
            self.excluded += bool(way.given.excluded)
        self.ways += len(shared.ways) * len(shared.kinds)
        self.kinds += len(shared.kinds) * shared.begins
        for place, times in Counter(place for kind in shared.kinds for place in kind.places).items():
            self.rows.setdefault((pathway, place), Row()).add(row, times)

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
