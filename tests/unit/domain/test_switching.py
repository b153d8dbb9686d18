"""Several procedures for one case: one takes another's place, opens it beside itself, or waits for it."""

from __future__ import annotations

from dataclasses import replace

from referral.domain import events as e
from referral.domain.case import holds, next_due, open_offers
from referral.domain.decide import places_wanted
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Change, Placement
from tests.harness.made_up import pathway, step, told, with_pathways
from tests.stories.teller import World

ADULT = Change(when=(frozenset({"age=adult"}),), switch_to="trafficking-adult")
BEDS = Placement(by="", roles={}, until_known=("children-shelter", "ngo-shelter"), secure=frozenset(), needs=frozenset(), ends=frozenset())


def two(*, changes: tuple[Change, ...], other: str = "trafficking-adult") -> Policy:
    """One procedure for everybody, and another that only a change begins."""
    shelter = step("shelter", placement=BEDS, after=frozenset({"police.accepted"}))
    first = pathway(step("police"), shelter, step("health"), changes=changes, applies=(frozenset({"concern=trafficking"}),))
    second = pathway(
        step("police"), shelter, step("plan", seats=step("health").seats), id=other, applies=(frozenset({"concern=disability"}),)
    )
    return with_pathways(first, second)


def test_a_case_that_belongs_elsewhere_goes_there_with_whoever_is_there_already() -> None:
    world = World(two(changes=(ADULT,)))
    told(world, "refer", "police: ACCEPT", "shelter: ACCEPT", "shelter: ARRIVE")
    assert world.case is not None
    before = holds(world.case)
    said = told(world, "traits age=adult age_band=15-17")
    assert said[2:].count("track trafficking-adult OPENED ") == 1 or "track trafficking-adult OPENED" in said
    assert world.case is not None and holds(world.case) == before
    assert [(t.pathway, t.outcome) for t in world.case.tracks] == [("trafficking-child", "switched"), ("trafficking-adult", "")]
    assert world.case.tracks[1].opened_by == world.case.tracks[0].track_id
    open_ = {(offer.agency, offer.state) for offer in open_offers(world.case)}
    assert ("police-prishtine", "ACCEPTED") in open_ and ("shelter-blue-moon", "ARRIVED") in open_
    assert said.index(next(line for line in said if line.startswith("arrived shelter"))) < said.index(
        next(line for line in said if line.startswith("closed shelter"))
    ), "never nobody"
    assert not any(line.startswith(("offer police", "offer shelter")) and "until" in line and "next" in line for line in said)


def test_nobody_is_woken_for_what_is_carried_over() -> None:
    world = World(two(changes=(ADULT,)))
    told(world, "refer", "police: ACCEPT", "shelter: ACCEPT")
    told(world, "traits age=adult by=dsw")
    opened = [event for event in world.log[-1][3] if isinstance(event, e.OfferOpened)]
    assert {event.step for event in opened if event.why.rule == "carried-over"} == {"police", "shelter"}
    assert {event.step for event in opened if event.why.rule != "carried-over"} == {"plan"}


def test_a_decision_of_the_same_codes_is_not_asked_again_and_its_holder_is_known() -> None:
    asked = replace(step("guardian").seats[0], holder=None, roles=("social-worker",), areas=("found-in",))
    guardian = step("guardian", seats=(asked,))
    stay = step(
        "best-interest", seats=(replace(step("best-interest").seats[0], holder=("guardian", 0)),), after=frozenset({"guardian.decided"})
    )
    first = pathway(guardian, step("police"), changes=(ADULT,), applies=(frozenset({"concern=trafficking"}),))
    second = pathway(guardian, stay, id="trafficking-adult", applies=(frozenset({"concern=disability"}),))
    world = World(with_pathways(first, second))
    told(world, "refer", "guardian: DECIDE relative")
    said = told(world, "traits age=adult by=dsw")
    assert "decided guardian relative PERSON" in said and any(line.startswith("offer best-interest to csw-prishtine") for line in said)


def test_a_case_is_opened_beside_once() -> None:
    change = Change(when=(frozenset({"health.accepted"}),), also_open="trafficking-adult")
    world = World(two(changes=(change,)))
    said = told(world, "refer", "health: ACCEPT")
    assert "track trafficking-adult OPENED" in said
    assert world.case is not None and world.case.tracks[1].opened_by == world.case.tracks[0].track_id
    told(world, *["alarm"] * 3, "desk CLOSE")
    world = World(two(changes=(change,)))
    told(world, "refer", "health: ACCEPT")
    assert world.case is not None
    body = replace_track(world, world.case.tracks[1].track_id)
    world.put(body)
    said = told(world, "police: ACCEPT")
    assert not any("OPENED" in line for line in said) and len(world.case.tracks) == 2, "not again after it has ended"


