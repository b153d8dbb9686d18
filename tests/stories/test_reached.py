"""Every rule has been seen at work in a story, and every procedure has been told."""

from __future__ import annotations

import pytest

from tests.stories.reached import LISTS, codes, main, said, told, unreached
from tests.stories.test_stories import POLICY, TOLD

STORIES = 110


def test_the_stories_reach_every_code() -> None:
    """A code that no story reaches is either not needed or not proven; `python -m tests.stories.reached` counts them all."""
    used = {code for path in TOLD for event in said(told(path.stem)) for code in codes(event)}
    assert len(TOLD) >= STORIES
    assert unreached(used, POLICY) == []
    known = {(name, code) for name in LISTS for code in POLICY.codes[name]} | {
        ("close-reason", reason) for reason in POLICY.codes["reason"]
    }
    assert used - known == {("close-reason", "")}, "and emits none that the lists do not name"


def test_the_count_of_what_is_reached_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--walks", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{len(TOLD)} stories tell ") and printed.endswith("told by no story:   none\n")


def test_every_procedure_is_told_to_its_end() -> None:
    ended = set()
    for path in TOLD:
        case = told(path.stem).case
        ended |= {track.pathway for track in case.tracks if track.outcome == "done"} if case is not None else set()
    assert ended >= {pathway.id for pathway in POLICY.every}


def test_every_decision_is_told() -> None:
    """Each code of each decision of each procedure, by a person or by a desk."""
    decided = set()
    for path in TOLD:
        world = told(path.stem)
        tracks = {track.track_id: track.pathway for track in world.case.tracks} if world.case is not None else {}
        for event in said(world):
            if type(event).__name__ == "DecisionRecorded":
                decided.add((tracks[event.track_id], event.step, event.code))  # type: ignore[attr-defined]
    wanted = {(pathway.id, step.id, code) for pathway in POLICY.every for step in pathway.steps for code in step.codes}
    assert wanted - decided == set()


def test_no_service_is_out_of_reach() -> None:
    """Each role of each service of the directory is asked for by some step, somewhere: also the last resorts."""
    reached = set()
    for step in (step for pathway in POLICY.every for step in pathway.asking):
        for rule in step.seats:
            roles = {*rule.roles, *rule.last_resort}
            if step.placement is not None:
                roles |= {*step.placement.until_known, *(role for known in step.placement.roles.values() for role in known)}
            for place in POLICY.municipalities:
                reached |= {(s.id, role) for role in roles for area in rule.areas for s in POLICY.serving(role, area, place)}
    assert {(service.id, role) for service in POLICY.services.values() for role in service.roles} - reached == set()
