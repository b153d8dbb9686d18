"""Measure a page as a thumb meets it: how wide it is, how large what is pressed, and what axe finds."""

from __future__ import annotations

from selenium.webdriver import Chrome

from tests.harness.web import axe


def sizes(browser: Chrome) -> None:
    """375 px at most, and nothing to press that is lower than 44 px, also with everything opened."""
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 375, f"{browser.current_url} is {width} pixels wide"
    low = browser.execute_script(
        "return [...document.querySelectorAll("
        "'main a, header a, button, summary, select, textarea, .choice, input:not([type=hidden]):not([type=radio]):not([type=checkbox])')]"
        ".filter(one => !one.hidden && one.getBoundingClientRect().height < 44).map(one => one.outerHTML)"
    )
    unlabelled = browser.execute_script(
        "return [...document.querySelectorAll('select, textarea, input:not([type=hidden])')]"
        ".filter(one => !one.labels.length).map(one => one.outerHTML)"
    )
    assert low == [], f"{browser.current_url} has what is lower than 44 pixels: {low}"
    assert unlabelled == [], f"{browser.current_url} has fields without a label: {unlabelled}"


def measure(browser: Chrome) -> None:
    """The same, and axe finds nothing on the page."""
    sizes(browser)
    found = axe.violations(browser)
    assert found == [], f"{browser.current_url}: {found}"
