"""Many worlds on all cores. World n goes to process n modulo their number, and the sums are made in order of world:
so the result depends on the seed alone, and no more than one world per process is held.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection

from msgspec import Struct, field

from referral.domain import policy as domain
from referral.domain.caseload import Caseload, worlds
from referral.domain.policy import Policy
from referral.domain.simulate import World
from referral.domain.simulate_against import Against
from referral.domain.simulate_parted import Differences
from referral.domain.simulate_tally import Tally

OFTEN = 10
"""Cases after which the progress is told."""
GARBAGE = 200_000
"""Objects made before the collector looks (ours): decisions make many and leave no cycles."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What shall be simulated. files: of the policy. other: of the policy that it is compared with; None: of none."""

    files: Mapping[str, bytes]
    other: Mapping[str, bytes] | None
    cases: int
    seed: int
    year: int


class Result(Struct):
    """before: under the policy. after: under the other. years: how many worlds."""

    before: Tally = field(default_factory=Tally)
    after: Tally = field(default_factory=Tally)
    differences: Differences = field(default_factory=Differences)
    years: int = 0

    def add(self, other: Result) -> None:
        """Another world's, the next in order."""
        self.before.add(other.before)
        self.after.add(other.after)
        self.differences.add(other.differences)
        self.years += other.years


def run(wanted: Wanted, jobs: int, tell: Callable[[int], None]) -> Result:
    """All worlds. tell: how many further cases of the first policy have ended. PolicyErrors: one of the policies is wrong."""
    before, after = policies(wanted)
    made = worlds(before, wanted.cases, wanted.seed, wanted.year)
    result = Result()
    if jobs < 2 or len(made) < 2:
        for caseload in made:
            result.add(one(caseload, after, tell))
        return result
    for found in _shared(wanted, min(jobs, len(made)), len(made), tell):
        result.add(found)
    return result


def policies(wanted: Wanted) -> tuple[Policy, Policy | None]:
    """Both, compiled. The other knows the procedures of the first, so that it can be told of them."""
    return domain.compile(wanted.files), None if wanted.other is None else domain.compile(wanted.other)


def one(caseload: Caseload, after: Policy | None, tell: Callable[[int], None]) -> Result:
    """One world."""
    ended = 0
    if after is not None:
        both = Against(caseload, caseload.policy, after)
        for done in both.run():
            ended += bool(done.live.ended) and not done.live.raised
            if ended == OFTEN:
                tell(ended)
                ended = 0
        tell(ended)
        return Result(*both.tallies, both.differences, 1)
    world, tally = World(caseload, caseload.policy), Tally()
    while world.next_at is not None:
        if (done_ := world.step()) is not None:
            tally.take(done_)
            ended += bool(done_.live.ended) and not done_.live.raised
            if ended == OFTEN:
                tell(ended)
                ended = 0
    tell(ended)
    tally.beds(world.beds.finish())
    return Result(before=tally, years=1)


def _shared(wanted: Wanted, jobs: int, count: int, tell: Callable[[int], None]) -> Iterator[Result]:
    """The results of all worlds in order. A process that waits for its turn to hand one over works on nothing else."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    try:
        for number in range(jobs):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=work, args=(theirs, wanted, number, jobs), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        for world in range(count):
            while isinstance(said := pipes[world % jobs].recv(), int):
                tell(said)
            yield said
    except EOFError:
        raise RuntimeError("a process of the simulation ended too early (out of memory?); try --jobs 1") from None
    finally:
        for process in processes:
            process.terminate()
            process.join()


def work(pipe: Connection, wanted: Wanted, first: int, jobs: int) -> None:
    """What one process does: every so-manieth world, told and handed over through the pipe. Ctrl-C is for the one who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(GARBAGE)
    before, after = policies(wanted)
    for caseload in worlds(before, wanted.cases, wanted.seed, wanted.year)[first::jobs]:
        pipe.send(one(caseload, after, pipe.send))
    pipe.close()
