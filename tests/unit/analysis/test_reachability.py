"""The model check merges what a procedure cannot tell apart: brute force finds the same, case by case. And no offer escapes its proofs."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from msgspec import structs

from referral.analysis.reachability.classes import Circumstance
from referral.analysis.reachability.counterexample import story
from referral.analysis.reachability.explore import PAIRED, alone, calm_ways, explore, ways, who
from referral.analysis.reachability.findings import findings, notes
from referral.analysis.reachability.tasks import People, Task, alike, every, families
from referral.analysis.reachability.walk import Walker, Way, inputs, wrongs
from referral.analysis.reachability.watched import watched
from referral.analysis.reachability.world import START, Given, Pace, World
from referral.domain.events import AnswerWithdrawn, ConsentState, OfferOpened
from referral.domain.policy.procedure import Pathway
from tests.stories.teller import policy

SHIPPED = policy()
PLACES = ("prishtine", "novoberde", "gjilan", "leposaviq")
"""One with everything, one without a coordinator, one far from the shelters, one whose agencies are reached by telephone."""
CHILD = next(pathway for pathway in SHIPPED.current if pathway.id == "trafficking-child")


def summary(every: list[Way]) -> Counter[tuple[object, ...]]:
    """What all ways of a case came to, without the names of agencies."""
    return Counter((who(way), way.first, way.bed, way.desk, way.end, tuple(sorted(way.opened))) for way in every)


def cases(pathway: Pathway) -> list[list[Task]]:
    """Every circumstance in three municipalities, those with the same residue together."""
    people, found = People(SHIPPED), defaultdict[object, list[Task]](list)
    for task in every(pathway, SHIPPED, PLACES):
        found[alike(SHIPPED, people, pathway.id, Circumstance(task.traits, task.consent))[0]].append(task)
    return list(found.values())


def differing(pathway: Pathway, depth: int, sample: int, most: int = 6) -> tuple[int, list[Task]]:
    """Of so many cases of every so-manieth residue: the ways that they share, and those that come to something else by themselves."""
    shares, wrong = 0, []
    for family in cases(pathway)[::sample]:
        some = [structs.replace(task, depth=depth) for task in family[:: max(1, len(family) // most)]]
        found: dict[Task, Counter[tuple[object, ...]]] = {task: Counter() for task in some}
        for shared in explore(watched(SHIPPED), People(SHIPPED), tuple(some)):
            shares += len(shared.kinds) > 1
            for task in shared.kinds:
                found[task] += summary(shared.ways)
        wrong += [task for task in some if found[task] != summary(list(ways(SHIPPED, task, depth)))]
    return shares, wrong


@pytest.mark.parametrize("pathway", SHIPPED.current, ids=lambda pathway: pathway.id)
def test_shared_and_unshared_agree_where_nobody_fails(pathway: Pathway) -> None:
    shares, wrong = differing(pathway, 0, 9)
    assert shares and not wrong


@pytest.mark.parametrize("pathway", SHIPPED.current, ids=lambda pathway: pathway.id)
def test_shared_and_unshared_agree_where_one_fails(pathway: Pathway) -> None:
    shares, wrong = differing(pathway, 1, 13)
    assert shares and not wrong


def test_every_case_is_of_a_kind() -> None:
    made = [task for family in families(SHIPPED, 1, pathways=(CHILD.id,), places=PLACES) for task in family]
    people = People(SHIPPED)

    def kind(task: Task) -> object:
        return alike(SHIPPED, people, CHILD.id, Circumstance(task.traits, task.consent)), task.places

    kinds = {kind(task) for task in made}
    assert len(kinds) == len(made) < len(list(every(CHILD, SHIPPED, PLACES))) / 3
    assert kinds == {kind(task) for task in every(CHILD, SHIPPED, PLACES)}


def calm() -> tuple[Task, Way]:
    task = next(every(CHILD, SHIPPED, ("prizren",)))
    return task, next(ways(SHIPPED, task, 0))


def test_the_calm_way_of_a_child_is_whole_and_has_nothing_wrong() -> None:
    _, way = calm()
    assert way.end == "done" and way.wrong == [] and way.late == [] and way.desk < 0 <= way.first < way.bed
    assert {"police", "support", "shelter", "guardian", "risk", "health", "interview", "plan"} <= way.opened


def test_prompt_agencies_take_back_each_done_that_they_may() -> None:
    """The check walks on from there: every case reaches somebody also after a slip of the hand."""
    task, _ = calm()
    way = next(way for way in ways(SHIPPED, task, 0) if way.given.pace is Pace.PROMPT)
    bodies = [decided.body for decided in inputs(way.last)]
    opened = {event.offer_id: event.step for decided in inputs(way.last) for event in decided.events if isinstance(event, OfferOpened)}
    assert [opened[body.offer_id] for body in bodies if isinstance(body, AnswerWithdrawn)][:1] == ["health"]
    assert "take-back health" in [line.do for line in story("", way, SHIPPED).told]


def test_a_failure_that_changes_nothing_later_is_not_followed_to_the_end() -> None:
    task, _ = calm()
    assert any(way.merged for way in ways(SHIPPED, task, 1))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"shows": ("identity", "medical", "narrative")}, "which health does not show"),
        ({"agency": "csw-prizren", "service": "csw-prizren.duty"}, ""),
        ({"service": "isf.beds", "agency": "police-prizren"}, "no known service"),
        ({"service": "no-such.service"}, "no known service"),
        ({"step": "no-such"}, "no known step"),
    ],
)
def test_an_offer_that_should_not_be_is_seen(changes: dict[str, object], says: str) -> None:
    _, way = calm()
    before = None
    for done in inputs(way.last):
        for event in done.events:
            if isinstance(event, OfferOpened) and event.step == "health":
                wrong = list(wrongs(before, done.case, structs.replace(event, **changes), done.now, SHIPPED))
                assert any(says in one for one in wrong) if says else wrong == []
                return
        before = done.case
    raise AssertionError("health was never asked")


@pytest.mark.parametrize("pathway", [one for one in SHIPPED.current if one.consent.needed], ids=lambda pathway: pathway.id)
def test_a_consent_to_some_sections_is_kept_on_the_whole_way(pathway: Pathway) -> None:
    task = next(task for task in every(pathway, SHIPPED, ("prizren",)) if task.consent and task.consent.state is ConsentState.GIVEN)
    assert task.consent is not None
    shown = 0
    for section in SHIPPED.sections:
        agreed = structs.replace(task.consent, scope=(section,))
        given = Given(START, Pace.LATE, task.traits, agreed)
        way = Walker(pathway).go(World(SHIPPED, given), Way(given), branches=False)
        assert way.wrong == [] and way.offers > 0
        shown += sum(opened.shows == (section,) for opened in offers(way))
    assert shown > 0, "the scope lets something through"
    wide, narrow = offers(way)[0], structs.replace(task.consent, scope=("location",))
    assert way.last is not None
    case = structs.replace(way.last.case, consent=narrow)
    found = list(wrongs(None, case, structs.replace(wide, shows=("identity",)), START, SHIPPED))
    assert any("is shown identity" in one for one in found), "and a wider offer is seen"


def test_a_seat_that_writes_what_it_does_not_read_is_seen() -> None:
    _, way = calm()
    police = next(opened for opened in offers(way) if opened.step == "police")
    seat = replace(CHILD.by_id["police"].seats[0], writes=("identity", "medical"))
    wider = replace(CHILD, steps=tuple(replace(step, seats=(seat,)) if step.id == "police" else step for step in CHILD.steps))
    assert way.last is not None
    policy = replace(SHIPPED, pinned={**SHIPPED.pinned, CHILD.digest: wider})
    found = list(wrongs(None, way.last.case, police, START, policy))
    assert found == [f"{police.service} may write medical, which police does not show"]


def offers(way: Way) -> list[OfferOpened]:
    """Every offer of a way, the oldest first."""
    return [event for done in inputs(way.last) for event in done.events if isinstance(event, OfferOpened)]


def test_whoever_is_excluded_or_locks_up_must_not_be_asked() -> None:
    _, way = calm()
    for done in inputs(way.last):
        for event in done.events:
            if isinstance(event, OfferOpened) and event.step == "shelter":
                apart = structs.replace(done.case, excluded=(f"agency:{event.agency}",))
                assert f"{event.agency} is excluded and is asked" in list(wrongs(None, apart, event, done.now, SHIPPED))
                locked = structs.replace(event, agency="isf", service="isf.beds")
                assert any("locks people up" in one for one in wrongs(None, done.case, locked, done.now, SHIPPED))
                return
    raise AssertionError("no shelter was asked")


def test_a_way_that_is_taken_to_go_on_as_another_does_so() -> None:
    """Where ways are merged again, following them to the end comes to the same: the end of the other, and no desk that it did not ask."""
    given = Given(START, Pace.LATE, structs.replace(calm()[0].traits, sex="male"))
    _, forks = calm_ways(SHIPPED, CHILD, given)
    merged = 0
    for fork in forks:
        cut = alone(CHILD, fork, branches=False).way
        if cut.merged is None:
            continue
        merged += 1
        apart = structs.replace(fork.parent, views={})
        whole = alone(CHILD, fork._replace(parent=apart), branches=False).way
        assert (whole.end, whole.first, whole.bed) == (cut.end, cut.first, cut.bed), who(cut)
        assert whole.tasks.keys() <= cut.tasks.keys() | fork.parent.tasks.keys(), who(cut)
    assert merged > 10


def test_two_failures_wait_longer_than_one() -> None:
    justice = next(pathway for pathway in SHIPPED.current if pathway.id == "juvenile-justice")
    task = next(every(justice, SHIPPED, ("gjilan",)))
    waits: dict[int, int] = {}
    for way in ways(SHIPPED, task, 2):
        waits[len(way.failing)] = max(waits.get(len(way.failing), 0), way.first)
    assert 0 < waits[0] < waits[1] < waits[2]


def test_pairs_come_to_what_every_pair_comes_to_by_itself() -> None:
    """Nothing is merged here: every failure after every other is followed to its end."""
    task = next(every(CHILD, SHIPPED, ("gjilan",)))
    found = [way for way in ways(SHIPPED, task, 2) if len(way.failing) == 2]
    _, forks = calm_ways(SHIPPED, CHILD, Given(START, Pace.LATE, task.traits, task.consent))
    apart = [
        alone(CHILD, fork._replace(parent=structs.replace(fork.parent, views={})), branches=True) for fork in forks if fork.fault in PAIRED
    ]
    by_force = []
    for first in apart:
        first.way.views.clear()
        by_force += [
            alone(CHILD, then, branches=False).way for then in first.forks if then.agency != first.fork.agency and then.fault in PAIRED
        ]
    assert len(by_force) > len(found) > 100 and not any(way.merged for way in by_force)
    assert all(way.first >= 0 or way.desk >= 0 for way in (*found, *by_force))
    for name in ("first", "bed"):
        assert max(getattr(way, name) for way in found) == max(getattr(way, name) for way in by_force)


def test_at_night_a_desk_is_asked_while_the_inspectorate_is_closed() -> None:
    labour = next(pathway for pathway in SHIPPED.current if pathway.id == "child-labour")
    danger = next(task for task in every(labour, SHIPPED, ("prizren",)) if "danger" in task.traits.flags)
    said = {note.kind for way in ways(SHIPPED, danger, 0) for note in notes(SHIPPED, danger, way)}
    assert "closed" in said and not [one for way in ways(SHIPPED, danger, 0) for one in findings(SHIPPED, danger, way)]
