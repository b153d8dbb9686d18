"""What knocks follow from what was decided: each question once, nothing to who must not hear, nothing for what is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from referral.domain.events import (
    How,
    NeedsPerson,
    OfferAccepted,
    OfferAcknowledged,
    OfferClosed,
    OfferEscalated,
    OfferHeld,
    OfferKind,
    OfferOpened,
    OfferReopened,
    PersonNotNeeded,
    Reach,
    SectionDisclosed,
    Why,
)
from referral.domain.rules.answers import BY_HANDSET
from services.notifier.duty import Person, Roster
from services.notifier.plan import (
    LAST_CALL,
    REPEAT_GAP,
    REPEATS,
    Plan,
    Question,
    State,
    Told,
    answer,
    exclude,
    follow,
    plan,
    reopens,
    unheard,
    wanted,
    written,
)

MINUTE = 60 * 1_000_000
WHY = Why(**{name: {"passed": (), "engine": 1}.get(name, 1 if name == "bundle" else "") for name in Why.__struct_fields__})
DESKS = Roster(
    tuple(Person(f"{desk}-{n}", desk, ("focal-point", "back-up")[n : n + 1], ("email",)) for desk in ("desk", "dsw") for n in range(2))
)
STAFF = Roster(tuple(Person(f"{rung}-{n}", "police", (rung,), ("email",)) for rung in ("duty", "back-up") for n in range(2)))


def opened(**changes: Any) -> OfferOpened:
    values: dict[str, Any] = dict.fromkeys(OfferOpened.__struct_fields__, "")
    values |= dict.fromkeys(("shows", "words", "reasons", "codes", "needs", "skip"), ())
    values |= {"head": None, "why": WHY, "round": 0, "seat": 0, "kind": OfferKind.REQUEST, "reach": Reach.WEB, "rung": 0}
    values |= {"offer_id": "offer", "agency": "police", "ladder": ("duty", "back-up"), "due": 15 * MINUTE, "due_what": "acknowledge"}
    return OfferOpened(**(values | changes))


def needs(rung: int = 0, desk: str = "police") -> NeedsPerson:
    return NeedsPerson(why=WHY, task_id="task", desk=desk, about="", step="", seat=-1, rung=rung, due=None)


def known(event: Any, asked: Question | None = None, at: int = 0) -> Question:
    after = follow(asked, event, case_id="case", at=at, drill=False)
    assert after is not None
    return after


def people(made: Plan) -> list[str]:
    return [k.person for k in made.knocks]


def test_an_offer_knocks_everybody_on_duty_and_then_twice_more_before_its_limit() -> None:
    asked, at, moments = known(opened()), 0, []
    while asked.next_at is not None:
        at = asked.next_at
        made = plan(asked, STAFF, at)
        moments.append((at // MINUTE, [k.again for k in made.knocks]))
        assert people(made) == ["duty-0", "duty-1"]
        asked = made.asked
    assert moments == [(0, [0, 0]), (5, [1, 1]), (10, [2, 2])]
    assert plan(asked, STAFF, 60 * MINUTE).knocks == ()


def test_whoever_is_on_duty_at_the_repeat_hears_it() -> None:
    made = plan(known(opened()), STAFF, 0)
    handover = Roster((Person("fresh", "police", ("duty",), ("email",)),))
    assert people(plan(made.asked, handover, 5 * MINUTE)) == ["fresh"]


@pytest.mark.parametrize(
    "answer",
    [
        OfferAcknowledged(why=WHY, offer_id="offer", due=None, due_what=""),
        OfferAccepted(why=WHY, offer_id="offer", late=False, due=None, due_what=""),
        OfferHeld(why=WHY, offer_id="offer", reason="", due=None),
        OfferClosed(why=WHY, offer_id="offer", how=How.CANCELLED, reason=""),
    ],
)
def test_after_an_answer_nothing_knocks_ever_again(answer: Any) -> None:
    asked = known(answer, plan(known(opened()), STAFF, 0).asked)
    assert asked.state is not State.OPEN
    assert all(plan(asked, STAFF, at).knocks == () for at in (0, 5 * MINUTE, 10**15))


def acknowledged(rule: str, due: int | None = 75 * MINUTE) -> OfferAcknowledged:
    return OfferAcknowledged(why=structs.replace(WHY, rule=rule), offer_id="offer", by="duty-0", due=due, due_what="accept")


def test_a_forgotten_acknowledgement_is_reminded_of_sooner_if_it_came_from_a_handset() -> None:
    """At a third of the time to accept, and ten minutes before its end; after a real one at half."""
    for rule, moments in ((BY_HANDSET, [15 + 20, 65]), ("answer", [15 + 30, 65])):
        asked, seen = known(acknowledged(rule), known(opened()), at=15 * MINUTE), []
        assert asked.state is State.ANSWERED and plan(asked, STAFF, 16 * MINUTE).knocks == ()
        while asked.next_at is not None:
            seen.append(asked.next_at // MINUTE)
            made = plan(asked, STAFF, asked.next_at)
            assert people(made) == ["duty-0", "duty-1"] and made.failed is None and made.asked.state is State.OPEN
            asked = made.asked
        assert seen == moments


def test_whoever_opens_the_offer_is_reminded_before_the_end_alone() -> None:
    asked = known(acknowledged(BY_HANDSET), known(opened()), at=15 * MINUTE)
    read = SectionDisclosed(**{**dict.fromkeys(SectionDisclosed.__struct_fields__, ""), "offer_id": "offer"})
    after = known(read, asked, at=17 * MINUTE)
    assert (after.state, after.next_at) == (State.ANSWERED, 65 * MINUTE)
    taken = known(OfferAccepted(why=WHY, offer_id="offer", by=None, late=False, due=None, due_what=""), after, at=18 * MINUTE)
    assert taken.next_at is None


def test_what_is_open_again_is_reminded_of_as_any_acceptance_and_wakes_nobody_at_once() -> None:
    back = {"offer_id": "offer", "by": None, "due": 75 * MINUTE, "due_what": "complete"}
    for how, event in (
        (How.COMPLETED, OfferReopened(why=WHY, track_id="t", step="s", arrived=False, done_at=None, **back)),
        (How.EXPIRED, OfferAccepted(why=WHY, late=True, **back)),
    ):
        over = known(OfferClosed(why=WHY, offer_id="offer", how=how, reason=""), known(opened()))
        assert over.state is State.CLOSED and reopens(event)
        again = known(event, over, at=15 * MINUTE)
        assert (again.state, again.taken, again.due, again.next_at) == (State.ANSWERED, True, 75 * MINUTE, 45 * MINUTE)
        assert plan(again, STAFF, 15 * MINUTE).knocks == () and people(plan(again, STAFF, 45 * MINUTE)) == ["duty-0", "duty-1"]
        assert known(OfferEscalated(why=WHY, offer_id="offer", rung=1, due=9, due_what=""), over) == over, "nothing else opens it"
    assert not reopens(OfferAccepted(why=WHY, late=False, **back))


def test_a_reminder_that_finds_nobody_on_duty_fails_no_rung() -> None:
    asked = known(acknowledged("answer"), known(opened()), at=15 * MINUTE)
    assert plan(asked, Roster(), 45 * MINUTE).failed is None


def test_cannot_asks_the_others_at_once_and_all_who_cannot_fail_the_rung_once() -> None:
    asked = plan(known(opened()), STAFF, 0).asked
    told = Told(frozenset({"duty-0", "duty-1"}))
    one = answer(asked, "duty-0", False, MINUTE)
    made = plan(one, STAFF, MINUTE, told)
    assert (made.knocks, made.failed, made.asked.cannot) == ((), None, ("duty-0",))
    assert not wanted(made.asked, 0, "duty-0", STAFF, MINUTE) and wanted(made.asked, 0, "duty-1", STAFF, MINUTE)
    both = answer(made.asked, "duty-1", False, 2 * MINUTE)
    ended = plan(both, STAFF, 2 * MINUTE, told)
    assert (ended.knocks, ended.failed) == ((), "all-cannot")
    climbed = known(
        OfferEscalated(why=WHY, offer_id="offer", rung=1, reason="all-cannot", due=30 * MINUTE, due_what="acknowledge"), ended.asked
    )
    assert climbed.cannot == () and people(plan(climbed, STAFF, 0)) == ["back-up-0", "back-up-1"]


def test_a_desks_task_asks_everybody_again_when_routing_repeats_it() -> None:
    """At the top rung it is repeated for ever: "I cannot" of yesterday must not silence it."""
    asked = plan(known(needs(2, "desk")), DESKS, 0).asked
    for person in ("desk-0", "desk-1"):
        asked = answer(asked, person, False, MINUTE)
    ended = plan(asked, DESKS, MINUTE, Told(frozenset({"desk-0", "desk-1"})))
    assert (ended.knocks, ended.failed) == ((), "all-cannot")
    again = plan(known(needs(2, "desk"), ended.asked, at=60 * MINUTE), DESKS, 60 * MINUTE)
    assert people(again) == ["desk-0", "desk-1"] and {k.again for k in again.knocks} == {1}


def test_looks_ends_the_knocking_before_routing_has_said_so() -> None:
    asked = plan(known(opened()), STAFF, 0).asked
    after = answer(asked, "duty-0", True, MINUTE)
    assert (after.state, plan(after, STAFF, 60 * MINUTE).knocks) == (State.ANSWERED, ())


def test_the_next_rung_is_knocked_from_the_start() -> None:
    asked = known(
        OfferEscalated(why=WHY, offer_id="offer", rung=1, due=30 * MINUTE, due_what="acknowledge"), plan(known(opened()), STAFF, 0).asked
    )
    made = plan(asked, STAFF, 15 * MINUTE)
    assert [(k.person, k.rung, k.again) for k in made.knocks] == [("back-up-0", 1, 0), ("back-up-1", 1, 0)]


def test_a_rung_without_people_fails_at_once_and_once() -> None:
    made = plan(known(opened(ladder=("night",))), STAFF, 0)
    assert (made.knocks, made.failed, made.asked.next_at) == ((), "nobody-on-duty", None)
    assert plan(known(opened(skip=("staff:duty-0", "duty-1"))), STAFF, 0).failed == "all-excluded"


def test_people_without_an_address_are_named_and_fail_the_rung() -> None:
    mute = Roster((Person("mute", "police", ("duty",), ()),))
    made = plan(known(opened()), mute, 0)
    assert (made.failed, [p.account for p in made.mute]) == ("all-channels-failed", ["mute"])


def test_a_notice_knocks_once_and_its_completion_does_not_take_that_back() -> None:
    asked = known(OfferClosed(why=WHY, offer_id="offer", how=How.COMPLETED, reason=""), known(opened(kind=OfferKind.NOTIFY, due=None)))
    made = plan(asked, STAFF, 0)
    assert people(made) == ["duty-0", "duty-1"]
    assert made.asked.next_at is None
    cancelled = known(OfferClosed(why=WHY, offer_id="offer", how=How.CANCELLED, reason=""), asked)
    assert plan(cancelled, STAFF, 0).knocks == ()


def test_an_agency_reached_by_telephone_is_not_knocked_on_any_rung() -> None:
    """Its desk is: as a task of its own."""
    offer = opened(reach=Reach.PHONE)
    asked = follow(None, offer, case_id="case", at=0, drill=False)
    for rung in (1, 2):
        climbs = OfferEscalated(why=WHY, offer_id=offer.offer_id, rung=rung, reason="acknowledge", due=9, due_what="acknowledge")
        asked = follow(asked, climbs, case_id="case", at=0, drill=False)
        assert asked is None or plan(asked, STAFF, 0).knocks == ()


def test_a_call_about_what_nobody_confirmed_comes_in_crowds_as_the_report_does() -> None:
    first = structs.replace(needs(), about="call", offer_id="offer", why=structs.replace(WHY, rule="unverified"))
    again = structs.replace(first, rung=1, why=structs.replace(WHY, rule="repeated"))
    assert known(first).crowd and known(again, known(first)).crowd
    assert known(structs.replace(first, about="confirm-referral", why=structs.replace(WHY, rule="confirm-referral"))).crowd
    assert not known(structs.replace(first, why=structs.replace(WHY, rule="call"))).crowd


def test_nobody_is_woken_for_a_seat_that_goes_on_under_another_procedure() -> None:
    for kind in (OfferKind.REQUEST, OfferKind.NOTIFY):
        carried = known(opened(kind=kind, why=structs.replace(WHY, rule="carried-over")))
        assert plan(carried, STAFF, 0).knocks == ()
        assert plan(known(opened(kind=kind)), STAFF, 0).knocks


def test_an_agency_system_without_people_is_left_to_look_by_itself() -> None:
    assert plan(known(opened(reach=Reach.SYSTEM, agency="hospital")), STAFF, 0).failed is None
    assert people(plan(known(opened(reach=Reach.SYSTEM)), STAFF, 0)) == ["duty-0", "duty-1"]


def test_a_hole_is_urgent_untaken_and_has_nobody_on_duty_with_a_loud_channel() -> None:
    loud, asked = frozenset({"sms", "voice"}), known(opened(due=120 * MINUTE))
    heard = Roster((Person("a", "police", ("duty",), ("email", "voice")), Person("b", "police", ("back-up",), ("voice",))))
    assert unheard(asked, STAFF, 0, loud), "e-mail wakes nobody"
    assert not unheard(asked, heard, 0, loud)
    assert unheard(exclude(asked, ("a",)), heard, 0, loud), "whoever must not hear of it is nobody"
    assert unheard(answer(asked, "a", False, 0), heard, 0, loud), "whoever cannot neither"
    assert not unheard(answer(asked, "a", True, 0), STAFF, 0, loud), "somebody looks"
    assert not unheard(known(opened(due=121 * MINUTE)), STAFF, 0, loud), "it can wait"
    assert not unheard(known(acknowledged("", due=60 * MINUTE), asked), STAFF, 0, loud), "somebody has it"
    assert not unheard(known(opened(due=60 * MINUTE, reach=Reach.SYSTEM, agency="other")), STAFF, 0, loud), "a system reads it"


def test_a_desk_hears_of_its_task_whenever_routing_repeats_it() -> None:
    asked, heard = known(needs(0, "desk")), []
    for rung, desk in ((0, "desk"), (1, "dsw"), (2, "dsw"), (2, "dsw")):
        asked = known(needs(rung, desk), asked) if heard else asked
        made = plan(asked, DESKS, 0)
        heard.append([(k.person, k.rung, k.again) for k in made.knocks])
        assert made.asked.next_at is None
        asked = made.asked
    assert heard == [
        [("desk-0", 0, 0), ("desk-1", 0, 0)],
        [("dsw-0", 1, 0), ("dsw-1", 1, 0)],
        [("dsw-0", 2, 0), ("dsw-1", 2, 0)],
        [("dsw-0", 2, 1), ("dsw-1", 2, 1)],
    ]
    settled = known(PersonNotNeeded(why=WHY, task_id="task", how=""), asked)
    assert plan(settled, DESKS, 10**15).knocks == ()


def test_who_has_answered_is_knocked_once_for_what_another_wrote_until_it_is_read() -> None:
    accepted = OfferAccepted(why=WHY, offer_id="offer", by=None, late=False, due=None, due_what="")
    read = SectionDisclosed(offer_id="offer", agency="police", by=None, section="location", basis="offer", at=0)
    asked = plan(known(opened()), STAFF, 0).asked
    assert written(asked, 1) == asked, "who has not answered is knocked anyway"
    assert follow(asked, read, case_id="case", at=1, drill=False) == asked, "to read is not to answer"
    asked = known(accepted, asked)
    news = written(asked, MINUTE)
    made = plan(news, STAFF, MINUTE)
    assert people(made) == ["duty-0", "duty-1"] and made.failed is None and made.asked.next_at is None
    assert plan(news, Roster(()), MINUTE).failed is None, "no rung fails by it"
    assert known(read, made.asked).state is State.ANSWERED
    again = plan(written(known(read, made.asked), 2 * MINUTE), STAFF, 2 * MINUTE)
    assert {k.again for k in again.knocks}.isdisjoint(k.again for k in made.knocks), "another knock, not the same one"


def test_a_section_that_another_writes_takes_no_reminder_away() -> None:
    """The limit of what somebody had taken ran out in silence."""
    acknowledged = OfferAcknowledged(why=WHY, offer_id="offer", due=63 * MINUTE, due_what="accept")
    read = SectionDisclosed(offer_id="offer", agency="police", by=None, section="location", basis="offer", at=0)
    asked = follow(plan(known(opened()), STAFF, 0).asked, acknowledged, case_id="case", at=3 * MINUTE, drill=False)
    assert asked is not None
    news = plan(written(asked, 8 * MINUTE), STAFF, 8 * MINUTE)
    assert people(news) == ["duty-0", "duty-1"] and news.asked.taken and news.asked.due == asked.due
    assert news.asked.next_at is not None and news.asked.next_at < 63 * MINUTE
    after = follow(news.asked, read, case_id="case", at=9 * MINUTE, drill=False)
    assert after is not None and after.next_at == 63 * MINUTE - LAST_CALL


def test_a_reminder_that_falls_into_a_hole_of_the_rota_leaves_the_last_one() -> None:
    accepted = OfferAccepted(why=WHY, offer_id="offer", by=None, late=False, due=12 * 60 * MINUTE, due_what="arrive")
    asked = known(accepted, plan(known(opened()), STAFF, 0).asked)
    assert asked.next_at is not None
    hole = plan(asked, Roster(()), asked.next_at)
    assert not hole.knocks and hole.failed is None and hole.asked.next_at == 12 * 60 * MINUTE - LAST_CALL
    last = plan(hole.asked, STAFF, hole.asked.next_at)
    assert people(last) == ["duty-0", "duty-1"]
    nobody = replace(plan(asked, STAFF, asked.next_at).asked, handover=asked.next_at + MINUTE)
    relieved = plan(nobody, Roster(()), asked.next_at + MINUTE)
    assert relieved.failed is None and relieved.asked.next_at == nobody.next_at, "whoever has taken it is no rung that failed"


def test_who_is_excluded_from_the_case_ends_no_knocking() -> None:
    asked = plan(exclude(known(opened()), ("duty-0",)), STAFF, 0).asked
    assert answer(asked, "duty-0", True, MINUTE) == asked == answer(asked, "duty-0", False, MINUTE)
    assert answer(asked, "duty-1", True, MINUTE).state is State.ANSWERED


def test_events_of_an_unknown_offer_say_nothing() -> None:
    event = OfferAcknowledged(why=WHY, offer_id="other", due=None, due_what="")
    assert follow(None, event, case_id="case", at=0, drill=False) is None


EVENTS = st.sampled_from(
    [
        OfferAcknowledged(why=WHY, offer_id="offer", due=None, due_what=""),
        OfferAccepted(why=WHY, offer_id="offer", late=False, due=None, due_what=""),
        OfferEscalated(why=WHY, offer_id="offer", rung=1, due=90 * MINUTE, due_what="acknowledge"),
        OfferEscalated(why=WHY, offer_id="offer", rung=0, due=None, due_what=""),
        OfferClosed(why=WHY, offer_id="offer", how=How.EXPIRED, reason=""),
        OfferClosed(why=WHY, offer_id="offer", how=How.COMPLETED, reason=""),
        needs(0),
        needs(1),
        PersonNotNeeded(why=WHY, task_id="task", how=""),
        "look",
        "exclude",
    ]
)


@given(
    first=st.sampled_from([opened(), opened(kind=OfferKind.NOTIFY), opened(due=MINUTE), needs()]),
    script=st.lists(st.tuples(EVENTS, st.integers(0, 20 * MINUTE)), max_size=40),
)
def test_no_knock_twice_none_when_closed_none_to_the_excluded_and_no_storm(first: Any, script: list[tuple[Any, int]]) -> None:
    asked, at, keys, told = known(first), 0, [], 1
    mine = "task_id" if asked.task else "offer_id"
    for event, later in script:
        at += later
        if event == "exclude":
            asked = exclude(asked, ("duty-0",))
        elif event != "look" and hasattr(event, mine):
            told += 1
            asked = known(event, asked, at) if asked.state is not State.CLOSED else asked
        before = asked
        made = plan(asked, STAFF, at)
        asked = made.asked
        keys += [(k.rung, k.again, k.person, k.channel) for k in made.knocks]
        assert made.knocks == () or before.state is State.OPEN
        assert not {"duty-0"} & set(people(made)) & set(before.skip)
        assert asked.next_at is None or asked.next_at >= at + (REPEAT_GAP if made.knocks else 1)
        assert plan(asked, STAFF, at).knocks == ()
    assert len(keys) == len(set(keys))
    assert len(keys) <= 2 * told * (REPEATS + 1)
