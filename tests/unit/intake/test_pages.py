"""What the inbox and its pages say, as pure functions of rows and now."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response

from referral.domain.case_number import case_number
from referral.domain.events import StepKind
from referral.domain.policy.procedure import Pathway
from referral.errors import Rejected
from referral.runtime import i18n
from services.intake import policy_view
from services.intake.contacts import contacts
from services.intake.model import Asking, Offer, Spot
from services.intake.pages import answers, case_head, confirmation, inbox, relative_time, render
from services.intake.pages import offer as pages_offer
from services.intake.pages.answers import Here
from services.intake.pages.case_head import CaseHead
from services.intake.pages.forms import Entered
from tests.harness.web import drawn
from tests.stories import teller

SAY = i18n.load(render.WORDS)["en"]
SHIPPED = teller.policy()
LISTS = policy_view.of(SHIPPED, 1)
NOW = 1_764_036_000_000_000
MINUTE = 60_000_000
NOWHERE = Spot()


def name(kind: str, code: str) -> str:
    return f"{kind}:{code}"


def offer(**more: Any) -> Offer:
    values: dict[str, Any] = {
        "offer_id": "o",
        "case_id": "c",
        "agency": "police-prizren",
        "track_id": "t",
        "step": "police",
        "round": 0,
        "seat": 0,
        "kind": "REQUEST",
        "role": "police-thbs",
        "service": "s",
        "reach": "WEB",
        "urgency": "urgent",
        "ladder": ("duty-officer",),
        "rung": 0,
        "shows": ("identity",),
        "words": ("ACKNOWLEDGE", "ACCEPT", "ARRIVE", "COMPLETE", "DECLINE", "HOLD", "RETURN"),
        "reasons": ("OUT_OF_AREA",),
        "codes": (),
        "needs": (),
        "skip": (),
        "state": "OFFERED",
        "arrived": False,
        "due": NOW + 12 * MINUTE,
        "due_what": "acknowledge",
        "opened_at": NOW,
        "changed_at": NOW,
        "closed_at": None,
        "reason": "",
        "declined_by": None,
    }
    return Offer(**(values | more))


def shown(of: Offer, spot: Spot = NOWHERE, *, phone: bool = False, **more: Any) -> Response:
    """The page of an offer."""
    call = drawn.request(f"/{'calls' if phone else 'offers'}/{of.offer_id}", agency="desk-prizren" if phone else of.agency, desk=phone)
    values: dict[str, Any] = {"who": "", "stages": (), "contacts": (), "since": None, "closes": ""}
    return answers.draw(Here(call, of, spot, (), **values), **more)


def card(row: Offer, who: str = "", spot: Spot = NOWHERE, *, phone: bool = False) -> str:
    """What the inbox says of an offer."""
    ours, calls = ([], [row]) if phone else ([row], [])
    return drawn.text(drawn_inbox(inbox.grouped(ours, calls, {row.case_id: spot}, {row.offer_id: who}, {}, NOW)))


def drawn_inbox(groups: dict[str, inbox.Group]) -> Response:
    values: dict[str, Any] = {"empty": False, "crowds": (), "told": {}, "away": (), "unverified": (0, 0), "unreachable": False}
    values |= {"line": "", "few": inbox.FEW, "show": "", "step": "", "steps": None}
    return drawn.request().page("inbox.html", groups=groups, **values)


@pytest.mark.parametrize(
    "more",
    [
        *({"state": state} for state in ("OFFERED", "ACKNOWLEDGED", "ACCEPTED", "ON_HOLD")),
        {"declined_by": "e"},
        {"state": "ACCEPTED", "arrived": True},
    ],
)
def test_every_state_of_an_open_offer_has_a_word(more: dict[str, Any]) -> None:
    """One without a word made the whole inbox of its agency an error 500."""
    assert pages_offer.held(SAY, offer(**more), "")


def test_what_needs_an_answer_is_on_top_and_the_nearest_limit_first() -> None:
    offers = [
        offer(offer_id="later", due=NOW + 60 * MINUTE),
        offer(offer_id="late", due=NOW - MINUTE),
        offer(offer_id="soon", due=NOW + MINUTE),
        offer(offer_id="work", state="ACCEPTED"),
        offer(offer_id="declined", declined_by="e"),
        offer(offer_id="told", kind="NOTIFY", due=None),
        offer(offer_id="ended", state="EXPIRED", closed_at=NOW - MINUTE),
        offer(offer_id="long-ended", state="EXPIRED", closed_at=NOW - 25 * 60 * MINUTE),
    ]
    spots = {"c": Spot(found_in="prizren", age_band="12-14")}
    found = inbox.grouped(offers, [offer(offer_id="call")], spots, {}, {}, NOW)
    hrefs = {id: [card.href.rpartition("/")[2] for _, cards in group.cases for card in cards] for id, group in found.items()}
    assert hrefs == {
        "answer": ["late", "soon", "later"],
        "work": ["declined", "work"],
        "info": ["told"],
        "ended": ["ended"],
        "calls": ["call"],
        "tasks": [],
    }
    page = drawn.text(drawn_inbox(found))
    assert "Late by 1 minute" in page and "age 12-14 · Prizren" in page
    assert found["calls"].cases[0][1][0].href == "/calls/call"
    over = inbox.grouped([offers[6]], (), spots, {}, {}, NOW)
    assert "12-14" not in drawn.text(drawn_inbox(over)), "of what is over, neither the age band nor where the child is"


def test_a_group_that_is_cut_says_how_many_there_are() -> None:
    offers = [offer(offer_id=f"o{n}", due=NOW + n * MINUTE) for n in range(inbox.SHOWN + 1)]
    calls = [offer(offer_id="call")]
    page = drawn.source(drawn_inbox(inbox.grouped(offers, calls, {}, {}, {}, NOW)))
    assert "(51)" in page and "The first 50 of 51 are shown." in page and page.count('href="/offers/') == inbox.SHOWN
    assert "(1)" in page and page.count("The first") == 1, "a group that is whole says nothing"


def test_cards_of_one_case_stand_together_at_the_place_of_the_most_urgent() -> None:
    cases = {"slow": 90, "quick": 5, "middle": 60}
    offers = [
        offer(offer_id=f"{case}-{n}", case_id=case, pathway="trafficking-child", due=NOW + (minutes + 100 * n) * MINUTE)
        for case, minutes in cases.items()
        for n in range(2)
    ]
    found = inbox.grouped(offers, (), {}, {"quick-1": "a.made-up"}, {}, NOW)["answer"]
    assert [[card.href for card in cards] for _, cards in found.cases] == [
        [f"/offers/{case}-{n}" for n in range(2)] for case in ("quick", "middle", "slow")
    ]
    assert [head.case_id for head, _ in found.cases] == ["quick", "middle", "slow"]
    page = drawn.text(drawn_inbox({**inbox.grouped([], (), {}, {}, {}, NOW), "answer": found}))
    assert page.index(case_number("quick")) < page.index(case_number("middle")) and "Trafficking, child" in page


def test_a_card_names_the_colleague_who_has_it() -> None:
    assert "Accepted by your agency (a.colleague)" in card(offer(state="ACCEPTED"), "a.colleague")
    assert "a.colleague" not in card(offer(), "a.colleague"), "asked again, nobody has it"


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ([], "ahead"),
        ([("REQUEST", "OFFERED", True)], "asked"),
        ([("REQUEST", "ACCEPTED", True), ("REQUEST", "ACKNOWLEDGED", True)], "asked"),
        ([("REQUEST", "EXPIRED", False), ("REQUEST", "ON_HOLD", True)], "taken"),
        ([("REQUEST", "EXPIRED", False), ("REQUEST", "COMPLETED", False)], "done"),
        ([("PLACE", "COMPLETED", False), ("PLACE", "OFFERED", True)], "asked"),
        ([("REQUEST", "CANCELLED", False)], "ahead"),
        ([("NOTIFY", "OFFERED", True)], "told"),
    ],
)
def test_the_state_of_a_step(offers: list[tuple[str, str, bool]], expected: str) -> None:
    asked = [Asking("police", kind, state, open_, "a") for kind, state, open_ in offers]
    assert case_head.state(asked) == expected
    stage, other, *_ = case_head.stages(SHIPPED, "trafficking-child", asked, "a")
    assert (stage.state, stage.ours, stage.step) == (expected, bool(offers), "police")
    assert (other.state, other.ours) == ("ahead", False)


def held(step: str, agency: str, state: str = "ACCEPTED", *, open_: bool = True) -> Asking:
    return Asking(step, "REQUEST", state, open_, agency)


def test_the_offices_that_the_procedure_names_are_shown_while_they_hold_their_step() -> None:
    """The police learn who goes to the child, and nobody where the child sleeps; the shelter has no telephone here for anybody."""
    track = [
        held("police", "police-prizren"),
        held("support", "advocate-prizren"),
        held("support", "csw-prizren", "OFFERED"),
        held("support", "csw-suhareke", "COMPLETED", open_=False),
        held("shelter", "shelter-linden"),
    ]

    def shown(step: str, agency: str, desk: str = "desk-prizren") -> list[tuple[str, str, str]]:
        asked = offer(step=step, agency=agency, pathway="trafficking-child")
        return [(one.step, one.agency, one.telephone) for one in contacts(LISTS, asked, track, desk)]

    def number(agency: str) -> str:
        return SHIPPED.agencies[agency].telephone

    desk = ("", "desk-prizren", number("desk-prizren"))
    assert shown("police", "police-prizren") == [("support", "advocate-prizren", number("advocate-prizren")), desk]
    support = [("police", "police-prizren", number("police-prizren")), ("shelter", "shelter-linden", ""), desk]
    assert shown("support", "advocate-prizren") == support and number("police-prizren")
    assert shown("coordinator", "coordinator-prizren") == [desk], "whoever is told without identity learns of nobody else"
    assert shown("police", "desk-prizren", desk="desk-prizren") == [("support", "advocate-prizren", number("advocate-prizren"))]
    over = offer(step="police", pathway="trafficking-child", closed_at=NOW)
    assert contacts(LISTS, over, track, "desk-prizren") == contacts(LISTS, offer(declined_by="e"), track, "desk-prizren") == ()


def test_no_procedure_shows_the_police_or_a_notice_where_a_person_is_kept_safe() -> None:
    for procedure in SHIPPED.current:
        for step in procedure.steps:
            keeps = {other.id for other in procedure.steps if other.placement is not None}
            roles = {role for rule in step.seats for role in rule.roles}
            if step.kind is StepKind.NOTIFY or (any(role.startswith("police") for role in roles) and step.kind is StepKind.REQUEST):
                assert keeps.isdisjoint(step.contacts), (procedure.id, step.id)


def test_the_head_counts_the_steps() -> None:
    asked = [Asking("police", "REQUEST", "COMPLETED", False, "a"), Asking("support", "REQUEST", "OFFERED", True, "b")]
    head = CaseHead("c", Spot(), "", case_head.stages(SHIPPED, "trafficking-child", asked, "b"))
    values: dict[str, Any] = {"title": "", "label": "", "means": (), "action": "", "entered": {}}
    assert "Where the case stands: 1 done, 1 waiting" in drawn.text(drawn.request().page("ask_once.html", head=head, **values))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ("ACKNOWLEDGE", "ACCEPT", "HOLD", "DECLINE")),
        ({"state": "ACKNOWLEDGED"}, ("ACCEPT", "HOLD", "DECLINE")),
        ({"state": "ACCEPTED"}, ("ARRIVE", "COMPLETE", "HOLD", "RETURN")),
        ({"state": "ACCEPTED", "arrived": True}, ("COMPLETE", "HOLD", "RETURN")),
        ({"declined_by": "e"}, ("ACCEPT",)),
        ({"state": "EXPIRED", "closed_at": NOW}, ("ACCEPT",)),
        ({"state": "EXPIRED", "closed_at": NOW, "words": ("ACKNOWLEDGE", "DECIDE", "DECLINE")}, ()),
        ({"state": "CANCELLED", "closed_at": NOW}, ()),
        ({"words": ("ACKNOWLEDGE", "ACCEPT", "DECIDE", "DECLINE")}, ("ACKNOWLEDGE", "DECIDE", "DECLINE")),
    ],
)
def test_the_answers_that_are_offered(more: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert pages_offer.possible(offer(**more)) == expected


@pytest.mark.parametrize(("due_what", "label"), [("present", "I am with the person"), ("arrive", "Arrived")])
def test_where_somebody_goes_to_the_person_nobody_arrives(due_what: str, label: str) -> None:
    """A social worker who is with a child read a button that says that the child has arrived."""
    assert label in drawn.said(shown(offer(state="ACCEPTED", due_what=due_what)))


def test_an_ended_offer_says_why_and_opens_no_file() -> None:
    page = shown(offer(state="CANCELLED", closed_at=NOW))
    assert "no longer" in drawn.text(page) and "minutes left" not in drawn.text(page)
    assert "/show" not in drawn.source(page) and "/answer" not in drawn.source(page)


def test_a_notice_by_telephone_is_told_and_no_rung_of_the_agency_is_said_to_be_woken() -> None:
    notice = offer(kind="NOTIFY", reach="PHONE", words=("ACKNOWLEDGE",), due=None)
    page = shown(notice, phone=True)
    assert "I have told them" in drawn.said(page) and 'class="first">I have told them' in drawn.source(page)
    assert "Duty officer" not in drawn.text(page) and "Duty officer" in drawn.text(shown(offer()))


@pytest.mark.parametrize("reason", ["not-told", "not-called"])
def test_an_agency_that_nobody_had_told_does_not_read_that_it_did_not_answer(reason: str) -> None:
    over = {"state": "EXPIRED", "closed_at": NOW, "due": None}
    silent = pages_offer.ended(SAY, offer(**over, reason="accept"), NOWHERE)
    untold = pages_offer.ended(SAY, offer(**over, reason=reason), NOWHERE)
    assert "answered in time" in silent and "answered in time" not in untold and "still" in untold
    assert untold in card(offer(**over, reason=reason)) and untold in drawn.text(shown(offer(**over, reason=reason)))


def test_a_decline_without_reason_and_a_decision_without_words_are_told_beside_the_field() -> None:
    assert answers.entered_answer({"word": "DECLINE"}, offer()).errors == {"reason": "error.reason"}
    deciding = offer(words=("DECIDE",), codes=("LOW",), needs=("reason", "child-view"))
    entered = answers.entered_answer({"word": "DECIDE", "need.reason": " because ", "need.child-view": "x" * 10_001}, deciding)
    assert entered.errors == {"code": "error.code", "need.child-view": "error.long"}
    assert entered.texts["reason"] == "because"
    assert answers.entered_answer({"word": "COMPLETE"}, offer()).errors == {"top": "error.word"}


def test_what_the_door_refuses_is_told_beside_its_field() -> None:
    def told(code: str, where: str) -> dict[str, str]:
        return dict(confirmation.refused(Entered(), Rejected(code, where, "")).errors)

    assert told("illegal-reason", "$.reason") == {"reason": "error.reason"}
    assert told("not-recorded", "$.texts.child-view") == {"need.child-view": "error.need"}
    assert told("key-reused", "Idempotency-Key") == {"top": "error.key"}
    assert told("odd", "elsewhere") == {"top": "error.refused"}


def test_nobody_can_send_a_link_that_claims_an_answer() -> None:
    query = confirmation.link("/offers/o", "ACCEPT", NOW, "token").partition("?")[2]
    found = confirmation.became(drawn.request(query=query), "/offers/o")
    assert found is not None and found.title == "Sent: Accept" and "at 03:00" in found.means
    assert confirmation.became(drawn.request(query=query), "/offers/other") is None
    assert confirmation.became(drawn.request(query=query, token="another"), "/offers/o") is None
    assert confirmation.became(drawn.request(query="sent=ACCEPT.1.x"), "/offers/o") is None


def test_a_limit_at_midnight_ends_the_day_before() -> None:
    midnight = NOW - 3 * 60 * MINUTE + 18 * 24 * 60 * MINUTE
    assert relative_time.limit(SAY, midnight, NOW) == "until Fri 12.12. 24:00"
    assert relative_time.limit(SAY, midnight + MINUTE, NOW) == "until Sat 13.12. 00:01"


@pytest.mark.parametrize("duty", [False, True])
def test_whoever_declines_reads_whether_the_step_stays_theirs(duty: bool) -> None:
    asked = offer(words=("DECLINE",), reasons=("OUT_OF_AREA",))
    [action] = pages_offer.actions(asked, (), duty=duty)
    assert action.means == ("word.DECLINE.duty" if duty else "word.DECLINE.means")


@pytest.mark.parametrize("pathway", SHIPPED.current, ids=lambda one: one.id)
def test_a_duty_is_what_routing_keeps(pathway: Pathway) -> None:
    """As `seats.give_up`: a statutory seat is kept, a decision is not."""
    for step in pathway.steps:
        for number, seat in enumerate(step.seats):
            asked = offer(pathway=pathway.id, step=step.id, seat=number, kind=step.kind.value)
            assert pages_offer.keeps(SHIPPED, asked) == (seat.statutory and step.kind is not StepKind.DECIDE)


def test_what_is_given_back_has_the_reasons_of_its_step() -> None:
    held = offer(state="ACCEPTED", words=("RETURN", "HOLD"), reasons=("CONFLICT_OF_INTEREST",))
    every = ("CONFLICT_OF_INTEREST", "NO_CAPACITY")
    reasons = {action.word: list(action.reasons) for action in pages_offer.actions(held, every)}
    assert reasons == {"RETURN": ["CONFLICT_OF_INTEREST"], "HOLD": ["CONFLICT_OF_INTEREST", "NO_CAPACITY"]}


def test_a_decision_that_silence_has_taken_is_not_asked_for_again() -> None:
    page = shown(offer(state="EXPIRED", closed_at=NOW, words=("DECIDE",), reason="decide"))
    assert SAY("ended.undecided") in drawn.text(page) and "/answer" not in drawn.source(page)


def test_after_the_limit_nothing_says_by_then() -> None:
    assert SAY("limit.late.complete") in drawn.text(shown(offer(due=NOW - MINUTE, due_what="complete")))


def test_nobody_waits_for_an_answer_to_a_notice() -> None:
    [action] = pages_offer.actions(offer(kind="NOTIFY", words=("ACKNOWLEDGE",)), ())
    assert action.means == "word.ACKNOWLEDGE.notice"


CLOSED = Spot(closed_at=NOW, outcome="done")


@pytest.mark.parametrize(
    ("over", "spot", "says"),
    [
        ({"state": "COMPLETED"}, CLOSED, "This case was closed on 25.11.2025 03:00. All parts are done."),
        (
            {"state": "COMPLETED"},
            Spot(closed_at=NOW, outcome="closed-by-desk"),
            "This case was closed on 25.11.2025 03:00. The duty desk closed it.",
        ),
        ({"state": "COMPLETED"}, Spot(closed_at=NOW), "This case was closed on 25.11.2025 03:00."),
        ({"state": "COMPLETED"}, Spot(), "Your part is done."),
        (
            {"state": "CANCELLED", "kind": "NOTIFY", "reason": "TRACK_ENDED"},
            CLOSED,
            "This case was closed on 25.11.2025 03:00. All parts are done.",
        ),
        ({"state": "CANCELLED", "kind": "NOTIFY", "reason": "TRACK_ENDED"}, Spot(), "The procedure of which you were notified has ended."),
        ({"state": "CANCELLED", "reason": "OTHER_ACCEPTED_FIRST"}, CLOSED, "It is no longer needed from you: another agency"),
        ({"state": "DECLINED_BY_AGENCY"}, CLOSED, "Your agency declined."),
    ],
)
def test_whoever_had_a_part_or_was_notified_reads_that_the_case_is_closed(over: dict[str, Any], spot: Spot, says: str) -> None:
    """Nobody was told; and a notified office read that another agency had taken "it"."""
    row = offer(**over, closed_at=NOW)
    assert pages_offer.ended(SAY, row, spot).startswith(says)
    assert says in drawn.text(shown(row, spot)) and says in card(row, spot=spot)
