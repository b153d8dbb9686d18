"""Simulate many worlds on all cores. World n goes to process n modulo their number, and the sums are made in order of world: the result
depends on the seed alone, and each process holds one world at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from referral.analysis.compare import ELSEWHERE, SAID, TOLD, Differences, Moment, Parted, part, parting, story
from referral.analysis.simulation.caseload import Caseload, worlds
from referral.analysis.simulation.reactions import Live
from referral.analysis.simulation.tally import Tally
from referral.analysis.simulation.world import Decided, World
from referral.domain.policy import Policy
from referral.domain.policy import policy as domain
from referral.parallel import Advance, shared


class Pair(Struct, eq=False):
    """One case in both worlds. waiting: decisions of either that the other has not reached yet. alike: number of equal decisions."""

    live: Live
    waiting: tuple[deque[Moment], deque[Moment]] = field(default_factory=lambda: (deque(), deque()))
    last: deque[Moment] = field(default_factory=lambda: deque(maxlen=TOLD))
    alike: int = 0
    said: bool = False
    ended: int = 0


class PairedWorlds:
    """Both worlds; the one that is behind in time always goes on. tallies: before and after."""

    def __init__(self, caseload: Caseload, before: Policy, after: Policy) -> None:
        self.worlds = (World(caseload, before), World(caseload, after))
        self.tallies = (Tally(), Tally())
        self.differences = Differences()
        self._pairs: dict[str, Pair] = {}
        self._parted: set[str] = set()

    def run(self) -> Iterator[Decided]:
        """Yield every decision of the first world as it is made; afterwards tallies and differences are complete."""
        while (side := self._behind()) is not None:
            done = self.worlds[side].step()
            if done is None:
                continue
            self.tallies[side].take(done)
            if not done.live.raised and done.live.name not in self._parted:
                self._compare(done, side)
            if side == 0:
                yield done
        for name, pair in sorted(self._pairs.items()):
            self._part(name, pair)
        for tally, world in zip(self.tallies, self.worlds, strict=True):
            tally.beds(world.beds.finish())

    def _behind(self) -> int | None:
        """Return the index of the world that is behind in time; None when both have ended."""
        one, other = (world.next_at for world in self.worlds)
        if one is None:
            return None if other is None else 1
        return 0 if other is None or one <= other else 1

    def _compare(self, done: Decided, side: int) -> None:
        """Match a decision with that of the other world; the first one without a match ends the comparison of the case."""
        name = done.live.name
        pair = self._pairs.setdefault(name, Pair(done.live))
        pair.waiting[side].append(Moment(done.at, done.case, done.events))
        pair.ended += bool(done.live.ended)
        one, other = pair.waiting
        while one and other:
            how, _ = parting(one[0].events, other[0].events)
            if one[0].at != other[0].at or how == ELSEWHERE:
                self._part(name, self._pairs.pop(name))
                return
            pair.said = pair.said or how == SAID
            pair.alike += 1
            pair.last.append(one.popleft())
            other.popleft()
        if pair.ended == 2:
            self.differences.said += pair.said
            del self._pairs[name]

    def _part(self, name: str, pair: Pair) -> None:
        """Record the first decision at which the case goes elsewhere."""
        self._parted.add(name)
        live, (one, other) = pair.live, pair.waiting
        if one or other:
            word, before, after = part(one[0] if one else None, other[0] if other else None)
            lines = story(pair.last, live.at) if self.differences.wants(word) else ()
            self.differences.take(Parted(name, live.pathway, live.place, word, live.at, pair.alike, before, after, lines))


OFTEN = 10
"""Cases between two reports of progress."""


class SimulationOptions(Struct, frozen=True, kw_only=True):
    """Options of a simulation. files: of the policy. other: of the policy that it is compared with; None: of none."""

    files: Mapping[str, bytes]
    other: Mapping[str, bytes] | None
    cases: int
    seed: int
    year: int


class Result(Struct):
    """Result of a simulation. before: under the policy. after: under the other. years: how many worlds."""

    before: Tally = field(default_factory=Tally)
    after: Tally = field(default_factory=Tally)
    differences: Differences = field(default_factory=Differences)
    years: int = 0

    def add(self, other: Result) -> None:
        """Add the result of the next world in order."""
        self.before.add(other.before)
        self.after.add(other.after)
        self.differences.add(other.differences)
        self.years += other.years


def run(options: SimulationOptions, jobs: int, advance: Advance) -> Result:
    """Run all worlds. PolicyErrors: one of the policies is invalid.

    advance: called with the number of further cases of the first policy that have ended.
    """
    before, after = policies(options)
    made = worlds(before, options.cases, options.seed, options.year)
    jobs = min(jobs, len(made))
    if jobs < 2:
        results: Iterable[Result] = (one(caseload, after, advance) for caseload in made)
    else:
        results = shared(share, [(options, number, jobs) for number in range(jobs)], len(made), advance)
    total = Result()
    for result in results:
        total.add(result)
    return total


def policies(options: SimulationOptions) -> tuple[Policy, Policy | None]:
    """Compile both policies. PolicyErrors: one of them is invalid."""
    return domain.compile(options.files), None if options.other is None else domain.compile(options.other)


def one(caseload: Caseload, after: Policy | None, advance: Advance) -> Result:
    """Run one world. advance: called with the number of further cases of the first policy that have ended."""
    if after is not None:
        both = PairedWorlds(caseload, caseload.policy, after)
        _follow(both.run(), advance)
        return Result(*both.tallies, both.differences, 1)
    world, tally = World(caseload, caseload.policy), Tally()
    _follow(_taken(world, tally), advance)
    tally.beds(world.beds.finish())
    return Result(before=tally, years=1)


def _taken(world: World, tally: Tally) -> Iterator[Decided]:
    """Yield every decision of a world, and count it."""
    while world.next_at is not None:
        if (done := world.step()) is not None:
            tally.take(done)
            yield done


def _follow(decisions: Iterable[Decided], advance: Advance) -> None:
    """Take all decisions, and report from time to time how many more of the arrived cases have ended."""
    ended = 0
    for done in decisions:
        ended += bool(done.live.ended) and not done.live.raised
        if ended == OFTEN:
            advance(ended)
            ended = 0
    advance(ended)


def share(options: SimulationOptions, first: int, jobs: int, advance: Advance) -> Iterator[Result]:
    """Run the worlds of one process: every n-th world, where n is the number of processes."""
    before, after = policies(options)
    for caseload in worlds(before, options.cases, options.seed, options.year)[first::jobs]:
        yield one(caseload, after, advance)
