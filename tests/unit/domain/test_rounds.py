"""Reviews and visits follow the calendar: each at its time, one after the other, until a mark ends them."""

from __future__ import annotations

from dataclasses import replace

from referral.domain import events as e
from referral.domain.case import next_due
from referral.domain.durations import DAY_US
from referral.domain.policy.limits import Limit
from referral.domain.policy.procedure import Step
from tests.harness.made_up import pathway, step, told, with_pathways
from tests.stories.teller import START, World

MONTHS = (Limit(30, "days"), Limit(91, "days"), Limit(182, "days"))


def review(**changes: object) -> Step:
    asked = replace(step("review").seats[0], holder=None, roles=("social-worker",), areas=("found-in", "country"))
    return step("review", seats=(asked,), after=frozenset({"police.accepted"}), **changes)


def world(repeated: Step, done: tuple[str, ...] = ("police",)) -> World:
    return World(with_pathways(pathway(step("police"), repeated, done=done)))


def starts(world: World) -> list[tuple[int, int | None]]:
    opened = [event for *_, events in world.log for event in events if isinstance(event, e.StepOpened) and event.step == "review"]
    return [(event.round, None if event.starts is None else (event.starts - START) // DAY_US) for event in opened]


def test_each_round_begins_at_its_time_counted_from_when_the_step_was_ready() -> None:
    here = world(review(at=MONTHS))
    said = told(here, "refer", "police: ACCEPT")
    assert "open review" in said and not any(line.startswith("offer review") for line in said), "nobody is asked before its time"
    assert here.case is not None and next_due(here.case) == START + 30 * DAY_US
    said = told(here, "alarm")
    assert any(line.startswith("offer review to csw-prishtine") for line in said) and (next_due(here.case) or 0) > here.now
    told(here, "wait 2 h", "review: DECIDE remain", "alarm", "wait 3 h", "review: DECIDE remain", "alarm")
    assert starts(here) == [(0, 30), (1, 91), (2, 182)], "the hours that an answer takes move nothing"
    said = told(here, "review: DECIDE remain")
    assert said[-1] == "case closed done", "the last is the last"


def test_a_track_is_not_over_while_a_round_is_still_to_come() -> None:
    here = world(review(at=MONTHS), done=("police", "review"))
    told(here, "refer", "police: ACCEPT", "alarm", "review: DECIDE remain")
    assert here.case is not None and not here.case.closed and not here.case.tasks


def test_after_the_last_of_its_times_it_goes_on_and_a_mark_ends_it() -> None:
    here = world(review(at=(Limit(30, "days"),), then_every=Limit(91, "days"), until=frozenset({"review.leave"})))
    told(here, "refer", "police: ACCEPT", "alarm", "review: DECIDE remain", "alarm", "review: DECIDE remain", "alarm")
    assert starts(here) == [(0, 30), (1, 121), (2, 212)]
    assert told(here, "review: DECIDE leave")[-1] == "case closed done"


def test_a_round_that_has_not_begun_is_dropped_when_another_step_ends_the_repetition() -> None:
    here = World(
        with_pathways(pathway(step("police"), step("health"), review(at=MONTHS, until=frozenset({"health.accepted"})), done=["police"]))
    )
    told(here, "refer", "police: ACCEPT")
    said = told(here, "health: ACCEPT")
    assert "done review not-needed" in said


def test_a_round_begins_also_when_something_else_comes_in_at_its_time() -> None:
    here = World(with_pathways(pathway(step("police"), step("health"), review(at=MONTHS))))
    told(here, "refer", "police: ACCEPT")
    here.now += 31 * DAY_US
    assert any(line.startswith("offer review") for line in told(here, "health: ACKNOWLEDGE"))


def test_a_desk_may_settle_a_round_before_its_time_and_the_next_keeps_its_own() -> None:
    here = world(review(at=MONTHS))
    told(here, "refer", "police: ACCEPT", "desk SETTLE review remain")
    assert starts(here) == [(0, 30), (1, 91)]


def test_a_waiting_round_wakes_nobody_while_its_track_stands_still() -> None:
    here = world(review(at=MONTHS))
    told(here, "refer", "police: ACCEPT", "desk STOP")
    here.now += 40 * DAY_US
    told(here, "alarm")
    said = told(here, "desk RESUME")
    assert any(line.startswith("offer review") for line in said)


def test_what_is_only_repeated_begins_at_once() -> None:
    here = world(review(then_every=Limit(7, "days")))
    said = told(here, "refer", "police: ACCEPT")
    assert any(line.startswith("offer review") for line in said)
    told(here, "wait 1 h", "review: DECIDE remain")
    assert here.case is not None and next_due(here.case) == here.now + 7 * DAY_US