def replace_track(world: World, track_id: str) -> e.InstructionGiven:
    from msgspec.structs import replace as changed

    return changed(world.order(["CLOSE"]), track_id=track_id)


def test_a_track_waits_for_another_and_goes_on_with_fresh_limits() -> None:
    change = Change(when=(frozenset({"health.accepted"}),), also_open="trafficking-adult", pause=True)
    world = World(two(changes=(change,)))
    said = told(world, "refer", "health: ACCEPT")
    assert "track trafficking-child PAUSED" in said and "track trafficking-adult OPENED" in said
    assert world.case is not None and world.case.tracks[0].paused_by == "trafficking-adult"
    first = {offer.offer_id for run in world.case.tracks[0].runs for seat in run.seats if (offer := seat.offer)}
    for _ in range(6):
        world.tell("alarm")
        for event in world.log[-1][3]:
            assert getattr(event, "offer_id", None) not in first, "nobody of a track that waits is woken"
    assert world.case is not None
    world.put(replace_track(world, world.case.tracks[1].track_id))
    assert world.case is not None and world.case.tracks[0].paused_by == ""
    said = [world.short(event) for event in world.log[-1][3]]
    assert "track trafficking-child RESUMED" in said and any(line.startswith("climb police") and "rung 0" in line for line in said)
    assert (next_due(world.case) or 0) > world.now
    told(world, "police: ACKNOWLEDGE")
    assert world.case is not None and world.case.tracks[0].paused_by == "", "it waits once"


def test_what_a_desk_lets_go_on_does_not_wait_again() -> None:
    change = Change(when=(frozenset({"health.accepted"}),), also_open="trafficking-adult", pause=True)
    world = World(two(changes=(change,)))
    told(world, "refer", "health: ACCEPT", "desk RESUME")
    assert world.case is not None and world.case.tracks[0].paused_by, "an order that names no procedure lets nothing go on that waits"
    told(world, "desk RESUME . in=trafficking-child")
    assert world.case is not None and not world.case.tracks[0].paused_by


def test_a_track_that_ended_while_it_was_stopped_stays_ended() -> None:
    change = Change(when=(frozenset({"health.accepted"}),), also_open="trafficking-adult")
    world = World(two(changes=(change,)))
    told(world, "refer", "health: ACCEPT", "desk STOP")
    assert world.case is not None and len(world.case.tracks) == 2
    first, second = world.case.tracks
    world.put(replace_track(world, first.track_id))
    said = told(world, "desk RESUME")
    assert world.case is not None and world.case.tracks[0].outcome == "closed-by-desk"
    assert not any(event.track_id == first.track_id for event in world.log[-1][3] if isinstance(event, e.TrackChanged))
    assert "track trafficking-adult RESUMED" in said, "the other one goes on"
    told(world, "desk STOP")
    world.put(replace_track(world, second.track_id))
    assert not any("RESUMED" in line for line in told(world, "desk RESUME")), "none is left to go on"


def test_a_procedure_that_is_not_in_force_goes_to_a_desk_once() -> None:
    world = World(two(changes=(Change(when=(frozenset({"age=adult"}),), switch_to="juvenile-justice"),)))
    told(world, "refer")
    assert any("other-pathway" in line for line in told(world, "traits age=adult"))
    told(world, "desk RESUME")
    assert not any("other-pathway" in line for line in told(world, "traits age=adult sex=male"))


def test_what_a_new_policy_makes_possible_is_found_by_the_next_alarm() -> None:
    """Any other alarm looks only at what has changed since the case's last input, and at seats that nobody has."""
    both = two(changes=(ADULT,))
    world = World(replace(both, current=both.current[:1]))
    told(world, "refer", "police: ACCEPT", "shelter: ACCEPT", "shelter: ARRIVE", "health: ACCEPT", "traits age=adult")
    world.policy = both
    assert not any(line.startswith("track") for line in world.tell("alarm"))
    world.bundle = 2
    assert "track trafficking-adult OPENED" in world.tell("alarm")


def test_places_of_a_procedure_that_an_answer_begins_are_locked() -> None:
    change = Change(when=(frozenset({"health.accepted"}),), also_open="trafficking-adult")
    shelter = step("shelter", placement=BEDS)
    first = pathway(step("health"), changes=(change,), applies=(frozenset({"concern=trafficking"}),))
    second = pathway(shelter, id="trafficking-adult", applies=(frozenset({"concern=disability"}),))
    world = World(with_pathways(first, second))
    told(world, "refer")
    said = told(world, "health: ACCEPT")
    assert any(line.startswith("offer shelter to shelter-blue-moon.beds") and "NO_CAPACITY" not in line for line in said)
    cause = world.log[-1][1]
    assert "shelter-blue-moon.beds" in places_wanted(world.log[-1][0], cause, world.policy)
