"""A page that is left open, or found again in the history of a browser, after its session has ended."""

from __future__ import annotations

import re

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from services.intake.accounts import rules
from services.intake.pages import render
from services.intake.pages.render import LEFT_OPEN_S
from tests.harness.waiting import PATIENCE_S
from tests.harness.web.answered import ends
from tests.harness.web.forms import fields
from tests.harness.web.steps import send, sign_in
from tests.harness.web.world import NAMED, POLICE, World, signed_in
from tests.web.test_seen import rest

SHOW = "form[action$='/show'] button"


def test_a_page_closes_itself_unless_somebody_may_be_writing(world: World) -> None:
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    deciding = world.offer(case, POLICE, "guardian", words=("DECIDE",), codes=("x",), needs=("reason",))
    with signed_in(world, "duty") as person:
        here = f"/offers/{offer}"
        shown = person.post(f"{here}/show", data=fields(person.get(here).text))
        assert NAMED[0] in shown.text
        for page, back in ((person.get("/inbox"), "/inbox"), (person.get(here), here), (shown, here)):
            assert page.headers["refresh"] == f"{LEFT_OPEN_S}; url=/closed?to={back}"
        written = person.get(f"/offers/{deciding}")
        assert "<textarea" in written.text and "refresh" not in written.headers
        assert "refresh" not in person.get("/me").headers, "a password, an address"
    with world.client() as stranger:
        assert "refresh" not in stranger.get("/signin").headers


def test_the_page_that_replaces_it_keeps_no_session_alive(world: World) -> None:
    """Two pages that were left open would else keep each other's session."""
    world.account("duty", POLICE)
    with signed_in(world, "duty") as person:
        rest(world, person, rules.IDLE_US - 1)
        page = person.get("/closed", params={"to": "/overview"})
        assert page.status_code == 200 and "set-cookie" not in page.headers and page.headers["cache-control"] == "no-store"
        assert 'href="/overview"' in page.text and "duty" not in page.text
        assert 'href="/inbox"' in person.get("/closed", params={"to": "//evil.example"}).text


def test_a_page_that_was_left_open_is_gone(world: World, browser: Chrome, monkeypatch: pytest.MonkeyPatch) -> None:
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    sign_in(browser, world, "duty")
    browser.get(f"{world.url}/offers/{offer}")
    monkeypatch.setattr(render, "LEFT_OPEN_S", 1)
    send(browser, SHOW)
    WebDriverWait(browser, PATIENCE_S).until(lambda _: "/closed" in browser.current_url)
    assert "This page has closed itself" in browser.page_source and not any(name in browser.page_source for name in NAMED)
    ends(world)
    browser.back()
    assert not any(name in browser.page_source for name in NAMED)


def test_nobody_goes_back_to_a_case_after_signing_out(world: World, browser: Chrome) -> None:
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    sign_in(browser, world, "duty")
    browser.get(f"{world.url}/offers/{offer}")
    send(browser, SHOW)
    assert NAMED[0] in browser.page_source
    send(browser, "form[action='/signout'] button")
    for _ in range(3):
        browser.back()
        assert not any(name in browser.page_source for name in (*NAMED, "Prizren")), browser.current_url


def test_password_fields_hide_what_is_typed_and_take_what_is_pasted(world: World) -> None:
    """A manager of passwords finds its field, and no script keeps anybody from pasting."""
    with world.client() as stranger:
        for path, named in (
            ("/signin", {"password": "current-password"}),
            ("/invitation", {"new": "new-password", "repeat": "new-password"}),
        ):
            page = stranger.get(path).text
            for name, hint in named.items():
                [field] = re.findall(rf'<input[^>]* name="{name}"[^>]*>', page)
                assert 'type="password"' in field and f'autocomplete="{hint}"' in field, field


def test_every_page_of_somebody_who_is_signed_in_has_a_way_out(world: World) -> None:
    world.account("duty", POLICE, desk=True)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    with signed_in(world, "duty") as person:
        pages = [person.get(path) for path in ("/inbox", f"/offers/{offer}", "/overview", "/tasks/x")]
        pages.append(person.post(f"/offers/{offer}/show", data=fields(pages[1].text)))
    for page in pages:
        assert 'action="/signout"' in page.text, page.url
