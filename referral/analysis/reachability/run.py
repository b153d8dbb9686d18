"""Run the model check on all cores: class n goes to process n modulo their number, and the results are added up in order of class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field, structs

from referral.analysis.reachability.counterexample import Story, story
from referral.analysis.reachability.explore import ways
from referral.analysis.reachability.findings import Finding, findings, notes, whole
from referral.analysis.reachability.tally import Tally
from referral.analysis.reachability.tasks import Task, tasks
from referral.domain.policy import Policy
from referral.domain.policy import policy as domain
from referral.parallel import Advance, shared

ABOUT = {"nobody": "no-candidate", "stands": "standing-still"}
"""The desk task with which the story of a finding ends, by kind of finding."""
OFTEN = 4
"""Classes between two reports of progress."""


class CheckOptions(Struct, frozen=True, kw_only=True):
    """Options of a check.

    files: of the policy.
    depth: how many agencies fail at most.
    deep: two agencies fail in procedures for trafficking.
    pathways, places: only these, where any are named.
    """

    files: Mapping[str, bytes]
    depth: int = 1
    deep: bool = False
    pathways: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


Key = tuple[str, str, str, str]


class LocatedFinding(Struct, frozen=True):
    """One finding, with the municipalities in which it occurs, and a story that leads to it."""

    finding: Finding
    places: tuple[str, ...]
    story: Story | None = None


class Result(Struct):
    """Result of a check. tally: of all ways. found: faults, weak: weak points; both by the key of the finding."""

    tally: Tally = field(default_factory=Tally)
    found: dict[Key, LocatedFinding] = field(default_factory=dict)
    weak: dict[Key, LocatedFinding] = field(default_factory=dict)

    def take(self, policy: Policy, task: Task) -> None:
        """Check one more class."""
        every = list(ways(policy, task, task.depth))
        self.tally.take(task, every)
        for way in every:
            for one in findings(policy, task, way):
                example = None if one.key in self.found else story(f"{one.pathway}: {one.said}", way, policy, ABOUT.get(one.kind, ""))
                _note(self.found, LocatedFinding(one, task.places, example))
            for one in notes(policy, task, way):
                _note(self.weak, LocatedFinding(one, task.places))

    def add(self, other: Result) -> None:
        """Add the result of another process."""
        self.tally.add(other.tally)
        for found in other.found.values():
            _note(self.found, found)
        for found in other.weak.values():
            _note(self.weak, found)

    def finish(self, policy: Policy) -> None:
        """Check the whole policy, once all classes of the requested pathways are in the tally."""
        for one in whole(policy, self.tally):
            _note(self.found, LocatedFinding(one, ()))


def _note(known: dict[Key, LocatedFinding], found: LocatedFinding) -> None:
    """Add a finding, or its municipalities to the finding with the same key."""
    key = found.finding.key
    if key in known:
        found = structs.replace(known[key], places=tuple(dict.fromkeys((*known[key].places, *found.places))))
    known[key] = found


def classes(policy: Policy, options: CheckOptions) -> tuple[Task, ...]:
    """Return all classes, those of one pathway spread among those of others, so that each process gets a similar share."""
    return tasks(policy, options.depth, deep=options.deep, pathways=options.pathways, places=options.places)


def run(policy: Policy, options: CheckOptions, made: tuple[Task, ...], jobs: int, advance: Advance) -> Result:
    """Check all classes. advance: called with the number of further classes done."""
    result = Result()
    if jobs < 2 or len(made) < 2:
        for task in made:
            result.take(policy, task)
            advance(1)
        return result
    jobs = min(jobs, len(made))
    for found in shared(share, [(options, made[number::jobs]) for number in range(jobs)], jobs, advance):
        result.add(found)
    return result


def share(options: CheckOptions, made: tuple[Task, ...], advance: Advance) -> Iterator[Result]:
    """Check the classes of one process, and yield its result."""
    policy, result = domain.compile(options.files), Result()
    for number, task in enumerate(made, 1):
        result.take(policy, task)
        if number % OFTEN == 0:
            advance(OFTEN)
    advance(len(made) % OFTEN)
    yield result
