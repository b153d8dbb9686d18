"""A notice that a desk sends, where no rule found anybody to tell, ends its step as one that a rule sends does."""

from __future__ import annotations

from dataclasses import replace

from tests.stories import teller


def test_whom_a_desk_tells_is_the_last_that_the_step_waits_for() -> None:
    whole = teller.policy()
    here = teller.World(replace(whole, services={id: s for id, s in whole.services.items() if not id.startswith("coordinator-")}))
    here.tell("refer concern=disability consent=GIVEN giver=parent")
    assert any("no-candidate for coordinator" in line for line in here.tell("centre: ACCEPT"))
    here.policy = whole
    assert here.tell("desk OFFER coordinator coordinator-prishtine.notice") == [
        "offer coordinator to coordinator-prishtine.notice as child-rights-coordinator",
        "done coordinator done",
        "desk settled done",
    ]
