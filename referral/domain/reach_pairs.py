"""Agencies that fail: one alone, and two one after the other.

A second failure matters where the first still does. Once a way stands again as its parent stood, a further agency that fails there leads to
what its failure alone led to, unless that asks the first one: only then both are tried once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import structs

from referral.domain.procedure import Pathway
from referral.domain.reach_people import Fault
from referral.domain.reach_walk import Fork, Walker, Way, begun

PAIRED = (Fault.STALLS, Fault.SILENT, Fault.DECLINES, Fault.FULL, Fault.UNSTAFFED)
"""Failures that are combined. Who stalls is silent, only longer, so silence counts where nobody can stall."""


class Single(NamedTuple):
    """One failure: where it forks, what it comes to, and where that forks further."""

    fork: Fork
    way: Way
    forks: Sequence[Fork]


def alone(pathway: Pathway, fork: Fork, *, branches: bool) -> Single:
    """The way on which one more agency fails. branches: look for further forks; the world of the fork stays as it is."""
    walker = Walker(pathway)
    world = fork.world.fork(fork.world.given)
    way = walker.go(world, begun(fork), branches=branches)
    return Single(fork, way, [one for one in walker.forks if one.fault is not None])


def pairs(pathway: Pathway, singles: Sequence[Single]) -> Iterator[Way]:
    """The ways on which another agency fails after the first."""
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
    if fork.fault is not Fault.SILENT:
        return fork.fault in PAIRED
    forks = [other.fork if isinstance(other, Single) else other for other in others]
    return not any(o.fault is Fault.STALLS and (o.agency, o.step) == (fork.agency, fork.step) for o in forks)


def _both(pathway: Pathway, first: Fork, then: Fork) -> Way:
    """The way on which the later one fails, and the first one too, should it be asked again."""
    assert first.fault is not None
    given = then.world.given
    world = then.world.fork(structs.replace(given, faults={**given.faults, first.agency: first.fault}))
    way = begun(then)
    way.given, way.failing = world.given, ((first.agency, first.step, first.fault), *way.failing)
    return Walker(pathway).go(world, way, branches=False)
