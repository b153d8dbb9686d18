"""What a person does in a browser: sign in, press, walk with the Tab key, take a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.common.exceptions import NoSuchElementException, WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.harness.waiting import PATIENCE_S, comes
from tests.harness.web.browser import PHONE
from tests.harness.web.world import PASSWORD, World


def sign_in(browser: Chrome, world: World, login: str, password: str = PASSWORD) -> None:
    """From the sign-in page to the page that asked for it."""
    if "/signin" not in browser.current_url:
        browser.get(world.url + "/inbox")
    field(browser, "login").clear()
    field(browser, "login").send_keys(login)
    field(browser, "password").send_keys(password)
    send(browser, "main form button")


def field(browser: Chrome, id: str) -> WebElement:
    return browser.find_element(By.ID, id)


def press(browser: Chrome, css: str) -> None:
    """Something that stays on the page. AssertionError: the page has no such thing; it says what the page has."""
    try:
        browser.find_element(By.CSS_SELECTOR, css).click()
    except NoSuchElementException:
        raise AssertionError(f"no {css} on {browser.current_url}: {text(browser, 'body')}") from None


def send(browser: Chrome, css: str) -> None:
    """A button or link that leads to another page."""
    with leaving(browser):
        press(browser, css)


def arrive(browser: Chrome, css: str) -> None:
    """Look at the page until it has something: what a starved machine had no time for (503) is asked for again, as a person does."""

    def found() -> list[WebElement]:
        if not (here := browser.find_elements(By.CSS_SELECTOR, css)):
            browser.refresh()
        return here

    assert comes(found), f"no {css} on {browser.current_url}: {text(browser, 'body')}"


@contextmanager
def leaving(browser: Chrome) -> Iterator[None]:
    """Wait until this page is gone: the driver may return from a click before the browser has begun to leave."""
    page = browser.find_element(By.TAG_NAME, "html")
    yield
    gone = WebDriverWait(browser, PATIENCE_S, ignored_exceptions=(WebDriverException,))
    gone.until(lambda at: at.find_element(By.TAG_NAME, "html") != page)


def word(browser: Chrome, word: str) -> None:
    """The button of one answer."""
    send(browser, f"form:has(input[name=word][value={word}]) button:not([disabled]), button[name=word][value={word}]")


def text(browser: Chrome, css: str = "main") -> str:
    return browser.find_element(By.CSS_SELECTOR, css).text


def tab_to(browser: Chrome, css: str, most: int = 40) -> None:
    """Walk with the Tab key until this element has the focus."""
    wanted = browser.find_element(By.CSS_SELECTOR, css)
    for _ in range(most):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if browser.switch_to.active_element == wanted:
            return
    raise AssertionError(f"{css} is not reached with {most} Tabs")


def picture(browser: Chrome, path: Path) -> None:
    """The whole page, as high as it is, 375 px wide."""
    height = int(browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["height"])
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE | {"height": height})
    browser.save_screenshot(str(path))
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
