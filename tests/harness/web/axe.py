"""Let axe-core (Deque, MPL 2.0) judge a page: WCAG 2 A and AA, and its best practices. Only tests run it."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.harness import npm

LOCK = Path(__file__).parents[1] / "axe"
_RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then(found => done(found.violations.map(
    one => one.id + " (" + one.impact + "): " + one.nodes.map(node => node.target.join(" ")).join(", "))), why => done([String(why)]));
"""
_unjudged: list[str] = []


@cache
def _source() -> str:
    return (npm.installed(LOCK) / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(browser: Chrome) -> list[str]:
    """Return what axe finds on the present page: rule (impact): elements. browser: one with JavaScript; everything folded is opened.

    Without npm, which installs axe-core, it finds nothing, so that a test goes on to what else it looks at; `say_unjudged` tells.
    """
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    if shutil.which("npm") is None:
        _unjudged.append(browser.current_url)
        return []
    browser.execute_script(_source())
    found: list[Any] = browser.execute_async_script(_RUN)
    return [str(one) for one in found]


def say_unjudged() -> None:
    """Skip, at the end of a test, if axe should have judged a page and is not there: all the rest of the test has run."""
    pages = len(_unjudged)
    _unjudged.clear()
    if pages:
        pytest.skip(f"axe judged none of {pages} pages: no npm on this machine, which installs axe-core: apt-get install npm")
