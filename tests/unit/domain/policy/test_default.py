"""Silence may decide by the safest code of a procedure: marked so, and a person must say whether it stands."""

from __future__ import annotations

from dataclasses import replace

from tests.harness.made_up import pathway, step, told, with_pathways
from tests.stories.teller import World


def world(**changes: object) -> World:
    asked = replace(step("best-interest").seats[0], holder=None, roles=("social-worker",), areas=("found-in",))
    made = pathway(
        step("best-interest", seats=(asked,), on_silence="stay", **changes), step("police", after=frozenset({"best-interest.stay"}))
    )
    return World(with_pathways(made))


def test_after_the_limit_the_code_stands_by_silence_and_a_desk_must_confirm_it() -> None:
    here = world()
    said = told(here, "refer", "alarm")
    assert "decided best-interest stay SILENCE" in said and "closed best-interest csw-prishtine.duty EXPIRED decide" in said
    assert "desk desk-prishtine rung 0 confirm-default for best-interest until then +1 d" in said and "done best-interest stay" in said
    assert any(line.startswith("offer police") for line in said), "what waits for it goes on"


def test_a_track_does_not_end_before_a_person_has_spoken_for_what_silence_decided() -> None:
    here = world()
    told(here, "refer", "alarm", "police: ACCEPT", "desk RESUME")
    assert here.case is not None and not here.case.closed and [task.about for task in here.case.tasks] == ["confirm-default"]
    said = told(here, "desk SETTLE best-interest stay")
    assert "decided best-interest stay DESK" in said and said[-1] == "case closed done"


def test_a_desk_may_decide_otherwise_than_silence() -> None:
    here = world()
    said = told(here, "refer", "alarm", "desk SETTLE best-interest return")
    assert "done best-interest return" in said and here.case is not None and not here.case.tasks


def test_silence_never_decides_what_is_forbidden() -> None:
    here = world(forbid={"stay": "relation:parent"})
    said = told(here, "refer", "exclude RELATION parent", "alarm")
    assert not any("SILENCE" in line for line in said) and any("decide-missed" in line for line in said)


def test_a_late_decision_is_told_that_silence_has_decided() -> None:
    here = world()
    assert told(here, "refer", "alarm", "best-interest: DECIDE return")[-1] == "ignored OFFER_CLOSED"


def test_who_decides_by_a_seat_that_a_desk_has_settled_is_known_to_a_desk_at_once() -> None:
    """Nobody is awaited who will never come."""
    secure = step("secure", seats=(replace(step("secure").seats[0], holder=("guardian", 0)),), after=frozenset({"guardian.decided"}))
    asked = replace(step("guardian").seats[0], holder=None, roles=("social-worker",), areas=("found-in",))
    here = World(with_pathways(pathway(step("guardian", seats=(asked,)), secure)))
    said = told(here, "refer", "desk SETTLE guardian relative")
    assert any("no-candidate for secure" in line for line in said)
