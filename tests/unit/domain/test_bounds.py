"""Limits of one case and of one event, and what must never happen again once it is done."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as changed

from referral.domain import events as e
from referral.domain.case import next_due
from referral.domain.policy.directory import Service
from tests.stories.teller import World, policy, replayed

POLICY = policy()


def test_twenty_tracks_are_enough_for_any_case() -> None:
    """A procedure that ends and begins anew without end goes to a desk at the twentieth track, and the case keeps its alarm."""
    world = World(POLICY)
    for line in ("refer concern=child-labour", "withdraw"):
        world.tell(line)
    for count in range(1, 21):
        assert world.case is not None and len(world.case.tracks) == count
        world.put(changed(world.order(["CLOSE"]), track_id=world.case.tracks[-1].track_id))
        world.tell("traits age=adult age_band=18-120")
        said = world.tell("traits age=child age_band=12-14")
    assert any("too-many-tracks" in line for line in said) and len(world.case.tracks) == 20
    assert next_due(world.case) is not None
    replayed(world)


def test_thirty_two_candidates_are_listed_and_then_a_person_looks() -> None:
    house = POLICY.services["health-prishtine.check"]
    many = {f"a{n:02}.check": replace(house, id=f"a{n:02}.check", tags=frozenset({"detention"})) for n in range(40)}
    for count, offered in ((31, True), (32, False), (40, False)):
        services: dict[str, Service] = {**POLICY.services, **dict(list(many.items())[:count])}
        world = World(replace(POLICY, services=services))
        for line in ("refer", "police: ACCEPT", "support: ACCEPT", "csw: ACCEPT"):
            world.tell(line)
        (last,) = [event for event in world.log[-1][3] if getattr(event, "step", "") == "health" and not isinstance(event, e.StepOpened)]
        assert isinstance(last, e.OfferOpened if offered else e.NeedsPerson)
        assert len(last.why.passed) == min(count, 32)
        replayed(world)


def test_what_was_acknowledged_never_climbs_for_want_of_an_acknowledgement() -> None:
    world = World(POLICY)
    world.tell("refer")
    world.tell("police: ACKNOWLEDGE")
    assert world.tell("rung-failed police nobody-on-duty") == ["ignored STALE_RUNG"]
    said = [line for _ in range(6) for line in world.tell("alarm")]
    assert not [
        line for line in said if line.startswith("climb police police-prishtine") or "missed acknowledge police police-prishtine" in line
    ]
    assert "closed police police-prishtine.thbs EXPIRED accept" in said


def test_a_stale_alarm_wakes_nobody() -> None:
    world = World(POLICY)
    world.tell("refer")
    body = world.body("alarm")
    assert body is not None
    world.put(body)
    assert [type(event) for event in world.put(body)] == [e.InputIgnored]


def test_an_emergency_asks_police_and_support_in_one_decision() -> None:
    world = World(POLICY)
    world.tell("refer urgency=emergency")
    asked = {(event.step, event.seat) for event in world.log[0][3] if isinstance(event, e.OfferOpened)}
    assert asked == {(step, 0) for step in ("police", "csw", "support", "shelter", "health")}


def test_an_answer_that_comes_while_nothing_is_open_to_it_changes_no_state_but_the_sequence() -> None:
    world = World(POLICY)
    world.mute = True
    world.tell("refer")
    before = world.case
    assert before is not None
    world.tell("police: ACCEPT by=iom")
    assert world.case is not None and changed(world.case, seq=before.seq, at=before.at) == before


def test_a_complaint_is_proposed_once_for_a_step_and_opened_once() -> None:
    world = World(POLICY)
    world.tell("refer")
    for _ in range(30):
        world.tell("alarm")
    new = [event for *_, events in world.log for event in events if isinstance(event, e.NeedsPerson) and event.why.rule == "complaint"]
    assert [event.step for event in new] == ["police", "csw"] and {event.desk for event in new} == {"ombudsperson"}
    raised = [line for _ in new for line in world.tell("desk CONFIRM as=ombudsperson task=complaint") if line.startswith("raised")]
    assert len(raised) == 2 and "police-prishtine" in raised[0] and "csw-prishtine" in raised[1]
    said = [line for _ in range(30) for line in world.tell("alarm")]
    assert not [line for line in said if line.startswith("raised") or "complaint" in line], "once for each step"


def test_who_reads_what_is_complete() -> None:
    """A step is looked at when something changed that it names, also by way of where the child is."""
    readers = next(pathway for pathway in POLICY.current if pathway.id == "trafficking-child").readers
    assert readers["risk"] == {"risk", "secure", "shelter", "move", "review", "review-centre", "plan"}
    assert readers["police"] == {"police", "support", "risk", "grounds", "conclusive"}
    assert {"risk", "grounds", "reflection"} <= readers["support"]
    assert {"guardian", "risk", "health", "plan", "shelter", "move"} <= readers["csw"]
    assert {"review", "move", "plan"} <= readers["shelter"] and readers["secure"] >= {"secure", "shelter", "move", "review"}


def test_a_child_is_never_moved_to_where_it_lives() -> None:
    """The move is under way when the guardian's word changes: the place that the child has is passed over."""
    world = World(POLICY)
    for line in (
        *("refer", "police: ACCEPT", "support: ACCEPT", "csw: ACCEPT", "shelter: ACCEPT", "shelter: ARRIVE"),
        *("guardian: DECIDE csw-guardian", "guardian-holder: ACCEPT", "representative: ACCEPT"),
        *(*(f"risk.{n}: DECIDE HIGH" for n in range(3)), "secure: DECIDE agree", "secure-judge: ACCEPT"),
        *("secure-court: DECIDE court-orders", "move: DECIDE move"),
        "shelter: DECLINE NO_CAPACITY",
    ):
        world.tell(line)
    said = world.tell("desk SETTLE secure refuse")
    assert any("shelter-blue-moon.beds HOLDS_NOW" in line for line in said), said


def test_a_decision_that_keeps_the_place_goes_to_a_desk_and_to_nobody_else() -> None:
    """Another advocate does not decide the risk of a child whom it has not met."""
    world = World(POLICY)
    for line in ("refer", "police: ACCEPT", "support: ACCEPT", "csw: ACCEPT"):
        world.tell(line)
    said = world.tell("risk.1: DECLINE CONFLICT_OF_INTEREST")
    assert not [line for line in said if line.startswith("offer")]
    assert [line for line in said if "no-candidate for risk.1" in line]


def test_a_person_of_unknown_age_is_sheltered_as_a_child() -> None:
    world = World(POLICY)
    said = [world.tell(line) for line in ("refer age=uncertain age_band=unknown", "police: ACCEPT", "support: ACCEPT", "csw: ACCEPT")]
    assert any(line.startswith("offer shelter to shelter-blue-moon.beds as children-shelter") for line in said[-1]), said[-1]
