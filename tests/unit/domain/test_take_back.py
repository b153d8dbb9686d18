"""An agency takes back that its part is done: possible while nobody else was asked, and then the case is as it was.

Random walks look at the same (`tests/harness/two_cases/promises.taken_back`); the story `done-taken-back` reads it to people.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from referral.domain import events as e
from referral.domain.case import Case
from referral.domain.durations import MINUTE_US
from referral.domain.policy.limits import Limit
from tests.stories.teller import World, policy, replayed

SHIPPED = policy()
CALM = ("refer", "police: ACCEPT", "support: ARRIVE", "csw: ARRIVE", "health: ACCEPT")
TAKEN, LATE = "reopened health health-prishtine.check until complete", "ignored NOTHING_TO_TAKE_BACK"


def told(*lines: str) -> tuple[World, list[str]]:
    """The world after these lines, and what followed the last of them."""
    world, last = World(SHIPPED), list[str]()
    for line in lines:
        last = world.tell(line)
    replayed(world)
    return world, last


def plain(case: Case | None) -> Case:
    assert case is not None
    return structs.replace(case, seq=0, at=0, bundle=None, undos=())


def test_taken_back_the_case_is_as_it_was() -> None:
    before, _ = told(*CALM)
    after, last = told(*CALM, "health: COMPLETE", "wait 1 min", "take-back health")
    assert [line.partition(" +")[0] for line in last] == [TAKEN]
    assert plain(after.case) == plain(before.case)
    again = told(*CALM, "health: COMPLETE", "take-back health", "health: COMPLETE", "take-back health")[1]
    assert [line.partition(" +")[0] for line in again] == [TAKEN]


@pytest.mark.parametrize(
    ("between", "says"),
    [
        (("wait 2 min",), TAKEN),
        (("wait 3 min",), LATE),
        (("risk: ACKNOWLEDGE",), TAKEN),
        (("risk: DECIDE HIGH",), LATE),
        (("shelter: ACCEPT",), TAKEN),
        (("shelter: DECLINE NO_CAPACITY",), LATE),
        (("withdraw",), LATE),
        (("desk STOP",), LATE),
        (("desk STOP", "desk RESUME"), LATE),
        (("desk CLOSE",), LATE),
        (("traits urgency=emergency",), LATE),
        (("exclude agency csw-prizren",), LATE),
        (("exclude agency health-prishtine",), "ignored EXCLUDED"),
        (("police: COMPLETE",), TAKEN),
        (("policy without trafficking-child",), TAKEN),
    ],
    ids=lambda lines: " ".join(lines) if isinstance(lines, tuple) else "",
)
def test_whoever_is_asked_or_decides_between_relies_on_it(between: tuple[str, ...], says: str) -> None:
    """An answer to what was asked before relies on nothing. A procedure that is no longer in force runs on as it began."""
    last = told(*CALM, "health: COMPLETE", *between, "take-back health")[1]
    assert [line.partition(" +")[0] for line in last] == [says]


def test_what_asks_somebody_is_never_taken_back() -> None:
    """Whoever gives back or declines has asked the next at once; whoever completes a place has freed it."""
    for answer, step in (
        ("health: RETURN NO_CAPACITY", "health"),
        ("shelter: DECLINE NO_CAPACITY", "shelter"),
        ("risk: DECIDE HIGH", "risk"),
        ("shelter: COMPLETE", "shelter"),
    ):
        world, followed = told(*CALM, "shelter: ARRIVE", answer) if answer == "shelter: COMPLETE" else told(*CALM, answer)
        assert not any("may take back" in line for line in followed), answer
        assert world.tell(f"take-back {step}") == [LATE], answer


def test_what_nobody_had_accepted_is_not_taken_back() -> None:
    """Done without an acceptance is both at once: there is no state before it to go back to."""
    assert not any("may take back" in line for line in told(*CALM[:4], "health: COMPLETE")[1])


def test_a_procedure_without_the_word_lets_nobody_take_back() -> None:
    silent = {digest: replace(pathway, take_back=None) for digest, pathway in SHIPPED.pinned.items()}
    world = World(SHIPPED)
    for line in CALM:
        world.tell(line)
    world.policy = replace(SHIPPED, pinned=silent)
    assert not any("may take back" in line for line in world.tell("health: COMPLETE"))
    assert world.tell("take-back health") == [LATE]


def test_a_limit_that_passed_meanwhile_is_missed_at_once() -> None:
    """Taking back gives nobody more time."""
    world, _ = told(*CALM)
    before = world.case
    assert before is not None
    due = min(o.due for t in before.tracks for r in t.runs for s in r.seats if (o := s.offer) and o.due_what == "complete" and o.due)
    world.now = due - MINUTE_US // 2
    for line in ("health: COMPLETE", "wait 1 min", "take-back health"):
        world.tell(line)
    assert any(line.startswith("missed complete health") for line in world.tell("alarm"))


def test_what_was_pressed_in_time_counts_also_if_routing_reads_it_later() -> None:
    """Nobody relies on the answer while routing stands still, and the page has promised the time. After half an hour figures may be out."""
    for late, minutes, says in ((0, 1, TAKEN), (1, 1, LATE), (0, 30, TAKEN), (0, 31, LATE)):
        world, _ = told(*CALM, "health: COMPLETE", "wait 2 min")
        pressed: Any = world.body("take-back health")
        world.tell(f"wait {minutes} min")
        followed = world.put(structs.replace(pressed, received_at=pressed.received_at + late))
        assert [world.short(event).partition(" +")[0] for event in followed] == [says]


def test_an_answer_that_ended_another_step_too_is_not_taken_back() -> None:
    """Of a step that nobody has been asked in yet, nothing but its end is in the log."""
    told_of = SHIPPED.pinned[next(digest for digest, pathway in SHIPPED.pinned.items() if pathway.id == "trafficking-child")]
    visit = replace(told_of.by_id["health"], id="visit", after=frozenset(), at=(Limit(30, "days"),), until=frozenset({"health.done"}))
    ends = replace(told_of, steps=(*told_of.steps, visit))
    world = World(replace(SHIPPED, pinned={**SHIPPED.pinned, told_of.digest: ends}))
    for line in CALM:
        world.tell(line)
    followed = world.tell("health: COMPLETE")
    assert "done visit not-needed" in followed and not any("may take back" in line for line in followed), followed


def test_the_permission_says_what_would_be_again() -> None:
    world, _ = told(*CALM, "health: COMPLETE")
    allowed: Any = world.log[-1][3][-1]
    assert isinstance(allowed, e.UndoAllowed)
    assert (allowed.until, allowed.due_what, allowed.done_at, allowed.arrived) == (world.now + 2 * MINUTE_US, "complete", world.now, False)
