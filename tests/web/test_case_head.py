"""Which case a card is about, where it stands, whom one may telephone; and what ends is asked once."""

from __future__ import annotations

import re

import pytest

from referral.domain.case_number import case_number
from referral.domain.events import CaseClosed, How, InstructionGiven, OfferClosed, OfferHeld, Reach, ResponseSubmitted, Word
from tests.harness.web.forms import fields, hidden
from tests.harness.web.world import MINUTE, NOTICE, WHY, World, accepted, closed, signed_in

POLICE, DESK, ADVOCATE, SHELTER = "police-prizren", "desk-prizren", "advocate-prizren", "shelter-linden"
COORDINATOR = "coordinator-prizren"


def links(page: str) -> list[str]:
    """The text of each card's link, as a screen reader says it."""
    return [re.sub(r"<[^>]+>", "", found) for found in re.findall(r'<a class="open" [^>]*>(.*?)</a>', page)]


def test_two_children_on_one_desk_are_told_apart(world: World) -> None:
    world.account("duty", POLICE)
    cases = [world.case("prizren") for _ in range(2)]
    for case in cases:
        run = world.track(case)
        for step in ("risk", "guardian"):
            world.offer(case, POLICE, step, track_id=run)
    with signed_in(world, "duty") as person:
        page = person.get("/inbox").text
        assert sorted(links(page)) == sorted(f"{step} · {case_number(case)}" for case in cases for step in ("Guardian", "Risk"))
        assert page.count("Trafficking, child · age 12-14 · Prizren") == 2
        heads = [page.index(case_number(case)) for case in cases]
        first, second = (page[at : page.find("</section>", at)] for at in sorted(heads))
        assert len(links(first)) == 4 and len(links(second)) == 2, "the cards of one case stand together"


def test_the_line_of_steps_and_the_telephones_that_the_procedure_names(world: World) -> None:
    world.account("duty", POLICE)
    world.account("advocate", ADVOCATE)
    case = world.case("prizren")
    run = world.track(case)
    police = world.offer(case, POLICE, "police", track_id=run)
    support = world.offer(case, ADVOCATE, "support", track_id=run, role="victim-advocate")
    shelter = world.offer(case, SHELTER, "shelter", track_id=run)
    world.say(case, accepted(support, world.now() + 90 * MINUTE), accepted(shelter, world.now() + 90 * MINUTE))
    with signed_in(world, "duty") as person:
        page = person.get(f"/offers/{police}").text
        assert "2 accepted, 1 waiting" in page
        assert re.search(r"<strong>Police</strong> \(we\): asked, no answer yet", page)
        assert "Advocate and social worker: accepted" in page and "Guardian: not asked yet" in page
        assert "tel:+99928" in page and "Linden" not in page, "the police are not shown where the child sleeps"
        assert "Desk on duty" in page and f"{case_number(case)} · Referrals</title>" in page
        form = fields(page)
        person.post(f"/offers/{police}/answer", data=form | {"word": "DECLINE", "reason": "OUT_OF_AREA"})
        world.run(lambda tx: tx.exec_driver_sql(f"UPDATE intake.offer SET declined_by = 'e' WHERE offer_id = '{police}'"))
        page = person.get(f"/offers/{police}").text
        assert "age 12-14" not in page and "Where the case stands" not in page and "tel:" not in page
        assert case_number(case) in page and "<p>Trafficking, child</p>" in page, (
            "it can still be named, and nobody reads where the child is"
        )
        assert "<p>Trafficking, child</p>" in person.get(f"/offers/{police}/write").text
    with signed_in(world, "advocate") as person:
        page = person.get(f"/offers/{support}").text
        assert "Linden" in page and "Accepted by your agency" in page


def test_people_of_another_agency_are_named_by_their_agency(world: World) -> None:
    """A desk recorded what an agency said on the telephone; both read that it did, and neither who of the other's staff."""
    world.account("shelter.night", SHELTER)
    world.account("desk.officer", DESK, desk=True)
    case = world.case("prizren")
    offer = world.offer(case, SHELTER, "shelter", reach=Reach.PHONE)
    with signed_in(world, "shelter.night") as person, signed_in(world, "desk.officer") as desk:
        for one, where in ((person, f"/offers/{offer}"), (desk, f"/calls/{offer}")):
            form = fields(one.get(where).text)
            assert one.post(f"{where}/answer", data=form | {"word": "ACKNOWLEDGE", "key": where}).status_code == 303
        theirs, ours = (
            one.get(where).text.partition("<main")[2] for one, where in ((person, f"/offers/{offer}"), (desk, f"/calls/{offer}"))
        )
    assert "desk.officer" not in theirs and "shelter.night" in theirs and "Municipal child protection desk" in theirs
    assert "shelter.night" not in ours and "desk.officer" in ours and "Linden" in ours


