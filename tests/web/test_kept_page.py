"""A page that a form shows has an address of its own: reloading it, going back and a stolen address send and show nothing again."""

from __future__ import annotations

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from sqlalchemy import text as sql

from referral.domain.events import SectionDisclosed
from services.intake.pages import kept_page
from tests.harness.waiting import comes
from tests.harness.web.forms import fields, hidden
from tests.harness.web.steps import field, press, send, sign_in, text
from tests.harness.web.world import NAMED, POLICE, World, signed_in

SHOW = "form[action$='/show'] button"
STORY = "Marker-Kumbulla"


def readings(world: World) -> int:
    return sum(isinstance(event, SectionDisclosed) for event in world.queued())


def test_a_file_that_was_read_is_reloaded_and_left_without_a_question(world: World, browser: Chrome) -> None:
    """Chrome asked whether to send the form again, on each file page: a new reading, or its error page."""
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    here = f"{world.url}/offers/{offer}"
    sign_in(browser, world, "duty")
    browser.get(here)
    send(browser, SHOW)
    assert NAMED[0] in text(browser) and "?view=" in browser.current_url and readings(world) == 1
    browser.refresh()
    assert comes(lambda: browser.current_url == here) and NAMED[0] not in text(browser), "shown once; a further look is a further reading"
    browser.back()
    browser.forward()
    assert comes(lambda: browser.current_url == here) and field(browser, "file").is_displayed()
    assert readings(world) == 1


def test_the_address_of_a_page_opens_it_once_and_for_this_session_alone(world: World) -> None:
    for login in ("duty", "other"):
        world.account(login, POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    with signed_in(world, "duty") as person, signed_in(world, "other") as colleague, world.client() as stranger:

        def opened() -> str:
            answer = person.request("POST", f"/offers/{offer}/show", data=fields(person.get(f"/offers/{offer}").text))
            assert answer.status_code == 303 and not answer.text
            return answer.headers["location"]

        address = opened()
        for other in (colleague, stranger):
            assert NAMED[0] not in other.get(address, follow_redirects=True).text
        assert NAMED[0] not in person.get(address.replace("/show", "/answer"), follow_redirects=True).text, "at another path"
        address = opened()
        assert person.head(address).status_code != 200 and NAMED[0] in person.get(address).text
        assert NAMED[0] not in person.get(address, follow_redirects=True).text, "once"
        address = opened()
        world.by_hand(lambda tx: tx.execute(sql(f"UPDATE intake.page SET until = until - {kept_page.STAFF.for_us + 1}")))
        assert NAMED[0] not in person.get(address, follow_redirects=True).text, "a minute later"
        address = opened()
        stored = world.by_hand(lambda tx: tx.execute(sql("SELECT encode(sealed, 'escape') FROM intake.page"))).scalars().all()
        assert len(stored) == 1 and not any(name in stored[0] for name in NAMED), "what was over is swept away"
        with world.statements() as seen:
            person.get(f"/offers/{offer}/show?view={'a' * 48}")
        assert not any("intake.page" in statement for statement in seen), "a guess is refused without the database"


def test_a_browser_without_room_gets_the_page_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_page, "MOST", 0)
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    with signed_in(world, "duty") as person:
        answer = person.request("POST", f"/offers/{offer}/show", data=fields(person.get(f"/offers/{offer}").text))
        assert answer.status_code == 200 and NAMED[0] in answer.text


def test_the_public_form_is_found_again_by_going_back(world: World, browser: Chrome) -> None:
    browser.get(f"{world.url}/refer")
    press(browser, "input[name=danger][value=no]")
    send(browser, "button[value=next]")
    second = browser.current_url
    send(browser, "button[value=next]")
    assert "?view=" in browser.current_url and text(browser, "[role=alert]"), "an error has an address too"
    browser.refresh()
    assert text(browser, "[role=alert]")
    browser.back()
    assert comes(lambda: browser.current_url == second) and not browser.find_elements(By.CSS_SELECTOR, "[role=alert]")


def test_a_story_is_kept_while_it_is_written(world: World) -> None:
    with world.client() as child:
        form = hidden(child.get("/refer").text) | {"danger": "no", "go": "next"}
        child.post("/refer", data=form)
        about = form | {"at": "about", "found_in": "prizren", "concern": "unknown", "age_band": "unknown"}
        child.post("/refer", data=about)
        answer = child.request("POST", "/refer", data=about | {"at": "words", "need.happened": STORY})
        address = answer.headers["location"]
        assert answer.status_code == 303 and STORY not in address and address.startswith("/refer?view=")
        for _ in range(2):
            assert STORY in child.get(address).text
        with world.client() as other:
            assert STORY not in other.get(address).text
        sent = child.post("/refer", data=form | about | {"at": "check", "go": "send", "need.happened": STORY})
        assert "/refer/receipt" in sent.text and "<code>" in sent.text
        assert STORY not in child.get(address).text, "whoever goes back after it was sent does not read it"
