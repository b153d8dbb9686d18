"""Does every case reach somebody? A model check of the running `decide`: nothing of it is written down a second time.

Read it like this: `reach_task` says which classes of cases there are (`reach_classes`: circumstances that a procedure cannot tell apart,
`reach_directory`: municipalities that look alike to it), `reach_world` takes one case through `decide` with the agencies of
`reach_people`, `reach_walk` goes one way and finds where it forks, and this module goes them all: the calm way, one for every code that
can be decided, and from each of these one for every agency that is asked and every way in which it can fail. An agency that is never
asked cannot change a way; a way that stands as one without the failure stood (`reach_view`) goes on as that one did. Every offer is
looked at by `reach_proofs`.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from referral.domain.deadline import HOUR
from referral.domain.policy import Policy
from referral.domain.procedure import Pathway
from referral.domain.reach_pairs import alone, pairs
from referral.domain.reach_people import Fault, Pace
from referral.domain.reach_task import Task
from referral.domain.reach_walk import Fork, Walker, Way, begun
from referral.domain.reach_world import START, Given, World

NIGHT = START + 64 * HOUR
"""And another: the night of the Saturday after, 02:00, when offices are closed."""


def ways(policy: Policy, task: Task, depth: int) -> Iterator[Way]:
    """Every way of one class. depth: how many agencies fail at most: 0, 1, or 2 one after the other.

    On those on which nobody fails people are also prompt, and the referral also comes at night.
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
    """The ways on which nobody fails: for each code of each decision one, from the way on which it was first asked for."""
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
