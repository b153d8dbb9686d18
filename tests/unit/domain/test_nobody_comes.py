"""Somebody must come: who is reached by telephone, who was never told, and who looked and may look no longer."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from referral.domain import events as e
from referral.domain.case import Offer, find, next_due, open_offers
from referral.domain.durations import MINUTE_US
from referral.domain.evolve import evolve
from referral.domain.inputs import Due
from referral.domain.rules.telephone import missed_by
from referral.domain.rules.unverified import UNVERIFIED
from tests.harness.two_cases.promises import who_is_telephoned
from tests.stories.teller import POLICY as FOLDER
from tests.stories.teller import World, policy

SHIPPED = policy(FOLDER)
BEGINS = [
    "refer",
    "refer urgency=emergency flags=unaccompanied",
    "refer concern=without-parental-care urgency=emergency",
    "refer concern=conflict-with-law age_band=15-17",
    "refer concern=child-labour",
]
"""Referrals whose first offers stand under limits, several of them statutory."""
KNOWN = "rung 2 complaint for"


def world(line: str) -> World:
    made = World(SHIPPED)
    made.tell(line)
    return made


def offers(made: World) -> tuple[Offer, ...]:
    assert made.case is not None
    return open_offers(made.case)


def by_phone(line: str, *more: str) -> tuple[World, e.OfferOpened, e.NeedsPerson]:
    """Go on until an agency on the telephone is asked: the world, its offer, and what the desk is told in the same decision."""
    made = World(SHIPPED)
    for one in (line, *more):
        made.tell(one)
        _, _, _, said = made.log[-1]
        for event in said:
            if isinstance(event, e.OfferOpened) and event.reach is e.Reach.PHONE:
                [task] = [x for x in said if isinstance(x, e.NeedsPerson) and x.offer_id == event.offer_id]
                return made, event, task
    raise AssertionError("nobody on the telephone was asked")


def test_a_call_about_danger_that_nobody_confirmed_says_so() -> None:
    made, _, task = by_phone("refer by=public urgency=emergency found_in=leposaviq")
    assert (task.about, task.why.rule) == ("call", UNVERIFIED)
    made.tell("desk CONFIRM")
    calls = [x for x in made.log[-1][3] if isinstance(x, e.NeedsPerson) and x.about == "call"]
    assert calls and {x.why.rule for x in calls} == {"call"}


KINDS = {
    e.OfferKind.REQUEST: ("refer concern=conflict-with-law age_band=15-17 sex=male", "police: ACCEPT"),
    e.OfferKind.PLACE: ("refer age=adult age_band=18-120 consent=GIVEN sex=male", "police: ACCEPT", "support: ACCEPT"),
    e.OfferKind.NOTIFY: ("refer concern=disability consent=GIVEN giver=parent found_in=dragash", "centre: ACCEPT"),
}
"""A way to an agency on the telephone, by the kind of what it is asked."""


@pytest.mark.parametrize("kind", KINDS)
def test_an_agency_on_the_telephone_is_a_task_of_the_desk_in_the_same_moment(kind: e.OfferKind) -> None:
    made, offer, task = by_phone(*KINDS[kind])
    assert offer.kind is kind
    assert task.about == ("tell" if kind is e.OfferKind.NOTIFY else "call")
    assert offer.due is None or task.due == offer.due
    assert made.case is not None
    who_is_telephoned(made.case)


def decider() -> tuple[World, e.OfferOpened, e.NeedsPerson]:
    """A social worker on the telephone decides about a guardian."""
    lines = ["refer found_in=leposaviq urgency=emergency", "police: ACCEPT", "support: ACCEPT", "csw: ACCEPT"]
    made = World(SHIPPED)
    for line in lines:
        made.tell(line)
    _, _, _, said = made.log[-1]
    [offer] = [x for x in said if isinstance(x, e.OfferOpened) and x.step == "guardian"]
    [task] = [x for x in said if isinstance(x, e.NeedsPerson) and x.offer_id == offer.offer_id]
    return made, offer, task


def test_a_decision_by_telephone_is_a_task_of_the_desk_until_it_is_written_down() -> None:
    made, offer, task = decider()
    assert (offer.reach, offer.kind, task.about, task.due) == (e.Reach.PHONE, e.OfferKind.DECIDE, "call", offer.due)
    assert "desk settled done" in made.tell("guardian: DECIDE csw-guardian phone=dsw")


def test_silence_of_the_desk_is_never_the_agencys() -> None:
    made, offer, task = by_phone("refer found_in=leposaviq")
    made.tell("police: ACCEPT")
    made.tell("support: ACCEPT")
    rungs, ends = [task.rung], []
    while not ends:
        made.tell("alarm")
        _, _, _, said = made.log[-1]
        rungs += [x.rung for x in said if isinstance(x, e.NeedsPerson) and x.offer_id == offer.offer_id]
        ends = [x for x in said if isinstance(x, e.OfferClosed) and x.offer_id == offer.offer_id]
        assert not any(isinstance(x, e.NeedsPerson) and x.about == "complaint" for x in said)
        assert all(x.why.rule == "not-called" for x in said if isinstance(x, e.DeadlinePassed) and x.offer_id == offer.offer_id)
    assert rungs == [0, 1, 2] and ends[0].reason == "not-called"
    assert any(isinstance(x, e.OfferOpened) and x.step == "csw" for x in said), "the next candidate is asked"


def test_an_agency_that_was_called_is_held_to_its_word() -> None:
    made, _, _ = by_phone("refer found_in=leposaviq urgency=emergency")
    for line in ("police: ACCEPT", "support: ACCEPT", "csw: ACKNOWLEDGE phone=dsw"):
        made.tell(line)
    assert any(KNOWN in line for line in made.tell("alarm"))


MOVES = st.tuples(st.sampled_from(["away", "back", "wait"]), st.integers(0, 9), st.integers(0, 3), st.integers(1, 99))


@settings(max_examples=150)
@given(begins=st.sampled_from(BEGINS), helped=st.integers(0, 4), moves=st.lists(MOVES, max_size=25))
def test_our_channels_end_nothing_and_accuse_nobody_before_the_limit(
    begins: str, helped: int, moves: list[tuple[str, int, int, int]]
) -> None:
    """No sequence of failures that are ours: whatever is away, for however long, until the first limit of the case itself has passed."""
    made = world(begins)
    for _ in range(helped):
        help_on(made)
    for what, pick, rung, percent in moves:
        assert made.case is not None
        due = next_due(made.case)
        before = {o.offer_id: (o.rung, o.due) for o in offers(made)}
        if what == "wait":
            made.now += ((due - made.now - 1) * percent // 100) if due is not None and due > made.now + 1 else 0
            continue
        if not before:
            return
        offer = offers(made)[pick % len(before)]
        said: tuple[Any, ...] = made.put(
            e.RungFailed(offer_id=offer.offer_id, rung=rung if pick % 4 == 0 else offer.rung, reason="channels-away", at=made.now)
            if what == "away"
            else e.RungReached(offer_id=offer.offer_id, rung=offer.rung, at=made.now)
        )
        assert {type(x) for x in said} <= {e.OfferUnheard, e.InputIgnored, e.PersonNotNeeded}, said
        assert {o.offer_id: (o.rung, o.due) for o in offers(made)} == before


@pytest.mark.parametrize("says", [True, False], ids=["the notifier says so", "the notifier is mute"])
@settings(max_examples=80)
@given(begins=st.sampled_from(BEGINS), helped=st.integers(0, 4), late=st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_who_was_never_told_is_never_accused(says: bool, begins: str, helped: int, late: list[int]) -> None:
    """Limits pass, one after the other, while no message ever leaves: others are asked and desks are told; nobody is accused."""
    made = world(begins)
    made.mute = True
    for _ in range(helped):
        help_on(made)
    told = {o.offer_id for o in offers(made) if o.state != "OFFERED"}
    for minutes in late:
        for offer in offers(made):
            if says and offer.state == "OFFERED" and not offer.unheard:
                made.put(e.RungFailed(offer_id=offer.offer_id, rung=offer.rung, reason="channels-away", at=made.now))
        assert made.case is not None
        due = next_due(made.case)
        if due is None or made.case.closed:
            return
        made.now = max(made.now, due) + minutes * MINUTE_US
        said = made.put(Due(at=due))
        for event in said:
            if isinstance(event, e.DeadlinePassed) and event.offer_id not in told:
                assert event.why.rule in ("not-told", "not-called")  # type: ignore[attr-defined]
            if isinstance(event, e.NeedsPerson) and event.about == "complaint":
                assert any(isinstance(x, e.DeadlinePassed) and x.offer_id in told for x in said) or event.why.rule == "repeated"
            assert not isinstance(event, e.CaseRaised)


def help_on(made: World) -> None:
    """Somebody who was asked accepts, or decides."""
    assert made.case is not None
    for offer in offers(made):
        found = find(made.case, offer.offer_id)
        assert found is not None
        opened = made.offered[offer.offer_id]
        if offer.state in ("OFFERED", "ACKNOWLEDGED") and opened.kind is not e.OfferKind.NOTIFY:
            code = f"DECIDE {opened.codes[0]}" if opened.codes else "ACCEPT"
            made.tell(f"{found.run.step}.{found.ref[2]}: {code}")
            return


def test_who_is_told_late_is_charged_only_from_the_next_limit_on() -> None:
    """The first message arrives a minute before the limit: that limit was not the police's."""
    made = world("refer")
    for line in ("rung-failed police channels-away", "wait 14 min", "rung-reached police"):
        made.tell(line)
    made.tell("alarm")
    [passed] = [x for x in made.log[-1][3] if isinstance(x, e.DeadlinePassed)]
    assert passed.why.rule == "not-told"
    made.tell("csw: ACCEPT")
    made.tell("alarm")
    [passed] = [x for x in made.log[-1][3] if isinstance(x, e.DeadlinePassed)]
    assert passed.why.rule == "limit"