def test_an_offer_on_hold_is_shown(world: World) -> None:
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    world.say(case, OfferHeld(why=WHY, offer_id=offer, by=None, reason="NO_CAPACITY", due=world.now() + 90 * MINUTE))
    with signed_in(world, "duty") as person:
        assert "On hold" in person.get("/inbox").text and "On hold" in person.get(f"/offers/{offer}").text


@pytest.mark.parametrize("by_phone", [False, True])
def test_what_ends_is_asked_once(world: World, by_phone: bool) -> None:
    """One tap too many at three in the morning ends nothing."""
    login, agency = ("desk", DESK) if by_phone else ("duty", POLICE)
    world.account(login, agency, desk=by_phone)
    case = world.case("prizren")
    offer = world.offer(case, "shelter-linden" if by_phone else POLICE, "police", reach=Reach.PHONE if by_phone else Reach.WEB)
    world.say(case, accepted(offer, world.now() + 90 * MINUTE))
    where = f"/{'calls' if by_phone else 'offers'}/{offer}"
    with signed_in(world, login) as person:
        asked = person.post(f"{where}/answer", data=fields(person.get(where).text) | {"word": "COMPLETE"})
        assert asked.status_code == 200 and "Done: are you sure?" in asked.text and case_number(case) in asked.text
        assert f'href="{where}"' in asked.text, "there is a way back"
        assert not [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
        sure = hidden(asked.text.partition("<main")[2].partition("</main")[0])
        assert sure["word"] == "COMPLETE" and sure["sure"] == "yes"
        assert [person.post(f"{where}/answer", data=sure).status_code for _ in range(2)] == [303, 303], "sent twice counts once"
        [answer] = [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
        assert answer.word is Word.COMPLETE


def test_an_instruction_that_ends_something_is_asked_once(world: World) -> None:
    world.account("desk", DESK, desk=True)
    case = world.case("prizren")
    task = world.task(case, DESK, "no-candidate", "shelter")
    with signed_in(world, "desk") as person:
        form = fields(person.get(f"/tasks/{task}").text) | {"word": "CLOSE", "reason": "other"}
        asked = person.post(f"/tasks/{task}/instruct", data=form)
        assert asked.status_code == 200 and "are you sure?" in asked.text and case_number(case) in asked.text
        assert not [event for event in world.queued() if isinstance(event, InstructionGiven)]
        assert person.post(f"/tasks/{task}/instruct", data=form | {"sure": "yes"}).status_code == 303
        [given] = [event for event in world.queued() if isinstance(event, InstructionGiven)]
        assert (given.word, given.reason) == ("CLOSE", "other")


def test_the_last_done_says_that_the_case_closes_and_then_everybody_is_told(world: World) -> None:
    """It closed the case and said "your part", and the coordinator read that another agency had taken the case."""
    world.account("holder", ADVOCATE)
    world.account("coordinator", COORDINATOR)
    case = world.case("prizren")
    run = world.track(case)
    notice = world.offer(case, COORDINATOR, "coordinator", track_id=run, **NOTICE)
    mine, other = (world.offer(case, agency, "support", track_id=run) for agency in (ADVOCATE, POLICE))
    for offer in (mine, other):
        world.say(case, accepted(offer, world.now() + 90 * MINUTE))
    with signed_in(world, "holder") as person, signed_in(world, "coordinator") as told:
        here = f"/offers/{mine}"

        def asked() -> str:
            return person.post(f"{here}/answer", data=fields(person.get(here).text) | {"word": "COMPLETE"}).text

        assert "The case closes with it" not in asked(), "another part is open"
        world.say(case, closed(other, How.COMPLETED))
        assert "The case closes with it, unless a further step begins." in asked()
        ends = [closed(mine, How.COMPLETED), OfferClosed(why=WHY, offer_id=notice, how=How.CANCELLED, reason="TRACK_ENDED")]
        world.say(case, *ends, CaseClosed(why=WHY, outcome="done", sealed=False))
        for who, where in ((person, here), (told, f"/offers/{notice}")):
            for page in (who.get(where).text, who.get("/inbox").text):
                assert "This case was closed on" in page and "All parts are done." in page
                assert "another agency" not in page.lower()
