"""What is weak: one failure, or a night, leaves only a desk. The case is in somebody's hands, and yet it is worth knowing."""

from __future__ import annotations

from collections.abc import Iterator

from referral.domain.events import OfferOpened
from referral.domain.policy import Policy
from referral.domain.reach_findings import Finding
from referral.domain.reach_task import Task
from referral.domain.reach_walk import Way


def notes(policy: Policy, task: Task, way: Way) -> Iterator[Finding]:
    """What one way shows."""
    if len(way.failing) == 1 and not way.given.excluded:
        pathway = next(one for one in policy.current if one.id == task.pathway)
        for about, id, seat in way.tasks:
            step = pathway.step(id)
            if about == "no-candidate" and step is not None and step.seats[max(seat, 0)].holder is None:
                yield Finding("alone", task.pathway, id, "", "only one agency can be asked; when it fails, a desk has to find another")
    for closed in sorted(way.closed) if not way.failing else ():
        yield Finding("closed", task.pathway, closed, "", "when offices are closed nobody can be asked; a desk is, until one opens")
    if not way.failing and way.last is not None:
        yield from _ladders(policy, task, way)


def _ladders(policy: Policy, task: Task, way: Way) -> Iterator[Finding]:
    """Rungs that a step names and none of which an agency has: all of its own are woken instead."""
    pathway = next(one for one in policy.current if one.id == task.pathway)
    last = way.last
    while last is not None:
        for event in last.events:
            if isinstance(event, OfferOpened) and (step := pathway.step(event.step)) is not None:
                named = step.seats[event.seat].ladder if event.seat < len(step.seats) else ()
                if named and not set(named) & set(event.ladder):
                    said = f"{event.agency} has none of the rungs {', '.join(named)}; its own are woken: {', '.join(event.ladder)}"
                    yield Finding("ladder", task.pathway, event.step, event.agency, said)
        last = last.earlier
