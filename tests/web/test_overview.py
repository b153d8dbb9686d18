"""The overview of an agency, a desk and a coordinator, and the search by case number."""

from __future__ import annotations

from typing import Any

from selenium.webdriver import Chrome
from sqlalchemy import text as sql

from referral.domain.case_number import case_number
from referral.domain.events import OfferKind, Reach, SectionDisclosed
from tests.harness.web import axe
from tests.harness.web.forms import fields
from tests.harness.web.steps import field, send, sign_in, text
from tests.harness.web.world import MINUTE, World, accepted, signed_in

NOTICE: dict[str, Any] = {"kind": OfferKind.NOTIFY, "role": "child-rights-coordinator", "words": ("ACKNOWLEDGE",), "shows": ()}
POLICE, DESK, COORDINATOR, ADVOCATE = "police-prizren", "desk-prizren", "coordinator-prizren", "advocate-prizren"


def aged(world: World, offer: str) -> None:
    """An offer that began a hundred days ago, and has ended."""
    at = world.now() - 100 * 24 * 60 * MINUTE
    values = {"id": offer, "at": at}
    world.run(lambda tx: tx.execute(sql("UPDATE intake.offer SET opened_at = :at, closed_at = :at WHERE offer_id = :id"), values))


def test_a_case_is_found_by_the_number_that_somebody_reads_out(world: World) -> None:
    world.account("duty", POLICE)
    world.account("other", "police-prishtine")
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    number = case_number(case)
    with signed_in(world, "duty") as person, signed_in(world, "other") as stranger:
        form = fields(person.get("/overview").text)
        for typed in (number, number.lower().replace("-", " ")):
            found = person.post("/overview/find", data=form | {"number": typed})
            assert (found.status_code, found.headers["location"]) == (303, f"/offers/{offer}")
        wrong = number[:-1] + ("B" if number[-1] != "B" else "D")
        said = person.post("/overview/find", data=form | {"number": wrong})
        assert said.status_code == 422 and "a letter is wrong" in said.text
        theirs = fields(stranger.get("/overview").text)
        hidden = stranger.post("/overview/find", data=theirs | {"number": number})
        never = stranger.post("/overview/find", data=theirs | {"number": case_number("no case")})
        assert hidden.status_code == never.status_code == 404 and "no case with this number" in hidden.text
        aged(world, offer)
        assert number not in person.get("/overview").text, "ended before the last 90 days"
        assert person.post("/overview/find", data=form | {"number": number}).headers["location"] == f"/offers/{offer}", "and still found"
        second = world.offer(case, POLICE, "risk")
        both = person.post("/overview/find", data=form | {"number": number}).text
        assert all(f'href="/offers/{one}"' in both for one in (offer, second))


def test_a_desk_reads_what_is_late_and_an_agency_only_its_own(world: World) -> None:
    world.account("desk", DESK, desk=True)
    world.account("duty", POLICE)
    case, elsewhere = world.case("prizren"), world.case("peje")
    run = world.track(case)
    world.offer(case, POLICE, "police", track_id=run, minutes=-5)
    phone = world.offer(case, "csw-leposaviq", "support", track_id=run, reach=Reach.PHONE)
    world.offer(elsewhere, "police-region-peje", "police")
    with signed_in(world, "desk") as desk, signed_in(world, "duty") as duty:
        page = desk.get("/overview").text
        assert page.count(case_number(case)) == 2 and case_number(elsewhere) not in page  # one line each
        assert "Late: 1" in page and "12-14" in page and f'href="/calls/{phone}"' in page
        own = duty.get("/overview").text
        assert "Late: 1" in own and "Advocate" not in own


def test_a_coordinator_sees_how_far_each_case_is_and_each_reading_is_recorded(world: World) -> None:
    account = world.account("coordinator", COORDINATOR)
    case, other = world.case("prizren"), world.case("prizren")
    run = world.track(case)
    notice = world.offer(case, COORDINATOR, "coordinator", track_id=run, **NOTICE)
    world.account("told", POLICE)
    world.offer(case, POLICE, "duty-record", track_id=run, **NOTICE | {"role": "police-thbs"})
    support = world.offer(case, ADVOCATE, "support", track_id=run)
    world.say(case, accepted(support, world.now() + 90 * MINUTE))
    ended = world.case("prizren")
    aged(world, notice)  # of a case that goes on
    aged(world, world.offer(ended, COORDINATOR, "coordinator", track_id=world.track(ended), **NOTICE))
    world.run(lambda tx: tx.execute(sql("UPDATE intake.casefile SET closed_at = 1 WHERE case_id = :case"), {"case": ended}))
    with signed_in(world, "coordinator") as person:
        before = person.get("/overview").text
        assert "/overview/progress" in before and "Advocate" not in before
        assert not [e for e in world.queued() if isinstance(e, SectionDisclosed)]
        page = person.post("/overview/progress", data=fields(before)).text
    with signed_in(world, "told") as police:  # told that there is a case, not how each step of it goes
        own = police.get("/overview").text
        assert "/overview/progress" not in own and case_number(case) not in police.post("/overview/progress", data=fields(own)).text
    assert case_number(case) in page and case_number(other) not in page and case_number(ended) not in page
    assert "Advocate and social worker: accepted" in page and "(example)" not in page.partition("<h1>")[2]
    [read] = [event for event in world.queued() if isinstance(event, SectionDisclosed)]
    assert (read.offer_id, read.agency, read.by, read.section, read.basis) == (notice, COORDINATOR, account, "progress", "notice")


def test_the_overview_on_a_phone(world: World, measuring: Chrome) -> None:
    world.account("desk", DESK, "sq", desk=True)
    world.account("coordinator", COORDINATOR, "sr-Cyrl")
    case = world.case("prizren")
    run = world.track(case)
    world.offer(case, "csw-leposaviq", "support", track_id=run, reach=Reach.PHONE)
    world.offer(case, COORDINATOR, "coordinator", track_id=run, **NOTICE)
    for login in ("desk", "coordinator"):
        measuring.delete_all_cookies()
        sign_in(measuring, world, login)
        measuring.get(f"{world.url}/overview")
        if login == "coordinator":
            send(measuring, "form[action$='/progress'] button")
            assert case_number(case) in text(measuring)
        assert measuring.execute_script("return document.documentElement.scrollWidth") <= 375
        assert axe.violations(measuring) == []
    field(measuring, "number").send_keys("no number")
    send(measuring, "form[action$='/find'] button")
    assert field(measuring, "number-error").is_displayed() and axe.violations(measuring) == []
