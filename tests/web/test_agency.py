"""A head and an officer at work, 375 px wide, by keyboard and without scripts: nothing to mend for axe, in four languages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from referral.domain.local_time import local
from tests.harness.waiting import comes
from tests.harness.web.agency_line import DUTY, Line, line
from tests.harness.web.forms import fields
from tests.harness.web.measured import measure
from tests.harness.web.steps import arrive, field, leaving, picture, press, send, sign_in, tab_to, text
from tests.harness.web.world import HELP, PASSWORD, signed_in

HOUR = 3_600_000_000
PAGES = ("/agency", "/agency/shift", "/agency/absence", "/agency/invite", "/me", "/me/swap")


NEW = "correct horse battery staple"


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    async with line(database, key_files[0]) as made:
        yield made


def enter(browser: Chrome, line: Line, login: str) -> None:
    """Sign in, again where a starved machine had no time for the password."""

    def inside() -> bool:
        browser.get(line.world.url + "/inbox")
        sign_in(browser, line.world, login)
        return bool(browser.find_elements(By.CSS_SELECTOR, "header a[href='/me']"))

    assert comes(inside), text(browser)


async def test_a_head_adds_a_shift_by_keyboard_and_an_officer_gives_it_away(browser: Chrome, pictures: Path, agency: Line) -> None:
    await agency.person("head", "back-up", head=True)
    officer = await agency.person("officer", DUTY, email="officer@x.example", sms="+99944000001")
    await agency.person("colleague", DUTY)
    now = await agency.notifier.now()

    def work() -> None:
        enter(browser, agency, "head")
        send(browser, "header a[href='/agency']")
        arrive(browser, "a[href='/agency/shift']:not([href*='?'])")
        assert "nobody at Duty officer" not in text(browser, "#content"), "without a rota everybody of the rung is told"
        send(browser, "a[href='/agency/shift']:not([href*='?'])")
        field(browser, "account").send_keys("officer")
        field(browser, "rung").send_keys("Duty officer")
        for day in ("mon", "tue", "wed", "thu", "fri"):
            press(browser, f"input[name='day.{day}']")
        field(browser, "start").send_keys("0800AM")
        field(browser, "end").send_keys("0800PM")
        tab_to(browser, "main form button.first", most=40)
        send(browser, "main form button.first")
        assert "The shift is added." in text(browser)
        assert "nobody at Duty officer" in text(browser, ".holes"), "a rota has holes, and the page says when"
        picture(browser, pictures / "agency-en.png")
        browser.get(agency.world.url + "/agency/end/weekly/1")
        assert "The shift no longer repeats" in text(browser)
        with signed_in(agency.world, "head") as person:
            assert f"{local(now):%d.%m.}" in person.get("/agency").text and officer in person.get("/agency").text

    await asyncio.to_thread(work)

    def give() -> None:
        send(browser, "footer form[action='/signout'] button")
        enter(browser, agency, "officer")
        send(browser, "header a[href='/me']")
        arrive(browser, "a[href='/me/swap']")
        assert "ends in 01" in text(browser) and "+999" not in browser.page_source
        picture(browser, pictures / "account-en.png")
        send(browser, "a[href='/me/swap']")
        field(browser, "shift").send_keys("Wed")
        field(browser, "taker").send_keys("colleague")
        send(browser, "main form button.first")
        assert "You asked colleague to take this shift" in text(browser)
        send(browser, "footer form[action='/signout'] button")
        enter(browser, agency, "colleague")
        send(browser, "header a[href='/me']")
        send(browser, "button[value='TAKEN']")
        assert "The shift is yours now." in text(browser)

    await asyncio.to_thread(give)


async def test_no_page_is_wider_than_a_phone_and_axe_finds_nothing(measuring: Chrome, agency: Line) -> None:
    await agency.person("head", DUTY, "back-up", head=True, email="head@x.example", sms="+99944000001", voice="+99944000001")
    officer = await agency.person("officer", DUTY)
    await agency.shift(officer, "mon-fri 08:00-20:00")

    def look() -> None:
        enter(measuring, agency, "head")
        for path in (*PAGES, f"/agency/person/{officer}", "/agency/end/weekly/1", f"/me/takeover?rung={DUTY}", "/invitation"):
            measuring.get(agency.world.url + path)
            measure(measuring)
        for language, title in (
            ("sq", "Institucioni ynë"),
            ("sr-Latn", "Naša ustanova"),
            ("sr-Cyrl", "Наша установа"),
            ("en", "Our agency"),
        ):
            measuring.get(agency.world.url + "/agency")
            measuring.find_element(By.CSS_SELECTOR, f"#language option[value='{language}']").click()
            send(measuring, "form.language button")
            assert text(measuring, "h1") == title
            measure(measuring)

    await asyncio.to_thread(look)


async def test_the_first_day_of_somebody_who_was_invited_on_a_phone(measuring: Chrome, pictures: Path, agency: Line) -> None:
    """Code page, password, first inbox, and an address that asks for the password: nothing to mend for axe on any of them."""
    await agency.person("head", "back-up", head=True)
    browser = measuring

    def work() -> None:
        def judged(name: str) -> None:
            picture(browser, pictures / f"first-day-{name}.png")
            measure(browser)

        browser.get(agency.world.url + "/signin")
        assert HELP in text(browser) and browser.find_elements(By.CSS_SELECTOR, "a[href='/invitation']")
        judged("signin")
        enter(browser, agency, "head")
        browser.get(agency.world.url + "/agency/invite")
        field(browser, "login").send_keys("arta.m")
        press(browser, f"input[name='rung.{DUTY}']")
        field(browser, "invite-language").send_keys("English")
        send(browser, "main form button.first")
        field(browser, "password").send_keys(PASSWORD)  # a cookie alone invites nobody
        send(browser, "main form button.first")
        given = browser.find_element(By.CSS_SELECTOR, ".code").text
        assert "/invitation" in text(browser) and browser.find_elements(By.CSS_SELECTOR, ".square svg")
        judged("code")
        browser.get(agency.world.url + "/agency")
        with leaving(browser):
            browser.find_element(By.LINK_TEXT, "arta.m").click()
        send(browser, "form[action$='/head'] button")
        assert "Yes, arta.m becomes a head" in text(browser)
        judged("head")
        send(browser, "footer form[action='/signout'] button")
        browser.get(agency.world.url + "/invitation")
        for name, typed in (("code", given), ("new", NEW), ("repeat", NEW)):
            field(browser, name).send_keys(typed)
        send(browser, "main form button.first")
        assert "arta.m" in text(browser, "main h1") and field(browser, "login").get_attribute("value") == "arta.m"
        judged("set")
        field(browser, "password").send_keys(NEW)
        send(browser, "main form button.first")
        browser.get(agency.world.url + "/inbox")
        assert browser.find_elements(By.CSS_SELECTOR, "main .notice.bad a[href='/me']"), text(browser)
        judged("inbox")
        browser.get(agency.world.url + "/me")
        browser.find_element(By.CSS_SELECTOR, "#addresses ~ ul li:nth-of-type(2) summary").click()
        field(browser, "sms-address").send_keys("+38344000001")
        send(browser, "#addresses ~ ul li:nth-of-type(2) form[action='/me/address'] button")
        assert browser.switch_to.active_element.get_attribute("id") == "password", "the field has the focus"
        judged("step-up")
        field(browser, "password").send_keys(NEW)
        send(browser, "main form button.first")
        assert browser.find_elements(By.CSS_SELECTOR, "input[name='code']"), "the code is asked for, and nothing typed was lost"
        judged("account")

    await asyncio.to_thread(work)


async def test_a_head_finds_one_colleague_of_many_without_a_script_and_no_login_stands_in_an_address(agency: Line) -> None:
    """61 colleagues were 20 screens of a phone."""
    await agency.person("head", "back-up", head=True)
    people = {login: await agency.person(login, DUTY) for login in ("arta.m", "arta.k", *(f"officer-{n}" for n in range(9)))}

    def find(login: str) -> tuple[int, str, str]:
        with signed_in(agency.world, "head") as person:
            answer = person.post("/agency/find", data=fields(person.get("/agency").text) | {"login": login})
            to = answer.headers.get("location", "")
            return answer.status_code, to, (person.get(to) if to else answer).text

    def look() -> None:
        status, to, page = find(" ARTA.M ")
        assert (status, to) == (303, f"/agency/person/{people['arta.m']}") and "arta.m" in page
        _, to, page = find("arta")
        assert "arta" not in to and all(login in page for login in ("arta.m", "arta.k")) and ">officer-1<" not in page
        assert 'href="/agency">Show everybody' in page and 'value="arta"' in page
        _, to, page = find("besa")
        assert "besa" not in to and "No colleague has this in the login." in page and "arta.m" in page, "and everybody is shown"
        with signed_in(agency.world, "officer-1") as person:
            assert person.post("/agency/find", data=fields(person.get("/me").text) | {"login": "arta"}).status_code == 404

    await asyncio.to_thread(look)


async def test_few_colleagues_need_no_search(agency: Line) -> None:
    await agency.person("head", DUTY, head=True)

    def look() -> None:
        with signed_in(agency.world, "head") as person:
            assert "/agency/find" not in person.get("/agency").text

    await asyncio.to_thread(look)
