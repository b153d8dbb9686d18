"""Run the model check on all cores: family n goes to process n modulo their number, and the results are added up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field, structs

from referral.analysis.reachability import tasks
from referral.analysis.reachability.counterexample import Story, story
from referral.analysis.reachability.explore import SharedWays, Tally, explore
from referral.analysis.reachability.findings import Finding, findings, notes, whole
from referral.analysis.reachability.safeguards import safeguards
from referral.analysis.reachability.tasks import Family, People
from referral.analysis.reachability.watched import watched
from referral.domain.policy import Policy
from referral.domain.policy import policy as domain
from referral.parallel import Advance, shared

ABOUT = {"nobody": "no-candidate", "stands": "standing-still"}
"""The desk task with which the story of a finding ends, by kind of finding."""


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

    def take(self, policy: Policy, shared: SharedWays) -> None:
        """Take the ways that are the same in some kinds of cases."""
        self.tally.take(shared)
        places = tuple(dict.fromkeys(place for kind in shared.kinds for place in kind.places))
        for way in shared.ways:
            for one in findings(policy, shared.example, way):
                example = None if one.key in self.found else story(f"{one.pathway}: {one.said}", way, policy, ABOUT.get(one.kind, ""))
                _note(self.found, LocatedFinding(one, places, example))
            for one in notes(policy, shared.example, way):
                _note(self.weak, LocatedFinding(one, places))

    def add(self, other: Result) -> None:
        """Add the result of another process."""
        self.tally.add(other.tally)
        for found in other.found.values():
            _note(self.found, found)
        for found in other.weak.values():
            _note(self.weak, found)

    def finish(self, policy: Policy) -> None:
        """Check the whole policy, once all families of the requested pathways are in the tally."""
        for one in (*whole(policy, self.tally), *safeguards(policy)):
            _note(self.found, LocatedFinding(one, ()))


def _note(known: dict[Key, LocatedFinding], found: LocatedFinding) -> None:
    """Add a finding, or its municipalities to the finding with the same key."""
    key = found.finding.key
    if key in known:
        found = structs.replace(known[key], places=tuple(dict.fromkeys((*known[key].places, *found.places))))
    known[key] = found


def families(policy: Policy, options: CheckOptions) -> tuple[Family, ...]:
    """Return all families, the largest first. Each process gets every n-th, and so a similar share."""
    found = tasks.families(policy, options.depth, deep=options.deep, pathways=options.pathways, places=options.places)
    return tuple(sorted(found, key=len, reverse=True))


def run(policy: Policy, options: CheckOptions, made: tuple[Family, ...], jobs: int, advance: Advance) -> Result:
    """Check all families. advance: called with the number of further kinds of cases done."""
    result = Result()
    if jobs < 2 or len(made) < 2:
        for found in _check(policy, made, advance):
            result.take(policy, found)
        return result
    jobs = min(jobs, len(made))
    for other in shared(share, [(options, made[number::jobs]) for number in range(jobs)], jobs, advance):
        result.add(other)
    return result


def share(options: CheckOptions, made: tuple[Family, ...], advance: Advance) -> Iterator[Result]:
    """Check the families of one process, and yield its result."""
    policy, result = domain.compile(options.files), Result()
    for found in _check(policy, made, advance):
        result.take(policy, found)
    yield result


def _check(policy: Policy, made: tuple[Family, ...], advance: Advance) -> Iterator[SharedWays]:
    copy, people = watched(policy), People(policy)
    for family in made:
        yield from explore(copy, people, family)
        advance(len(family))
