"""axe-core finds nothing on any page of audit and oversight, in any language."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.select import Select

from referral.runtime.i18n import ENDONYMS
from referral.runtime.settings import Settings
from tests.harness.line import audit_stack
from tests.harness.waiting import until
from tests.harness.web import axe
from tests.harness.web.measured import measure
from tests.harness.web.steps import field, picture, send
from tests.integration.audit.test_pages import opened
from tests.web.test_oversight import oversight_url

__all__ = ["oversight_url"]  # a fixture
LANGUAGES = [pytest.param(language, marks=() if language == "sq" else pytest.mark.long) for language in ENDONYMS]
"""Quick in the language with the longest words; the others see the same pages."""
OVERSIGHT = (
    "country",
    "deadlines",
    "procedures/child-labour",
    "releases",
    "releases/12",
    "measures",
    "measures/late",
    "downloads",
    "nothing",
)


async def listens(url: str) -> bool:
    """Whether a browser would get an answer."""
    try:
        async with httpx.AsyncClient() as http:
            return (await http.get(f"{url}/auditor/signin")).is_success
    except httpx.TransportError:
        return False


def speak(browser: Chrome, language: str) -> None:
    """As a reader does: the list at the foot of the page."""
    Select(field(browser, "language")).select_by_value(language)
    send(browser, "footer form:has(select) button")


def sign_in(browser: Chrome) -> None:
    field(browser, "token").send_keys("a-token")
    send(browser, "main form button")


def looked_at(browser: Chrome, language: str) -> None:
    """Look at the page that is open."""
    said = browser.execute_script("return document.documentElement.lang")
    found = axe.violations(browser)
    assert (said, found) == (language, []), browser.current_url
    width = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["width"]
    assert width <= 375, f"{browser.current_url} is {width} pixels wide in {language}"


def refused(browser: Chrome, language: str) -> None:
    """Sign in with a token that nobody has, look, and then with the right one."""
    field(browser, "token").send_keys("another")
    send(browser, "main form button")
    looked_at(browser, language)
    assert ":" in browser.title.split()[0], "the title begins with the word for error"
    sign_in(browser)


@pytest.mark.parametrize("language", LANGUAGES)
def test_oversight(oversight_url: str, measuring: Chrome, language: str) -> None:
    measuring.get(f"{oversight_url}/signin")
    speak(measuring, language)
    looked_at(measuring, language)
    refused(measuring, language)
    for path in OVERSIGHT:
        measuring.get(f"{oversight_url}/{path}")
        looked_at(measuring, language)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_audit(database: str, key_files: tuple[Path, Path], measuring: Chrome, pictures: Path, language: str) -> None:
    settings = Settings(kafka="", database=database, master_key_file=key_files[0], instance="web", drill_clock=True)

    def look(url: str, case_id: str) -> None:
        measuring.get(f"{url}/auditor/signin")
        speak(measuring, language)
        looked_at(measuring, language)
        refused(measuring, language)
        for path in ("", "?case=x", "?case=ffff", "/cases/00000000-0000-4000-8000-000000000000", "/nothing", f"/cases/{case_id}"):
            measuring.get(f"{url}/auditor{path}")
            looked_at(measuring, language)
        picture(measuring, pictures / f"audit-case-{language}.png")

    async with opened(settings) as door, audit_stack.serving(door.app) as url:
        await until(lambda: listens(url), what="the server listens")
        await asyncio.to_thread(look, url, door.case_id)


def test_without_npm_a_page_is_measured_all_the_same_and_it_is_said(measuring: Chrome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    measuring.get("data:text/html,<main><p>Nothing to press.</p></main>")
    measure(measuring)
    measuring.get("data:text/html,<main><button style='height:20px'>Low</button></main>")
    with pytest.raises(AssertionError, match="Low"):
        measure(measuring)
    with pytest.raises(pytest.skip.Exception, match="axe judged none of 1 page"):
        axe.say_unjudged()
