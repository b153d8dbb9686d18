"""Walk each way of a family of tasks once for all kinds of cases that it cannot tell apart.

A way is named by its `Path`: how the case begins, and the number of each fork that was taken, counted in the forks of the way that it
leaves. Two kinds that agree on all that a way read of the directory, from the referral to its end, have the same events under the same
path. A way on which an agency fails may go on as the way did that it leaves (`Walker`). It counts as having read what that one read until
there. What comes after matters only as far as its `Shape` says, and as the agency that fails may be asked again: so much is compared for
each kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from referral.analysis.reachability.tasks import Look, Read, Task
from referral.analysis.reachability.walk import Fork, Walker, Way, begun, holds
from referral.analysis.reachability.watched import Wanted, WatchedPolicy, read_until_now
from referral.analysis.reachability.world import START, Fault, Given, Pace, World, can_fail
from referral.domain.durations import HOUR_US
from referral.domain.events import Reach
from referral.domain.policy.procedure import Pathway

NIGHT = START + 64 * HOUR_US
"""The second start: the night of the Saturday after, 02:00, when offices are closed."""

Seen = tuple[Task, Look]
Path = tuple[str | int, ...]
"""Name of a way in its family: one of the words below, and numbers of forks."""
LATE, PROMPT, AT_NIGHT, APART = "late", "prompt", "night", "apart"
"""Ways on which nobody fails and all answer late, or at once; with the referral at night; and with the agency of a fork excluded."""


class Shape(NamedTuple):
    """What a way on which an agency fails asks of the way that it leaves, whenever that happens there: whether somebody accepts, whether a
    bed is found, which tasks a desk gets, and how it ends."""

    accepted: bool
    bed: bool
    tasks: frozenset[tuple[str, str, int]]
    end: str


class Walked:
    """One way that was walked, for an example.

    lists: how far it read the directory. read, key: the same, for other kinds to compare with.
    forks: where it splits; what an earlier fork of the way has met is no fork.
    shape: of a way that others may leave.
    told: whether it was passed on.
    """

    __slots__ = ("_holds", "_left", "_numbers", "forks", "key", "kind", "lists", "read", "shape", "told", "way")

    def __init__(self, kind: Seen, way: Way, forks: Sequence[Fork], lists: Mapping[Wanted, int], left: Walked | None = None) -> None:
        self.kind, self.way, self.forks, self.lists = kind, way, forks, lists
        self.read = kind[1].read(lists)
        self.key = kind[1].key(self.read)
        self.told = False
        self.shape = Shape(way.first >= 0, way.bed >= 0, frozenset(way.tasks), way.end)
        self._left = left.shape if left is not None else None
        self._holds = way.merged is not None and way.last is not None and holds(way.last.case, way.agencies)
        self._numbers: dict[str, int] = {}

    def holds(self, kind: Seen) -> bool:
        """Return True when the way is the same for this kind of case."""
        return kind[1].key(self.read) == self.key

    def leaves(self, left: Walked, number: int) -> bool:
        """Return True when it is the same where it leaves this way at the fork with this number."""
        if left.shape != self._left:
            return False
        if self.way.merged is None:
            return True
        agency, asks = left.forks[number].agency, left.way.asks[self.way.merged[1]]
        return agency not in asks.ordered and not (self._holds and agency in asks.held)

    def number(self, agency: str) -> int | str:
        """Return the number of an agency of the example; of one that the directory does not list there, its name."""
        if not self._numbers:
            self._numbers = self.kind[1].agencies(self.read)
        return self._numbers.get(agency, agency)

    def forget(self) -> None:
        """Keep only the results of a way that was told: for other kinds they are the same, and its decisions fill the memory."""
        self.way = structs.replace(self.way, last=None)


def before(path: Path) -> Path:
    """Return the path of the way that this one leaves."""
    return (LATE,) if path[0] == APART else path[:-1]


class Ways:
    """The ways of one family that were walked so far."""

    def __init__(self, policy: WatchedPolicy, pathway: Pathway, *, failures: bool) -> None:
        self._policy, self._pathway, self._failures = policy, pathway, failures
        self._walked: dict[Path, list[Walked]] = {}
        self._own: dict[tuple[Path, Task], Walked] = {}

    def of(self, path: Path, kind: Seen) -> Walked:
        """Return a way for this kind of case: one that another kind has walked, where both agree on all that it read, else its own."""
        there = [one for one in self._walked.get(path, ()) if one.holds(kind)]
        if there and there[0].way.failing:
            left = self.of(before(path), kind)
            there = [one for one in there if one.leaves(left, int(path[-1]))]
        found = there[0] if there else None
        if found is None:
            found = self.own(path, kind)
            self._walked.setdefault(path, []).append(found)
        return found

    def by_phone(self, agency: str) -> bool:
        """Return whether an agency is reached by telephone."""
        return self._policy.agencies[agency].reach is Reach.PHONE

    def has(self, path: Path, kind: Seen) -> bool:
        """Return True when this kind has walked this way itself."""
        return (path, kind[0]) in self._own

    def own(self, path: Path, kind: Seen) -> Walked:
        """Return the way as this kind of case walks it itself. Ways on which somebody fails are not kept."""
        known = self._own.get((path, kind[0]))
        if known is None:
            known = self._walk(path, kind)
            if not known.way.failing:
                self._own[path, kind[0]] = known
        return known

    def _walk(self, path: Path, kind: Seen) -> Walked:
        """Walk a way, after the ways that it leaves."""
        task, policy = kind[0], self._policy
        given = Given(START, Pace.LATE, task.traits, task.consent, unverified=self._pathway.unverified)
        begins, *forks = path
        if begins == APART:
            calm = self.own(before(path), kind)
            fork = calm.forks[int(forks[-1])]
            given = structs.replace(given, excluded=(f"agency:{fork.agency}",))
            way = Way(given, calm.way, failing=((fork.agency, "", Fault.SILENT),))
            return self._go(kind, World(policy, given), way, fork.point.lists, calm)
        if forks:
            left = self.own(before(path), kind)
            fork = left.forks[int(forks[-1])]
            if fork.fault is not None:
                return self._go(kind, fork.world, begun(fork), fork.point.lists, left)
            return self._go(kind, fork.world, begun(fork), fork.point.lists, splits=True)
        if begins == AT_NIGHT:
            given = structs.replace(given, start=NIGHT)
        elif begins == PROMPT:
            given = structs.replace(given, pace=Pace.PROMPT)
        return self._go(kind, World(policy, given), Way(given), {}, splits=begins != AT_NIGHT)

    def _go(
        self, kind: Seen, world: World, way: Way, lists: Mapping[Wanted, int], left: Walked | None = None, *, splits: bool = False
    ) -> Walked:
        """Walk a way that so much was read for. left: the way that it leaves because an agency fails. splits: find its forks."""
        self._policy.watch(lists)
        walker = Walker(self._pathway, set(), failures=self._failures and way.given.pace is Pace.LATE, anyhow=True)
        walker.go(world, way, branches=splits)
        lists = read_until_now(self._policy)
        if way.merged is not None:
            into, at = way.merged
            lists = {wanted: max(lists.get(wanted, 0), into.reads[at].get(wanted, 0)) for wanted in (*lists, *into.reads[at])}
        return Walked(kind, way, walker.forks, lists, left)


class Whole(NamedTuple):
    """The ways of one kind of case on which nobody fails, and the paths on which one does. read: all that these ways read."""

    calm: Sequence[Walked]
    paths: Sequence[Path]
    failing: Sequence[Path]
    apart: Sequence[Path]
    read: Read


def whole(ways: Ways, begins: str, kind: Seen) -> Whole:
    """Return the ways on which nobody fails: one for each code of each decision, from the way that first asked for it."""
    calm: list[Walked] = []
    paths: list[Path] = [(begins,)]
    failing: list[Path] = []
    apart: dict[str, Path] = {}
    met: set[object] = set()
    lists: dict[Wanted, int] = {}
    for path in paths:
        walked = ways.of(path, kind)
        calm.append(walked)
        for wanted, depth in walked.read.lists:
            lists[wanted] = max(lists.get(wanted, 0), depth)
        own = list(kind[1].agencies(walked.read))
        for number, fork in enumerate(walked.forks):
            mark: object = fork.mark
            if fork.fault is not None:
                at = walked.number(fork.agency)
                agency = own[at] if isinstance(at, int) else at
                if not can_fail(fork.opened, fork.fault, by_phone=ways.by_phone(agency)):
                    continue
                mark = (agency, *fork.mark[1:])
                if path == (begins,):
                    apart.setdefault(agency, (APART, number))
            if mark not in met:
                met.add(mark)
                (paths if fork.fault is None else failing).append((*path, number))
    return Whole(calm, paths, failing, tuple(apart.values()), kind[1].known(tuple(lists.items())))