def test_excluding_whoever_acknowledged_knocks_the_same_rung_anew() -> None:
    made = world("refer")
    made.tell("police: ACKNOWLEDGE person=7")
    due = made.now + 15 * MINUTE_US
    officer = str(uuid.UUID(int=7))
    [_, again] = made.put(e.ActorExcluded(agency="dsw", by=None, kind=e.ActorKind.STAFF, actor=officer, received_at=made.now))
    assert isinstance(again, e.OfferEscalated) and (again.rung, again.due, again.due_what) == (0, due, "acknowledge")
    assert made.offer("police").state == "OFFERED"


def test_excluding_a_colleague_who_did_not_acknowledge_changes_nothing() -> None:
    made = world("refer")
    made.tell("police: ACKNOWLEDGE person=7")
    said = made.tell("exclude staff 00000000-0000-0000-0000-000000000008")
    assert len(said) == 1 and made.offer("police").state == "ACKNOWLEDGED"


def test_an_earlier_version_that_decides_in_between_forgets_who_was_told_as_its_program_does() -> None:
    """While an upgrade goes on, or back: the stored state of the earlier program and the fold of the log are one state."""
    made = world("refer")
    assert made.case is not None and made.case.knocks and made.offer("police").knocked
    known = made.case
    said = e.InputIgnored(why=e.Why(rule="ignored", procedure="", directory="", engine=4, passed=()), reason="NOTHING_CHANGED")
    after = evolve(known, said, known.case_id)
    assert not after.knocks and not any(offer.knocked or offer.told for offer in open_offers(after))
    now = evolve(after, structs.replace(said, why=structs.replace(said.why, engine=5)), known.case_id)
    assert missed_by(open_offers(now)[0]) == "limit", "the offer goes on as the earlier version knows it"
