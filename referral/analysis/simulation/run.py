"""Simulate many worlds on all cores. World n goes to process n modulo their number, and the sums are made in order of world: the result
depends on the seed alone, and each process holds one world at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from referral.analysis.compare import Differences
from referral.analysis.simulation.caseload import Caseload, worlds
from referral.analysis.simulation.paired import PairedWorlds
from referral.analysis.simulation.tally import Tally
from referral.analysis.simulation.world import Decided, World
from referral.domain.policy import Policy
from referral.domain.policy import policy as domain
from referral.parallel import Advance, shared

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
