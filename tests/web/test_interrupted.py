"""Two at once, a stale page, a session that ends within a form, a form sent twice, and a slip of the hand: what the page says.

| what happens | the page says | test |
|---|---|---|
| two accept, or one accepts and one declines | "N had answered “Accept”; this changed nothing" | test_inbox: who answers second |
| two colleagues press Done, and both take it back | the same, with "Done" and "Take it back" | two colleagues finish and take back |
| two colleagues of a desk give an order | the same, with the order | two at a desk |
| two people write one section | both versions; the second chooses | test_writing: two people at once |
| two heads change one rota | "has changed meanwhile" | tests/integration/notifier/test_agency.py |
| the offer, the case or the step ended elsewhere | why, in words; nothing changed | a stale page |
| another agency accepted first, the place is gone | the same | a stale page |
| another policy is in force | the answer is taken as on any day | a policy that is switched |
| the task was settled elsewhere | "this changed nothing" | two at a desk |
| consent ends reading within a form | reading has ended | test_writing: a withdrawn consent |
| the person is excluded within a form | page not found | test_writing: an excluded agency |
| the session ends within an answer or an order | what was written; sign in here, and send it | a session that ends, it is carried |
| the session ends within a section of the case file | kept as a draft | test_writing: a draft survives |
| a form is sent twice | the same answer, once | test_inbox, test_writing; here: taking back, an order |
| the back button, then another answer | "You already sent a different answer" | test_inbox: a form sent twice |
| Done by mistake | "You can take it back until …" | a slip of the hand |
| … and somebody was asked meanwhile | who, by step, and whom to call | a slip that somebody relies on |
| Give it back, Decline by mistake | the same: never taken back | what asks somebody |
| Stop, Close by mistake | the way on; how to begin anew | a desk that stops |
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from referral.domain import events as e
from referral.domain.events import AnswerWithdrawn, How, InputIgnored, OfferKind, ResponseSubmitted
from tests.harness.web.answered import ended, ends, reopened, sent, taken
from tests.harness.web.forms import fields, hidden
from tests.harness.web.world import DESK, MINUTE, PASSWORD, POLICE, WHY, World, closed, opened, signed_in

SECRET = "She trusts nobody (made up)"


def test_a_slip_of_the_hand_is_taken_back(world: World) -> None:
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = taken(world, case, track_id=world.track(case))
    here = f"/offers/{offer}"
    with signed_in(world, "duty") as person:
        asked = person.post(f"{here}/answer", data=fields(person.get(here).text) | {"word": "COMPLETE"})
        assert "take it back for 2 minutes, as long as nobody else has been asked" in asked.text, "it is said before it is sent"
        where = sent(person, here, "answer", word="COMPLETE")
        world.decide(case, *ended(offer, How.COMPLETED, world.now(), undo=True))
        for page in (person.get(where).text, person.get(here).text):
            assert "Nobody else has been asked because of it." in page
            assert "Pressed by mistake? You can take it back until" in page
        form = fields(person.get(where).text)
        twice = [person.post(f"{here}/take-back", data=form) for _ in range(2)]
        assert len({answer.headers["location"] for answer in twice}) == 1
        world.decide(case, reopened(offer, world.now()))
        page = person.get(twice[0].headers["location"]).text
        assert "Taken back. This is open for your agency again." in page and "/take-back" not in page
        page = person.get(here).text
        assert 'value="COMPLETE"' in page and "Show the case file" in page and "duty · Take it back: took effect" in page
        assert person.post(f"{here}/show", data=fields(page)).status_code == 200, "what can be answered can be read"
    withdrawn = [event for event in world.queued() if isinstance(event, AnswerWithdrawn)]
    assert [(event.offer_id, event.agency) for event in withdrawn] == [(offer, POLICE)]


def test_a_slip_that_somebody_relies_on_stays_and_the_page_says_who_is_asked(world: World) -> None:
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = taken(world, case)
    here = f"/offers/{offer}"
    with signed_in(world, "duty") as person:
        where = sent(person, here, "answer", word="COMPLETE")
        world.decide(case, *ended(offer, How.COMPLETED, world.now(), undo=True))
        form = fields(person.get(where).text)
        world.say(case, opened("csw-prizren", "interview", world.now() + 60 * MINUTE))
        page = person.get(here).text
        assert "Asked since your answer: Interview (asked, no answer yet)." in page and "/take-back" not in page
        assert "This cannot be taken back. If it was a mistake, telephone:" in page and "csw-prizren" not in page
        late = person.post(f"{here}/take-back", data=form).headers["location"]
        world.decide(case, InputIgnored(why=WHY, reason="NOTHING_TO_TAKE_BACK", offer_id=offer))
        page = person.get(late).text
        assert "Take it back: this changed nothing" in page and "somebody else had been asked meanwhile" in page
        assert "Asked since your answer: Interview" in page


@pytest.mark.parametrize(("word", "how"), [("RETURN", How.RETURNED), ("DECLINE", How.DECLINED_BY_AGENCY)])
def test_what_asks_somebody_is_never_taken_back(world: World, word: str, how: How) -> None:
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = taken(world, case) if word == "RETURN" else world.offer(case, POLICE, "police")
    here = f"/offers/{offer}"
    with signed_in(world, "duty") as person:
        where = sent(person, here, "answer", word=word, reason="OUT_OF_AREA")
        world.decide(case, *ended(offer, how, world.now()), opened("police-peje", "police", world.now() + 15 * MINUTE))
        page = person.get(where).text
        assert "Asked since your answer: Police (asked, no answer yet)." in page
        assert "This cannot be taken back." in page and "peje" not in page.lower() and "/take-back" not in page


def test_two_colleagues_finish_and_take_back(world: World) -> None:
    world.account("first.officer", POLICE)
    world.account("second.officer", POLICE)
    case = world.case("prizren")
    offer = taken(world, case)
    here, ignored = f"/offers/{offer}", InputIgnored(why=WHY, reason="OFFER_CLOSED", offer_id=offer)
    with signed_in(world, "first.officer") as first, signed_in(world, "second.officer") as second:
        stale = fields(second.get(here).text)
        sent(first, here, "answer", word="COMPLETE")
        world.decide(case, *ended(offer, How.COMPLETED, world.now(), undo=True))
        late = second.post(f"{here}/answer", data=stale | {"word": "COMPLETE", "sure": "yes"}).headers["location"]
        world.decide(case, ignored)
        page = second.get(late).text
        assert "Done: this changed nothing" in page and "first.officer had answered “Done”" in page
        forms = [fields(person.get(here).text) for person in (first, second)]
        first.post(f"{here}/take-back", data=forms[0])
        world.decide(case, reopened(offer, world.now()))
        late = second.post(f"{here}/take-back", data=forms[1]).headers["location"]
        world.decide(case, InputIgnored(why=WHY, reason="NOTHING_TO_TAKE_BACK", offer_id=offer))
        page = second.get(late).text
        assert "Take it back: this changed nothing" in page and "first.officer had answered “Take it back”" in page


STALE = [
    ("closed", How.CANCELLED, "OFFER_CLOSED", "It had already ended."),
    ("closed", How.EXPIRED, "OTHER_ACCEPTED_FIRST", "Another agency had accepted first."),
    ("closed", How.CANCELLED, "NO_CAPACITY", "The place was no longer free."),
    ("case", How.COMPLETED, "CASE_CLOSED", "The case had already ended."),
    ("closed", How.OVERTAKEN, "OVERTAKEN", "it was not possible any more"),
]


@pytest.mark.parametrize(("what", "how", "reason", "says"), STALE, ids=[reason for _, _, reason, _ in STALE])
def test_a_stale_page_says_why_its_answer_changed_nothing(world: World, what: str, how: How, reason: str, says: str) -> None:
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    here = f"/offers/{offer}"
    with signed_in(world, "duty") as person:
        stale = fields(person.get(here).text)
        over = [closed(offer, how)]
        world.say(case, *over, *([e.CaseClosed(why=WHY, outcome="done", sealed=False)] if what == "case" else []))
        late = person.post(f"{here}/answer", data=stale | {"word": "ACCEPT"})
        assert late.status_code == 303, "an answer is never lost"
        world.decide(case, InputIgnored(why=WHY, reason=reason, offer_id=offer))
        page = person.get(late.headers["location"]).text
        assert "Accept: this changed nothing" in page and says in page and "This has ended for your agency" in page


def test_a_policy_that_is_switched_meanwhile_loses_no_answer(world: World) -> None:
    """Without the procedure and its guidance; the case runs on under the one with which it began."""
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = taken(world, case, track_id=world.track(case))
    here = f"/offers/{offer}"
    with signed_in(world, "duty") as person:
        stale = fields(person.get(here).text)
        world.policy = replace(world.policy, current=(), pinned={})
        where = person.post(f"{here}/answer", data=stale | {"word": "COMPLETE", "sure": "yes"}).headers["location"]
        world.decide(case, *ended(offer, How.COMPLETED, world.now(), undo=True))
        assert "You can take it back until" in person.get(where).text, "what routing has allowed holds"
        assert person.get("/inbox").status_code == person.get(here).status_code == 200


def test_two_at_a_desk_and_an_order_sent_twice(world: World) -> None:
    world.account("first", DESK, desk=True)
    world.account("second", DESK, desk=True)
    case = world.case("prizren")
    task = world.task(case, DESK, "no-candidate", "shelter", world.track(case))
    here, order = f"/tasks/{task}", {"word": "CLOSE", "reason": "best-interest", "sure": "yes"}
    with signed_in(world, "first") as first, signed_in(world, "second") as second:
        stale, form = fields(second.get(here).text), fields(first.get(here).text)
        twice = [first.post(f"{here}/instruct", data=form | order) for _ in range(2)]
        assert len({answer.headers["location"] for answer in twice}) == 1
        assert "We do not know yet" in first.get(twice[0].headers["location"]).text
        world.decide(case, e.PersonNotNeeded(why=WHY, task_id=task, how="case-closed"), e.CaseClosed(why=WHY, outcome="x", sealed=False))
        page = first.get(twice[0].headers["location"]).text
        assert "it took effect" in page and "This task is settled." in page
        late = second.post(f"{here}/instruct", data=stale | order)
        world.decide(case, InputIgnored(why=WHY, reason="CASE_CLOSED"))
        page = second.get(late.headers["location"]).text
        assert "this changed nothing" in page and "first had answered “End this procedure”" in page
        again = second.get(here).text
        assert "Open the procedure again" in again and "Stop the procedure" not in again, "a closed case can only begin anew"
    assert len([event for event in world.queued() if isinstance(event, e.InstructionGiven)]) == 2


def test_a_desk_that_stops_is_led_to_the_way_on(world: World) -> None:
    world.account("desk", DESK, desk=True)
    case = world.case("prizren")
    run = world.track(case)
    task = world.task(case, DESK, "no-candidate", "shelter", run)
    here = f"/tasks/{task}"
    with signed_in(world, "desk") as person:
        form = fields(person.get(here).text) | {"word": "STOP", "reason": "best-interest"}
        assert "You can go on with the procedure at any time." in person.post(f"{here}/instruct", data=form).text
        assert "It cannot be taken back" in person.post(f"{here}/instruct", data=form | {"word": "CLOSE"}).text
        where = person.post(f"{here}/instruct", data=form | {"sure": "yes"}).headers["location"]
        stopped = e.NeedsPerson(why=WHY, task_id=run, desk=DESK, about="stopped", track_id=run, step="", seat=-1, rung=0, due=world.now())
        world.decide(case, stopped)
        page = person.get(where).text
        assert "it took effect" in page and f'href="/tasks/{run}"' in page and "Go on with the procedure" in page
        assert "Continue unchanged." in person.get(f"/tasks/{run}").text


def test_a_session_that_ends_within_an_answer_loses_nothing(world: World) -> None:
    """It is written once: the page on which the session ends asks to sign in, and the next one sends it."""
    world.account("worker", "csw-prizren")
    deciding = {"kind": OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("csw-guardian", "relative"), "needs": ("reason", "child-view")}
    offer = world.offer(world.case("prizren"), "csw-prizren", "guardian", role="social-worker", due_what="decide", **deciding)
    here = f"/offers/{offer}"
    said = {"word": "DECIDE", "code": "relative", "need.reason": SECRET, "need.child-view": "Home"}
    with signed_in(world, "worker") as person:
        form = fields(person.get(here).text) | said
        ends(world)
        over = person.post(f"{here}/answer", data=form)
        assert over.status_code == 403 and SECRET in over.text and "Sign in here, and you can send it." in over.text
        wrong = person.post("/signin", data=hidden(over.text) | {"login": "worker", "password": "wrong"})
        assert wrong.status_code == 401 and SECRET in wrong.text, "a wrong password costs no word"
        back = person.post("/signin", data=hidden(wrong.text) | {"login": "worker", "password": PASSWORD})
        assert back.status_code == 200 and "Nothing has been sent yet." in back.text and SECRET in back.text
        assert not [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
        again = [person.post(f"{here}/answer", data=hidden(back.text)) for _ in range(2)]
        assert [answer.status_code for answer in again] == [303, 303]
        assert SECRET not in str(again[0].headers)
    [answer] = [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
    assert (answer.code, answer.recorded) == ("relative", ("child-view", "reason"))
