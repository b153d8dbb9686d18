"""Two persons must agree, whatever one of them sends and however: one account, a system or one recorder never decides alone."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from referral.analysis.reachability.classes import USUAL
from referral.analysis.reachability.explore import calm_ways
from referral.analysis.reachability.walk import Walker, begun
from referral.analysis.reachability.world import START, Fault, Given, Pace
from referral.domain.policy import Policy, PolicyErrors, compile
from tests.stories import teller
from tests.stories.lines import ROOT
from tests.stories.teller import World

FILE = "pathways/two-persons.yaml"
INVENTED = Path(ROOT / "tests/stories/invented/two-persons.yaml")


def files(**changed: str) -> Mapping[str, bytes]:
    text = INVENTED.read_text("utf-8")
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new, 1)
    return {**teller.files(), FILE: text.encode()}


@functools.cache
def invented() -> Policy:
    return compile(files())


def begin(policy: Policy) -> World:
    here = World(policy)
    for line in ("refer concern=two-persons", "csw: ACCEPT person=1", "police: ACCEPT person=9"):
        here.tell(line)
    return here


def outcome(here: World, step: str) -> str:
    assert here.case is not None
    return next((run.outcome for track in here.case.tracks for run in track.runs if run.step == step), "")


WORDS = st.sampled_from(
    [
        "tp-removal: DECIDE tp-removes person=1",
        "tp-removal: DECIDE tp-remains person=1",
        "tp-removal: DECIDE tp-removes",
        "tp-removal: DECIDE tp-removes phone=1 person=1",
        "tp-removal.1: DECIDE tp-removes person=1",
        "tp-removal.1: DECIDE tp-removes",
        "tp-removal.1: DECIDE tp-removes phone=1 person=1",
        "desk SETTLE tp-removal tp-removes person=1",
        "desk SETTLE tp-removal tp-remains person=1",
        "desk SETTLE tp-removal tp-removes",
        "alarm",
    ]
)


@given(st.lists(WORDS, max_size=8))
def test_one_account_never_decides_alone(lines: list[str]) -> None:
    here = begin(invented())
    for line in lines:
        try:
            here.tell(line)
        except AssertionError as why:  # the second is not asked yet, or nothing is due
            assert "nobody was asked" in str(why) or "nothing is due" in str(why)
    assert outcome(here, "tp-removal") == ""


def test_a_second_account_decides() -> None:
    here = begin(invented())
    here.tell("tp-removal: DECIDE tp-removes person=1")
    assert outcome(here, "tp-removal") == ""
    here.tell("tp-removal.1: DECIDE tp-removes person=2")
    assert outcome(here, "tp-removal") == "tp-removes"


SILENT = "on_silence: keep-place\n    needs: [reason, child-view]"
LAST = "within: {accept: 1 h P}\n    guidance: [first-contact]\nclose"
WRONG = {
    "silence is no": (SILENT, SILENT.replace("keep-place", "tp-remains")),
    "one seat in who": ("who: [csw, police]\n", "who: [csw, police, tp-removal]\n"),
    "on_disagreement is missing": ("    agree: two-persons\n    on_disagreement: tp-not-now\n", "    agree: two-persons\n"),
    "two-persons is missing": (LAST, LAST.replace("h P", "h P, second: 1 h P")),
    "seat driver is not known": ("not_same_as: [csw]", "not_same_as: [police.driver]"),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_procedure_that_would_let_one_person_decide_is_refused(said: str) -> None:
    old, new = WRONG[said]
    with pytest.raises(PolicyErrors, match=said):
        compile(files(**{old: new}))


def test_the_check_tries_a_second_who_differs_and_one_who_is_silent() -> None:
    two = invented()
    pathway = next(one for one in two.current if one.id == "two-persons")
    traits = replace(USUAL, concern="two-persons")
    ways, forks = calm_ways(two, pathway, Given(START, Pace.LATE, traits))
    assert any("tp-way.1" in way.given.codes for way in ways), "nobody tried that the second differs"
    silent = [fork for fork in forks if fork.step == "tp-removal" and fork.fault is Fault.SILENT]
    assert len(silent) == 2, "the first, and the second alone"
    ends = [Walker(pathway).go(fork.world, begun(fork), branches=False) for fork in silent]
    assert all(("decide-missed", "tp-removal", seat) in way.tasks for seat, way in enumerate(ends))


def test_whoever_answered_for_the_other_seat_is_not_woken() -> None:
    here = begin(invented())
    here.tell("tp-removal: DECIDE tp-removes person=1")
    opened = here.offered[here.offer("tp-removal.1").offer_id]
    assert opened.skip == (str(uuid.UUID(int=1)),)
