"""Words of a procedure that the shipped ones may not use: `unless`, a place without a table, age bands, who is not concerned."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as changed

from referral.domain.events import CaseClosed, CaseOpened, CaseRaised, OfferOpened
from referral.domain.policy.procedure import Placement
from tests.harness.made_up import SHIPPED, pathway, step, told, with_pathways
from tests.stories.teller import World, replayed

KIN = Placement(by="", roles={}, until_known=("children-shelter", "ngo-shelter"), secure=frozenset(), needs=frozenset(), ends=frozenset())


def test_a_step_is_not_done_under_what_it_is_not_for() -> None:
    made = pathway(step("police"), step("health", unless=frozenset({"flags=pregnant"})))
    world = World(with_pathways(made))
    assert any(line.startswith("offer health") for line in told(world, "refer"))
    said = told(world, "traits flags=pregnant")
    assert "closed health health-prishtine.check CANCELLED NOT_NEEDED" in said and "done health not-needed" in said


def test_a_step_is_not_done_once_another_step_says_so() -> None:
    made = pathway(step("police"), step("health", after=frozenset({"police.acknowledge-missed"}), unless=frozenset({"police.accepted"})))
    world = World(with_pathways(made))
    assert any(line.startswith("offer health") for line in told(world, "refer", "alarm", "alarm", "alarm"))
    said = told(world, "police: ACCEPT")
    assert "done health not-needed" in said and world.case is not None and world.case.closed


def test_what_ends_a_procedure_and_is_not_for_this_person_holds_nothing_up() -> None:
    made = pathway(step("police"), step("health", when=(frozenset({"sex=male"}),)))
    world = World(with_pathways(made))
    told(world, "refer", "police: ACCEPT")
    assert world.case is not None and world.case.closed == "done"


def test_conditions_may_look_at_the_age_band_and_at_the_home() -> None:
    made = pathway(
        step("police", when=(frozenset({"age_band=12-14"}),)), step("health", when=(frozenset({"home=prizren"}),)), done=["police"]
    )
    world = World(with_pathways(made))
    said = told(world, "refer age_band=12-14 home=prishtine")
    assert any(line.startswith("open police") for line in said) and not any(line.startswith("open health") for line in said)
    assert any(line.startswith("open health") for line in told(world, "traits home=prizren"))


def test_a_list_of_places_is_asked_in_its_order() -> None:
    made = pathway(step("shelter", placement=KIN))
    world = World(with_pathways(made), taken={"shelter-blue-moon.beds": 99})
    said = told(world, "refer", "shelter: DECLINE NO_CAPACITY")
    asked = [line.split(" ")[5] for line in said if line.startswith("offer")]
    assert asked[0] == "children-shelter" and "shelter-blue-moon.beds NO_CAPACITY" in said[-1]


def test_a_place_without_a_limit_is_never_full() -> None:
    services = {id: replace(s, places=None) for id, s in SHIPPED.services.items()}
    world = World(replace(with_pathways(pathway(step("shelter", placement=KIN))), services=services))
    said = told(world, "refer", "shelter: ACCEPT", "shelter: ARRIVE")
    assert any(line.startswith("arrived shelter") for line in said) and not any("NO_CAPACITY" in line for line in said)


def test_a_person_moves_along_a_list_of_places_and_leaves_the_old_one_last() -> None:
    move = step(
        "move", after=frozenset({"shelter.arrived"}), seats=(replace(step("move").seats[0], holder=None, roles=("social-worker",)),)
    )
    made = pathway(step("shelter", placement=KIN, again=frozenset({"move.move"})), move)
    world = World(with_pathways(made))
    said = told(world, "refer", "shelter: ACCEPT", "shelter: ARRIVE", "move: DECIDE move")
    assert any(line.startswith("offer shelter") and "HOLDS_NOW" in line for line in said[-3:]) and not any("MOVED" in line for line in said)
    said = told(world, "shelter: ACCEPT", "shelter: ARRIVE")
    assert any(line.endswith("RELEASED MOVED") for line in said)


def test_who_is_kept_away_from_the_beginning_is_never_asked() -> None:
    world = World(SHIPPED)
    body = world.body("refer")
    assert body is not None
    events = world.put(changed(body, excludes=("agency:police-prishtine", "staff:7")))
    assert isinstance(events[0], CaseOpened) and events[0].excluded == ("agency:police-prishtine", "staff:7")
    (asked,) = [event for event in events if isinstance(event, OfferOpened) and event.step == "police"]
    assert asked.agency != "police-prishtine" and asked.skip == ("7",)
    replayed(world)


def test_a_complaint_is_kept_from_the_agency_that_it_is_about() -> None:
    world = World(SHIPPED)
    told(world, "refer", *["alarm"] * 3, "desk CONFIRM as=ombudsperson task=complaint")
    (raised, *_) = [event for *_, events in world.log for event in events if isinstance(event, CaseRaised)]
    assert raised.excluded == ("agency:police-prishtine",)
    other = World(SHIPPED)
    other.put(raised)
    assert other.case is not None and other.case.excluded == ("agency:police-prishtine",)


def test_what_a_procedure_seals_is_sealed_when_the_case_closes_and_stays_so() -> None:
    world = World(with_pathways(pathway(step("police"), seal=True)))
    told(world, "refer", "police: ACCEPT")
    closed = world.log[-1][3][-1]
    assert isinstance(closed, CaseClosed) and closed.sealed and world.case is not None and world.case.sealed
