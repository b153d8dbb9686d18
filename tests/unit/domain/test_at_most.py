"""A step that may be done at most so often: no round opens after the last one."""

from __future__ import annotations

import pytest

from referral.domain.policy import PolicyErrors, compile
from tests.stories.teller import World
from tests.unit.domain.test_persons import files

LAST = "    within: {accept: 1 h P}\n    guidance: [first-contact]\nclose"
TALK = LAST.replace("accept: 1 h P", "accept: 1 h P, complete: 24 h P").replace("    within", "    again_when: [csw.completed]\n    within")


def world(words: str) -> World:
    """A world in which the last step of the invented procedure is asked at once, and again each time that it is done."""
    text = words.replace("    within", "    at_most: 2\n    within", 1).replace("csw.completed", "tp-other-centre.completed")
    here = World(compile(files(**{"    after: [tp-other-person.decided]\n" + LAST: text})))
    here.tell("refer concern=two-persons")
    here.tell("csw: ACCEPT person=1")
    return here


def test_no_round_opens_after_the_last_one() -> None:
    here = world(TALK)
    assert here.tell("tp-other-centre: COMPLETE")[-2].startswith("open tp-other-centre round 1")
    said = here.tell("tp-other-centre: COMPLETE")
    assert any(line.startswith("done tp-other-centre round 1") for line in said) and not any(line.startswith("open ") for line in said)


def test_a_limit_of_rounds_without_rounds_is_refused() -> None:
    with pytest.raises(PolicyErrors, match="at_most limits rounds"):
        compile(files(**{LAST: LAST.replace("    within", "    at_most: 2\n    within", 1)}))
