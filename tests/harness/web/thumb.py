"""A phone that is handed from person to person. It taps and types as a thumb does, counts both, and lets axe judge every page.

A tap: a link, a button, an entry that is touched before typing, a choice; a list that opens costs two. Scrolling costs nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from tests.harness.waiting import comes
from tests.harness.web import axe, png
from tests.harness.web.browser import PHONE
from tests.harness.web.steps import leaving

WIDTH = int(PHONE["width"])
MOST = 60_000
"""Most bytes of a picture (ours): thirty of them are less than one photograph."""
SCALES = (1.0, 0.75, 0.5)
"""Pictures are taken in the phone's own sharpness, two dots a pixel; a long page in less."""
LEAVE = ("a", "button")
"""Elements that lead to another page: without scripts, every one of them."""
COOKIE = ("name", "value", "domain", "path", "httpOnly", "secure", "sameSite")
_FOLDED = "return [...document.querySelectorAll('details')].map(one => one.open)"
_FOLD = "document.querySelectorAll('details').forEach((one, n) => one.open = arguments[0][n])"


@dataclass
class Act:
    """What one act costs."""

    name: str
    taps: int = 0
    typed: int = 0


@dataclass
class Phone:
    """One phone. browser: without JavaScript. secrets: words that no title and no address may hold. pages: how many axe has judged."""

    browser: Chrome
    secrets: tuple[str, ...]
    acts: list[Act] = field(default_factory=list)
    pages: int = 0
    _cookies: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    @contextmanager
    def of(self, who: str, language: str = "sq") -> Iterator[Phone]:
        """Give somebody their own phone: their cookies, and their language (as BCP 47) for pages that do not know them."""
        self.browser.execute_cdp_cmd("Network.enable", {})
        self.browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
        self.browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.browser.execute_cdp_cmd("Network.setCookies", {"cookies": self._cookies.get(who, [])})
        yield self
        cookies = self.browser.execute_cdp_cmd("Network.getAllCookies", {})["cookies"]
        self._cookies[who] = [{name: cookie[name] for name in COOKIE if name in cookie} for cookie in cookies]

    @contextmanager
    def act(self, name: str) -> Iterator[Act]:
        """Count what follows as one act."""
        self.acts.append(Act(name))
        yield self.acts[-1]

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Do something that the table has already."""
        with self.act("not counted") as aside:
            yield
        self.acts.remove(aside)

    def follow(self, url: str) -> None:
        """Tap a link that stands outside our pages: in a message, on a poster."""
        self._tapped()
        self.browser.get(url)
        self._arrived()

    def tap(self, css: str) -> None:
        """Tap something, and wait for the page to which it leads."""
        element = self.browser.find_element(By.CSS_SELECTOR, css)
        self._tapped()
        if element.tag_name not in LEAVE:
            element.click()
            return
        with leaving(self.browser):
            element.click()
        self._arrived()

    def type(self, css: str, words: str) -> None:
        """Touch an entry and type."""
        element = self.browser.find_element(By.CSS_SELECTOR, css)
        self._tapped()
        element.click()
        element.send_keys(Keys.CONTROL, Keys.END)  # a thumb puts the cursor behind what stands there
        element.send_keys(words)
        self.acts[-1].typed += len(words)

    def choose(self, css: str, value: str) -> None:
        """Open a list and choose."""
        self._tapped(2)
        Select(self.browser.find_element(By.CSS_SELECTOR, css)).select_by_value(value)

    @property
    def language(self) -> str:
        """The language of the page."""
        return str(self.browser.find_element(By.TAG_NAME, "html").get_attribute("lang"))

    def again_until(self, there: Callable[[], object]) -> None:
        """Load the page again until something is there."""

        def look() -> object:
            self.browser.refresh()
            return there()

        assert comes(look), self.browser.find_element(By.TAG_NAME, "body").text

    def shows(self, *words: str) -> bool:
        """Whether the page shows all of these."""
        page = self.browser.find_element(By.TAG_NAME, "body").text
        return all(word in page for word in words)

    def shot(self, begin: str, end: str) -> bytes:
        """Return a small picture of the page, from the top of one element to the bottom of another; empty: the ends of the page."""
        height = self.browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["height"]
        first = self.browser.find_element(By.CSS_SELECTOR, begin).rect["y"] - 8 if begin else 0
        last = self.browser.find_elements(By.CSS_SELECTOR, end)[-1].rect if end else {"y": height, "height": 0}
        clip = {"x": 0, "y": max(0, first), "width": WIDTH, "height": min(height, last["y"] + last["height"] + 8) - max(0, first)}
        # For speed every row is filtered alike, which numpy undoes at once.
        for scale in SCALES:
            options = {"format": "png", "optimizeForSpeed": True, "captureBeyondViewport": True, "clip": clip | {"scale": scale}}
            taken = png.small(base64.b64decode(self.browser.execute_cdp_cmd("Page.captureScreenshot", options)["data"]))
            if len(taken) <= MOST:
                return taken
        raise AssertionError(f"{self.browser.current_url} is too long for one picture: name where it begins and ends")

    def _tapped(self, times: int = 1) -> None:
        self.acts[-1].taps += times

    def _arrived(self) -> None:
        """Judge the page. Its scripts are switched on for axe alone, and what axe unfolds is folded again."""
        self.pages += 1
        place = f"{self.acts[-1].name}: {self.browser.current_url}"
        self.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        folded = self.browser.execute_script(_FOLDED)
        found = axe.violations(self.browser)
        assert found == [], f"{place}: {found}"
        self.browser.execute_script(_FOLD, folded)
        self.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        width = self.browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["width"]
        assert width <= WIDTH, f"{place} is {width} pixels wide"
        told = [word for word in self.secrets if word in self.browser.current_url + self.browser.title]
        assert not told, f"{place}: {told} in its address or title"
