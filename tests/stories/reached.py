"""What the stories and the properties' walks reach: `python -m tests.stories.reached [--walks N]`.

A rule says why (`why.rule` of an event), an outcome what came of it: the event with its coded result. What nothing reaches is named,
and the exit code is 1: a rule that nobody has seen at work is either not needed or not proven.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from referral.domain import events as e
from referral.domain.policy import Policy
from tests.stories.saved import TOLD, read
from tests.stories.teller import World, policy, world
from tests.unit.domain.test_walks import shipped

POLICY = policy()
LISTS = ("rule", "passed-reason", "ignored-reason", "close-reason")
"""Code lists of which every code must be reached."""
WALKS = 48
"""As many as the unit tests walk."""
OUTCOMES: Mapping[type, Callable[[Any], tuple[str, ...]]] = {
    e.OfferClosed: lambda x: (x.how.value, x.reason),
    e.StepDone: lambda x: (x.outcome,),
    e.DecisionRecorded: lambda x: (x.how.value, x.code),
    e.NeedsPerson: lambda x: (x.about,),
    e.PersonNotNeeded: lambda x: (x.how,),
    e.DeadlinePassed: lambda x: (x.what,),
    e.InputIgnored: lambda x: (x.reason,),
    e.TrackChanged: lambda x: (x.pathway, x.state.value, x.outcome),
    e.OfferEscalated: lambda x: (x.reason or "",),
    e.OfferHeld: lambda x: (x.reason,),
    e.CaseLinked: lambda x: (x.how,),
    e.CaseRaised: lambda x: (x.pathway,),
    e.CaseClosed: lambda x: (x.outcome,),
}
"""The coded result of an event; an event that is not here has none."""
Pair = tuple[str, str]


def pair(event: Any) -> Pair:
    """The rule of an event, and what came of it."""
    result = OUTCOMES[type(event)](event) if type(event) in OUTCOMES else ()
    return event.why.rule, " ".join([type(event).__name__, *filter(None, result)])


def codes(event: Any) -> set[tuple[str, str]]:
    """Codes of the lists that an event has used, as (list, code)."""
    found = {("rule", event.why.rule), *(("passed-reason", passed.reason) for passed in event.why.passed)}
    match event:
        case e.InputIgnored():
            found.add(("ignored-reason", event.reason))
        case e.OfferClosed():
            found.add(("close-reason", event.reason))
    return found


@cache
def told(name: str) -> World:
    """The world after a story, to look at."""
    story = read(name)
    made = world(story, Path(__file__).parent / "told", POLICY)
    for item in story["told"]:
        made.tell(item["do"])
    return made


def said(world: World) -> list[Struct]:
    """Every event of a story."""
    return [event for *_, events in world.log for event in events]


def walked(seed: int) -> list[Struct]:
    """Every event of a walk of the properties."""
    walk = shipped(seed)
    walk.go()
    return [event for *_, events in walk.line.log for event in events]


def unreached(used: Iterable[tuple[str, str]], policy: Policy) -> list[str]:
    """Codes of the lists that nothing has used."""
    reached = set(used)
    return [f"{name} {code}" for name in LISTS for code in policy.codes[name] if (name, code) not in reached]


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stories.reached", description=__doc__)
    parser.add_argument("--walks", type=int, default=WALKS, help="how many walks of the properties are looked at besides")
    walks = parser.parse_args(words).walks
    stories = {path.stem: said(told(path.stem)) for path in TOLD}
    lives = [walked(seed) for seed in range(walks)]
    by_stories = {pair(event) for events in stories.values() for event in events}
    by_walks = {pair(event) for events in lives for event in events}
    print(f"{len(stories)} stories tell {len({rule for rule, _ in by_stories})} rules and {len(by_stories)} pairs of rule and outcome;")
    print(f"{walks} walks reach {len(by_walks)} pairs; together {len(by_stories | by_walks)}.\n")
    print(f"{'procedure':<24}{'stories':>8}{'rules':>8}{'pairs':>8}{'with walks':>12}")
    digests = {pathway.digest[:16]: pathway.id for pathway in POLICY.every}
    rows: dict[str, list[set[Any]]] = defaultdict(lambda: [set(), set(), set()])
    for name, events in [*stories.items(), *(("", events) for events in lives)]:
        for event in events:
            procedure = event.why.procedure  # type: ignore[attr-defined]
            row = rows[digests.get(procedure, "(an invented one)" if procedure else "(the case itself)")]
            row[2].add(pair(event))
            if name:
                row[0].add(name)
                row[1].add(pair(event))
    for procedure, (tellers, told_pairs, pairs) in sorted(rows.items()):
        print(f"{procedure:<24}{len(tellers):>8}{len({rule for rule, _ in told_pairs}):>8}{len(told_pairs):>8}{len(pairs):>12}")
    missing = unreached([code for events in (*stories.values(), *lives) for event in events for code in codes(event)], POLICY)
    told_only = unreached([code for events in stories.values() for event in events for code in codes(event)], POLICY)
    print(f"\nreached by nothing: {', '.join(missing) or 'none'}")
    print(f"told by no story:   {', '.join(told_only) or 'none'}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
