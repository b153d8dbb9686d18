"""A phone on the whole line: a knock's link, a made-up account, an offer accepted by keyboard, and what follows of it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from referral.cli.stack import cast, up
from referral.cli.stack.cast import Cast
from referral.cli.stack.stage import Stage
from referral.local.config import StackConfig
from referral.local.stack import Stack
from tests.harness.servers import prefix
from tests.harness.web.steps import leaving, picture, tab_to, text

pytestmark = pytest.mark.servers
TRAITS = {"concern": "trafficking", "age": "child", "found_in": "prishtine", "urgency": "urgent", "languages": ["sq"]}
POLICE, ADVOCATE = "police-prishtine", "advocate-prishtine"
RUNGS = {"sq": ("duty-officer",), "sr-Cyrl": ("duty-officer", "back-up", "head-of-section")}
"""Who is knocked before somebody answers; the last of them speaks the language."""


async def test_what_a_knock_leads_to_is_accepted_by_keyboard_and_the_line_goes_on(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, ca: Path, browser: Chrome, pictures: Path
) -> None:
    data = tmp_path_factory.mktemp("web-line")
    async with up.running(StackConfig(data=data, kafka=kafka, ca=ca, prefix=prefix(), drill=True)) as stack:
        await asyncio.to_thread(_night, stack, cast.load(data), browser, pictures)


def _night(stack: Stack, people: Cast, browser: Chrome, pictures: Path) -> None:
    stage = Stage(stack, people)
    try:
        for language, rungs in RUNGS.items():
            before = len(stack.mailbox.mails)
            case_id = str(stage.agency("school-drita").submit({"traits": TRAITS, "drill": True}, key=f"web-{language}")["case_id"])
            for rung in rungs:
                knock = stage.wait(f"{rung} is knocked", partial(_knock, stack, before, f"{POLICE}.{rung}"))
                if rung != rungs[-1]:
                    stage.pass_time(timedelta(minutes=16), "nobody acknowledges")
            _accept(people, browser, knock, f"{POLICE}.{rungs[-1]}", language, pictures)
            offer = stage.offered(ADVOCATE, case_id, "support")
            _look(people, browser, stack.url("intake"), ADVOCATE, str(offer["offer_id"]))
    finally:
        stage.close()


def _knock(stack: Stack, before: int, login: str) -> EmailMessage | None:
    """The knock for somebody among the mails that came since."""
    return next((mail.message for mail in stack.mailbox.mails[before:] if f"{login}@example.org" in mail.recipients), None)


def _accept(people: Cast, browser: Chrome, knock: EmailMessage, login: str, language: str, pictures: Path) -> None:
    [link] = re.findall(r"https?://\S+", knock.get_content())
    _enter(people, browser, link, login)
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
    picture(browser, pictures / f"line-inbox-{language}.png")
    tab_to(browser, "a[href^='/offers/']")
    _press(browser)
    tab_to(browser, "form:has(input[value=ACCEPT]) button")
    _press(browser)
    assert browser.find_elements(By.CSS_SELECTOR, ".notice.good")
    picture(browser, pictures / f"line-accepted-{language}.png")
    _leave(browser)


def _look(people: Cast, browser: Chrome, url: str, agency: str, offer_id: str) -> None:
    """Another agency's inbox shows the offer that followed."""
    _enter(people, browser, f"{url}/inbox", people.of(agency)[0].login)
    assert browser.find_elements(By.CSS_SELECTOR, f"[aria-labelledby=answer] a[href='/offers/{offer_id}']"), text(browser)
    _leave(browser)


def _enter(people: Cast, browser: Chrome, url: str, login: str) -> None:
    """Sign in by keyboard."""
    browser.get(url)
    tab_to(browser, "#login")
    browser.switch_to.active_element.send_keys(login, Keys.TAB)
    with leaving(browser):
        browser.switch_to.active_element.send_keys(people.password, Keys.ENTER)
    assert browser.current_url.endswith("/inbox")


def _leave(browser: Chrome) -> None:
    tab_to(browser, "form[action='/signout'] button", most=60)
    _press(browser)


def _press(browser: Chrome) -> None:
    with leaving(browser):
        browser.switch_to.active_element.send_keys(Keys.ENTER)
