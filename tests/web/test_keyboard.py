"""Keyboard alone: what a person reaches with Tab, where the focus is, and whole flows from the first page to the last.

On each page of a flow every stop of Tab is looked at: it is seen (an outline of two pixels), the stops follow the page, all of the page can
be reached, and nothing holds the focus. `make faults` does so on every page of intake.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from referral.domain import events as e
from tests.harness.waiting import comes
from tests.harness.web.agency_line import DUTY as RUNG
from tests.harness.web.agency_line import Line, line
from tests.harness.web.answered import ended
from tests.harness.web.intake_pages import LOOKS
from tests.harness.web.intake_scene import scene
from tests.harness.web.steps import leaving, text
from tests.harness.web.support import SHOWS
from tests.harness.web.world import MINUTE, PASSWORD, World, accepted
from tests.web.test_every_page import AT_WHAT_IS_WRONG, Visitor

STOPS = """
const all = [...document.querySelectorAll("a[href], button, summary, select, textarea, input:not([type=hidden]), [tabindex='0']")].filter(
    one => one.checkVisibility({visibilityProperty: true}) && !one.disabled);
const group = one => all.filter(other => other.type === "radio" && other.name === one.name && other.form === one.form);
const stops = all.filter(one => one.type !== "radio" || (group(one).find(other => other.checked) || group(one)[0]) === one);
const here = document.activeElement, style = getComputedStyle(here);
const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
return [stops.indexOf(here), stops.length, seen, here.outerHTML.slice(0, 90)];
"""
INNER = 8
"""Stops of Tab within one field: day, month, year, hour, minute and the picker of a date."""


def keys(browser: Chrome, *pressed: str) -> None:
    ActionChains(browser).send_keys(*pressed).perform()


def walk(browser: Chrome) -> list[str]:
    """What is wrong with the focus on the page that is open, from one round with Tab."""
    wrong, order, outside = list[str](), list[int](), 0
    for _ in range(400):
        keys(browser, Keys.TAB)
        index, count, visible, html = browser.execute_script(STOPS)
        if index < 0:  # the page itself, between the last stop and the first
            outside += 1
            if order and outside > 1:
                break
            continue
        if len(order) > 1 and index == order[0]:
            break
        if not order or index != order[-1]:
            order.append(index)
            if not visible:
                wrong.append(f"the focus is not seen: {html}")
        elif order.count(index) > INNER:
            return [*wrong, f"the focus is held: {html}"]
    else:
        wrong.append("Tab comes to no end")
    begins = order.index(min(order)) if order else 0
    if (turned := order[begins:] + order[:begins]) != list(range(count)):
        wrong.append(f"Tab stops at {turned} of {count}")
    return wrong


def to(browser: Chrome, css: str, most: int = 120) -> None:
    """Tab until this element has the focus."""
    wanted = browser.find_element(By.CSS_SELECTOR, css)
    for _ in range(most):
        if browser.switch_to.active_element == wanted:
            return
        keys(browser, Keys.TAB)
    raise AssertionError(f"{css} is not reached with {most} Tabs")


def go(browser: Chrome, css: str, key: str = Keys.ENTER) -> None:
    """Press a button or link that leads to another page, and look at that page."""
    to(browser, css)
    with leaving(browser):
        keys(browser, key)
    assert walk(browser) == [], browser.current_url


def wrong(browser: Chrome, css: str) -> None:
    """Send what is not complete: the focus stands at what is wrong."""
    to(browser, css)
    with leaving(browser):
        keys(browser, Keys.ENTER)
    # The browser moves the focus once the page is drawn, which on a busy machine is after it has loaded.
    assert comes(lambda: browser.execute_script(AT_WHAT_IS_WRONG), within=10), browser.execute_script(STOPS)


def test_from_signing_in_to_done_and_back(world: World, measuring: Chrome) -> None:
    browser, agency = measuring, "csw-prizren"
    world.account("worker", agency, "en")
    case = world.case("prizren")
    run = world.track(case)
    offer = world.offer(case, agency, "support", track_id=run, seat=1, shows=SHOWS)
    browser.get(f"{world.url}/inbox")
    assert walk(browser) == []
    wrong(browser, "main form button.first")
    to(browser, "#login")
    keys(browser, "worker", Keys.TAB, PASSWORD)
    go(browser, "main form button.first")
    go(browser, f"a[href='/offers/{offer}']")
    go(browser, "form:has(input[value=ACCEPT]) button")
    world.decide(case, accepted(offer, world.now() + 90 * MINUTE))
    go(browser, f"a.button[href='/offers/{offer}']")
    go(browser, f"a[href='/offers/{offer}/write']")
    go(browser, "form[action$='/contact'] button")
    to(browser, "#f-telephone")
    keys(browser, "nobody")
    wrong(browser, "button[value=save]")
    to(browser, "#f-telephone")
    keys(browser, Keys.END, *[Keys.BACKSPACE] * 6)
    to(browser, "#f-safe_way")
    keys(browser, "By the neighbour (made up)")
    go(browser, "button[value=save]", Keys.SPACE)
    assert browser.find_elements(By.CSS_SELECTOR, ".notice.good")
    go(browser, f"a.button[href='/offers/{offer}']")
    to(browser, "details:has(input[value=RETURN]) > summary")
    keys(browser, Keys.SPACE)
    wrong(browser, "form:has(input[value=RETURN]) button")
    go(browser, "form:has(input[value=COMPLETE]) button")
    assert "take it back for 2 minutes" in text(browser)
    go(browser, "main form button.stop", Keys.SPACE)
    world.decide(case, *ended(offer, e.How.COMPLETED, world.now(), undo=True))
    go(browser, f"a.button[href='/offers/{offer}']")
    go(browser, "form[action$='/take-back'] button")
    assert "Sent: Take it back" in text(browser)


def test_a_referral_from_the_first_question_to_the_receipt(world: World, measuring: Chrome) -> None:
    browser, following = measuring, "button[value=next]"
    browser.get(f"{world.url}/refer")
    assert walk(browser) == []
    wrong(browser, following)
    keys(browser, Keys.SPACE)
    go(browser, following)
    wrong(browser, following)
    for id, typed in (("found_in", "Prizren"), ("concern", "T"), ("age_band", "12")):
        to(browser, f"#{id}")
        keys(browser, typed)
    go(browser, following)
    wrong(browser, following)
    to(browser, "#happened")
    keys(browser, "A man waits for her after school. (made up)")
    go(browser, following)
    to(browser, "#telephone")
    keys(browser, "044 000 000")
    go(browser, following)
    go(browser, "button[value=back]")
    go(browser, following)
    go(browser, "button[value=send]", Keys.SPACE)
    assert browser.find_elements(By.CSS_SELECTOR, ".code code")
    go(browser, "main form button")
    assert browser.find_elements(By.CSS_SELECTOR, "#note")


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    async with line(database, key_files[0]) as made:
        yield made


async def test_a_head_makes_the_rota(measuring: Chrome, agency: Line) -> None:
    await agency.person("head", "back-up", head=True)
    await agency.person("officer", RUNG)
    browser = measuring

    def work() -> None:
        browser.get(f"{agency.world.url}/agency")
        to(browser, "#login")
        keys(browser, "head", Keys.TAB, PASSWORD)
        go(browser, "main form button.first")
        go(browser, "a[href='/agency/shift']:not([href*='?'])")
        wrong(browser, "main form button.first")
        for id, typed in (("account", "officer"), ("rung", "Duty officer")):
            to(browser, f"#{id}")
            keys(browser, typed)
        to(browser, "input[name='day.mon']")
        keys(browser, Keys.SPACE)
        for id, typed in (("start", "0800AM"), ("end", "0800PM")):
            to(browser, f"#{id}")
            keys(browser, typed)
        go(browser, "main form button.first")
        assert browser.find_elements(By.CSS_SELECTOR, "[role=status]")
        go(browser, "a[href='/agency/absence']")
        wrong(browser, "main form button.first")

    await asyncio.to_thread(work)


@pytest.mark.long
async def test_tab_reaches_everything_on_every_page_and_is_always_seen(measuring: Chrome, agency: Line) -> None:
    names = await scene(agency)

    def visit() -> dict[str, list[str]]:
        visitor, found = Visitor(measuring, agency.world, names, "en"), dict[str, list[str]]()
        for route, looks in LOOKS.items():
            for number, look in enumerate(looks):
                visitor.open(look)
                if bad := walk(measuring):
                    found[f"{route} {number}"] = bad
        return found

    assert await asyncio.to_thread(visit) == {}
