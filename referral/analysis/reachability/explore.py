"""Walk every way of every class of cases through the running `decide`, to check that every case reaches somebody. No rule is written a
second time.

Read it in this order. `tasks` lists the classes of cases (`classes`: circumstances and municipalities that a procedure cannot tell apart).
`world` takes one case through `decide` with the agencies of `agents`. `walk` follows one way and finds its forks. This module walks them
all: the calm way, one for every code that can be decided, and from each of these one for every agency that is asked and every way in which
it can fail. An agency that is never asked cannot change a way. A way that reaches a state of the way without the failure (`state_key`) goes
on as that one did. `invariants` checks every offer.

Two agencies fail, one after the other: a second failure matters while the first still has an effect. Once a way is back in a state of its
parent, a further failing agency leads to the result of its failure alone, unless that way asks the first agency; only then both are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import structs

from referral.analysis.reachability.agents import Fault, Pace
from referral.analysis.reachability.tasks import Task
from referral.analysis.reachability.walk import Fork, Walker, Way, begun
from referral.analysis.reachability.world import START, Given, World
from referral.domain.policy import Policy
from referral.domain.policy.limits import HOUR
from referral.domain.policy.procedure import Pathway

NIGHT = START + 64 * HOUR
"""The second start: the night of the Saturday after, 02:00, when offices are closed."""


def ways(policy: Policy, task: Task, depth: int) -> Iterator[Way]:
    """Yield every way of one class. depth: how many agencies fail at most: 0, 1, or 2 one after the other.

    The ways on which no agency fails are walked twice, with late and with prompt answers, and once with the referral at night.
    """
    pathway = next(one for one in policy.current if one.id == task.pathway)
    given = Given(START, Pace.LATE, task.traits, task.consent)
    calm, forks = calm_ways(policy, pathway, given)
    yield from calm
    yield from calm_ways(policy, pathway, structs.replace(given, pace=Pace.PROMPT))[0]
    night = structs.replace(given, start=NIGHT)
    yield Walker(pathway).go(World(policy, night), Way(night), branches=False)
    if depth < 1:
        return
    for agency in sorted({agency for agency, _ in calm[0].asked}):
        apart = structs.replace(given, excluded=(f"agency:{agency}",))
        way = Way(apart, calm[0], failing=((agency, "", Fault.SILENT),))
        yield Walker(pathway).go(World(policy, apart), way, branches=False)
    singles = []
    for fork in forks:
        single = alone(pathway, fork, branches=depth > 1)
        yield single.way
        singles.append(single)
    if depth > 1:
        yield from pairs(pathway, singles)


def calm_ways(policy: Policy, pathway: Pathway, given: Given) -> tuple[list[Way], list[Fork]]:
    """Return the ways on which no agency fails (one for each code of each decision, from the way that first asked for it),
    and their forks."""
    found: list[Way] = []
    broken: list[Fork] = []
    codes: set[tuple[str, str]] = set()
    faults: set[tuple[str, str, Fault]] = set()
    waiting = [(World(policy, given), Way(given))]
    while waiting:
        world, way = waiting.pop(0)
        walker = Walker(pathway)
        found.append(walker.go(world, way, branches=True))
        for fork in walker.forks:
            if fork.fault is None:
                if (fork.step, fork.code) not in codes:
                    codes.add((fork.step, fork.code))
                    waiting.append((fork.world, begun(fork)))
            elif (fork.agency, fork.step, fork.fault) not in faults:
                faults.add((fork.agency, fork.step, fork.fault))
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
    """Walk the way on which one more agency fails. branches: collect further forks; the world of the fork is not changed."""
    walker = Walker(pathway)
    world = fork.world.fork(fork.world.given)
    way = walker.go(world, begun(fork), branches=branches)
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
    given = then.world.given
    world = then.world.fork(structs.replace(given, faults={**given.faults, first.agency: first.fault}))
    way = begun(then)
    way.given, way.failing = world.given, ((first.agency, first.step, first.fault), *way.failing)
    return Walker(pathway).go(world, way, branches=False)
