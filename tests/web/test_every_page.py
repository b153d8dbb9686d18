"""Every page of intake at 375 px in four languages: axe finds nothing, nothing is wider than the phone, every target is large.

The pages come from the routes (`intake_pages`): a route without a look is red. `make faults` opens all in all languages; `make test` opens,
in the language with the longest words, those that no other quick test judges.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from sqlalchemy import text

from referral.runtime.i18n import ENDONYMS
from tests.harness.web import axe
from tests.harness.web.agency_line import Line, line
from tests.harness.web.answered import ends
from tests.harness.web.intake_pages import COORDINATES, DESKS, DUTY, LOOKS, NO_PAGE, NOBODY, OTHERS, WORKER, Look, routes
from tests.harness.web.intake_scene import scene
from tests.harness.web.measured import sizes
from tests.harness.web.steps import leaving
from tests.harness.web.world import PASSWORD, World, signed_in

ELSEWHERE = ("/inbox", "/offers/{id}", "/calls/{id}", "/calls/{id}/answer", "/tasks/{id}", "/signin", "/agency", "/me", "/invitation")
"""Pages that axe judges in test_inbox, test_guidance and test_agency, those of an agency with all that is below them."""
ENTER = """
const [field, value] = arguments;
if (field.type === "checkbox") field.checked = true;
else if (field.type === "radio") document.querySelector(`input[name="${field.name}"][value="${value}"]`).checked = true;
else field.value = value;
"""
AT_WHAT_IS_WRONG = """
const here = document.activeElement, alert = document.querySelector("[role=alert]");
const first = document.querySelector("[aria-invalid=true]");
return (!alert && !first) || here === first || Boolean(here.closest("[role=alert]"));
"""
"""Where something is wrong, the focus is at the first field that is, or at the message."""


def test_every_route_is_looked_at_or_is_no_page() -> None:
    known = {*LOOKS, *NO_PAGE}
    forms = {route.removeprefix("POST ") for route in routes() if route.startswith("POST ")}
    missing = [route for route in routes() if route not in known and not (route.startswith("GET ") and route[4:] in forms)]
    assert missing == [], "name these in tests/harness/web/intake_pages.py: how a person opens them, or why they are no page"
    assert [route for route in known if route not in routes()] == []


class Visitor:
    """A browser that is whoever a page needs, by the cookies of one sign-in each."""

    def __init__(self, browser: Chrome, world: World, names: Mapping[str, str], language: str) -> None:
        self.browser, self.world, self.names, self.language = browser, world, names, language
        self.who: str | None = None
        self.cookies: dict[str, dict[str, str]] = {NOBODY: {}}
        world.run(lambda tx: tx.execute(text("UPDATE intake.account SET language = :language"), {"language": language}))
        for login in (DUTY, WORKER, DESKS, COORDINATES):
            with signed_in(world, login) as person:
                self.cookies[login] = dict(person.cookies)

    def open(self, look: Look) -> None:
        """Open a page as a person does."""
        if self.who != look.who:
            if self.who is None:
                self.browser.get(self.world.url + "/help")
            self.browser.delete_all_cookies()
            for name, value in {**self.cookies[look.who], "language": self.language}.items():
                self.browser.add_cookie({"name": name, "value": value})
            self.who = look.who
        self.browser.get(self.world.url + look.path.format_map(self.names))
        for act in look.acts:
            if isinstance(act, tuple):
                self.browser.execute_script(ENTER, self.browser.find_element(By.CSS_SELECTOR, act[0]), act[1])
            else:
                self.press(act)

    def press(self, css: str) -> None:
        """Press a button or link that leads to another page, also in a fold."""
        button = self.browser.find_element(By.CSS_SELECTOR, css)
        with leaving(self.browser):
            self.browser.execute_script("arguments[0].click()", button)

    def judge(self) -> list[str]:
        """What is wrong with the page that is open."""
        said = self.browser.execute_script("return document.documentElement.lang")
        lost = [] if self.browser.execute_script(AT_WHAT_IS_WRONG) else ["the focus is not at what is wrong"]
        sizes(self.browser)
        return [*axe.violations(self.browser), *lost, *([] if said == self.language else [f"lang is {said}"])]


def ended_within_an_answer(visitor: Visitor) -> Iterator[tuple[str, list[str]]]:
    """The page on which a session ends, and the one that sends what was entered. Nobody is signed in afterwards."""
    visitor.open(Look(WORKER, "/offers/{decide}"))
    visitor.browser.execute_script(ENTER, visitor.browser.find_element(By.ID, "DECIDE-reason"), "She trusts nobody (made up)")
    ends(visitor.world)
    visitor.press("form:has(input[value=DECIDE]) button")
    yield "ended", visitor.judge()
    for id, value in (("login", WORKER), ("password", PASSWORD)):
        visitor.browser.execute_script(ENTER, visitor.browser.find_element(By.ID, id), value)
    visitor.press("main form button.first")
    yield "resume", visitor.judge()


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    async with line(database, key_files[0]) as made:
        yield made


def new(route: str) -> bool:
    """Whether no other quick test judges this page."""
    path = route.split()[1]
    return path not in ELSEWHERE and not path.startswith(("/agency/", "/me/"))


def judged(browser: Chrome, world: World, names: Mapping[str, str], language: str, looks: Mapping[str, tuple[Look, ...]]) -> dict[str, Any]:
    """What is wrong, by page."""
    visitor, wrong = Visitor(browser, world, names, language), dict[str, Any]()
    for route, every in looks.items():
        for number, look in enumerate(every):
            visitor.open(look)
            if found := visitor.judge():
                wrong[f"{route} {number} {browser.current_url}"] = found
    for name, bad in ended_within_an_answer(visitor):
        wrong |= {name: bad} if bad else {}
    return wrong


async def test_axe_finds_nothing_on_pages_that_nobody_else_judges(measuring: Chrome, agency: Line) -> None:
    names = await scene(agency)
    looks = {route: every[-1:] for route, every in LOOKS.items() if new(route)}
    assert len(looks) > 15, "there is something to judge"
    assert await asyncio.to_thread(judged, measuring, agency.world, names, "sq", looks) == {}


@pytest.mark.long
@pytest.mark.parametrize("language", ENDONYMS)
async def test_axe_finds_nothing_on_any_page(measuring: Chrome, agency: Line, language: str) -> None:
    names = await scene(agency)
    assert await asyncio.to_thread(judged, measuring, agency.world, names, language, {**LOOKS, "others": OTHERS}) == {}
