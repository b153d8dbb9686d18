"""Small things that no story tells: places within one decision, raised cases, an unknown procedure, an old state, a closed log."""

from __future__ import annotations

import uuid
from dataclasses import replace

import msgspec
import pytest

from referral.domain import events as e
from referral.domain.case import Case, holds, next_due, open_offers
from referral.domain.decide import DECIDES, decide, places_wanted
from referral.domain.evolve import FOLDS, evolve
from referral.domain.inputs import Input, Source, derived
from referral.domain.policy import ENGINE
from referral.domain.rules.context import DecisionContext
from tests.harness.erased import PLAIN
from tests.stories.teller import CASE, START, TRAITS, World, policy

POLICY = policy()
PLACED = ("refer", "police: ACCEPT", "support: ACCEPT", "csw: ACCEPT")


def told(*lines: str) -> World:
    world = World(POLICY)
    for line in lines:
        world.tell(line)
    return world


def cause(body: msgspec.Struct) -> Input:
    return Input(id=str(uuid.UUID(int=0xBEEF)), case_id=CASE, body=body, source=Source(topic="queue"))


def facts(**free: int) -> e.Facts:
    return e.Facts(now=START, engine=ENGINE, free={id.replace("_", "-") + ".beds": n for id, n in free.items()})


def test_a_place_given_back_or_taken_in_a_decision_counts_at_once() -> None:
    case = told(*PLACED).case
    assert case is not None and holds(case) == {"shelter-blue-moon.beds": 1}
    d = DecisionContext(case, cause(PLAIN), facts(shelter_blue_moon=0), POLICY)
    assert d.free("shelter-blue-moon.beds") == 0
    offer = next(o for o in open_offers(case) if o.service == "shelter-blue-moon.beds")
    d.close(offer, e.How.RELEASED, "DESK", "instruction", case.tracks[0])
    assert d.free("shelter-blue-moon.beds") == 1
    taken = DecisionContext(None, cause(PLAIN), facts(shelter_blue_moon=1), POLICY)
    taken.case = case
    assert taken.free("shelter-blue-moon.beds") == 0


def test_a_raised_case_opens_at_the_ombudsperson() -> None:
    raised = e.CaseRaised(
        why=e.Why(rule="missed-deadline", procedure="", directory="", engine=ENGINE, passed=()),
        new_case_id=CASE,
        pathway="rights-violation",
        traits=msgspec.structs.replace(TRAITS, concern="rights-violation"),
        about="deadline-missed",
    )
    opened, track, *rest = said = decide(None, cause(raised), facts(), POLICY)
    assert isinstance(opened, e.CaseOpened) and isinstance(track, e.TrackChanged)
    assert opened.agency == "ombudsperson" and track.pathway == "rights-violation"
    assert {event.step for event in rest if isinstance(event, (e.StepOpened, e.NeedsPerson, e.OfferOpened))} == {"team"}
    case = None
    for event in said:
        case = evolve(case, event, CASE)
    again = decide(case, cause(raised), facts(), POLICY)
    assert [type(event) for event in again] == [e.InputIgnored]


def test_a_track_whose_procedure_is_not_known_stands_at_a_desk() -> None:
    world = told("refer")
    alarm, case = world.body("alarm"), world.case
    assert case is not None and alarm is not None
    now = msgspec.structs.replace(facts(), now=world.now)
    for event in (asked := decide(case, cause(alarm), now, replace(POLICY, pinned={}))):
        case = evolve(case, event, CASE)
    assert {event.about for event in asked if isinstance(event, e.NeedsPerson)} == {"procedure-unknown"}
    assert (next_due(case) or 0) > world.now


def test_most_inputs_lock_no_place() -> None:
    world = told(*PLACED)
    body = world.body("support: ARRIVE")
    assert body is not None and places_wanted(world.case, cause(body), POLICY) == ()
    body = world.body("shelter: DECLINE NO_CAPACITY")
    assert body is not None and "shelter-linden.beds" in places_wanted(world.case, cause(body), POLICY)


def test_every_event_of_the_topic_has_a_fold_and_every_input_a_handler() -> None:
    routing = {kind for kind in e.EVENTS.values() if kind.TOPIC == "referral-routing"}
    assert routing == set(FOLDS)
    passive = {e.SectionDisclosed, e.SectionWritten, e.CaseErased, e.KnockSent, e.KnockDelivered, e.KnockFailed, e.RosterChanged}
    passive.add(e.AccountChanged)
    read = {kind for kind in e.EVENTS.values() if kind.TOPIC in ("referral-intake", "referral-notification")}
    assert read - passive <= DECIDES


def test_a_log_read_out_of_order_is_refused() -> None:
    accepted = e.OfferAcknowledged(
        why=e.Why(rule="answer", procedure="", directory="", engine=ENGINE, passed=()), offer_id=CASE, by=None, due=None, due_what=""
    )
    with pytest.raises(LookupError):
        evolve(Case(case_id=CASE), accepted, CASE)


def test_a_state_of_an_older_release_loads_without_the_fields_it_did_not_have() -> None:
    case = msgspec.json.decode(b'{"case_id": "c", "seq": 3, "tracks": [{"track_id": "t", "pathway": "p", "digest": "d"}]}', type=Case)
    assert (case.seq, case.tracks[0].runs, case.tasks, next_due(case)) == (3, (), (), None)


def test_no_id_is_given_twice_in_a_decision() -> None:
    events = [event for *_, said in told(*PLACED).log for event in said]
    ids = [event.offer_id for event in events if isinstance(event, e.OfferOpened)]
    assert len(ids) == len(set(ids)) and derived(CASE, 1) != derived(CASE, 11)


def test_what_is_printed_says_nothing_about_a_person() -> None:
    case = told(*PLACED).case
    assert case is not None and TRAITS.found_in not in repr(case) and "12-14" not in repr(case)


def test_two_hundred_seats_are_enough_for_any_case() -> None:
    """A review that is repeated without end goes to a desk at the two hundredth seat, and the case still has its alarm."""
    world = told(*PLACED, "shelter: ACCEPT", "shelter: ARRIVE", "guardian: DECIDE csw-guardian", "guardian-holder: ACCEPT")
    for line in (
        "representative: ACCEPT",
        *(f"risk.{n}: DECIDE HIGH" for n in range(3)),
        "secure: DECIDE agree",
        "secure-judge: ACCEPT",
        "secure-court: DECIDE court-orders",
        "move: DECIDE move",
        "shelter: ACCEPT",
        "shelter: ARRIVE",
        "review-centre: ACCEPT",
    ):
        world.tell(line)
    rounds = 0
    while not any("too-many-seats" in said for said in world.tell("review: DECIDE remain")):
        rounds += 1
        assert rounds < 200
    case = world.case
    assert case is not None and sum(len(run.seats) for run in case.tracks[0].runs) == 200
    assert next_due(case) is not None and case.tasks
    assert all(len(events) < 10 for *_, events in world.log[-rounds:])
