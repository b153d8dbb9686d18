"""The handset of a local stack in a browser without JavaScript, on a phone: heard, answered by keyboard and by tap, large enough."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from referral.channels.prompts import SPEECHES, Part, speech
from referral.local.handset.telephones import Handset
from tests.harness.waiting import PATIENCE_S, comes
from tests.harness.web.measured import sizes
from tests.harness.web.steps import leaving, picture, send, tab_to, text

OFFICER, BACK_UP = "+999440201", "+999440202"
SMS = "USHTRIM. Kutia juaj hyrese pret (3F0A-91BC). Pergjigjuni: 1 4711 = po e shikoj, 2 4711 = nuk mundem."


@pytest.fixture
def handset() -> Iterator[Handset]:
    """One in a thread of its own, with the officer's SMS and a call that was missed."""
    made, loop = Handset(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE_S)  # type: ignore[arg-type]

    made.names = {OFFICER: "police-prizren.duty-officer"}
    run(made.start())
    httpx.get(f"{made.url}/cgi-bin/sendsms", params={"to": OFFICER, "text": SMS}, timeout=PATIENCE_S)
    with ringing(made, OFFICER, "sq"):
        httpx.post(f"{made.url}/press", data={"end": "rings-out"}, timeout=PATIENCE_S)
    yield made
    run(made.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE_S)


def words(language: str) -> str:
    """What a call of a drill says."""
    return SPEECHES[speech(language)].words(Part.EXERCISE, Part.LINE, Part.URGENT, Part.KEYS)


@contextmanager
def ringing(handset: Handset, number: str, language: str) -> Iterator[Future[str]]:
    """A call that rings now; how it ended."""
    ended: Future[str] = Future()
    call = {"to": number, "text": words(language), "language": speech(language)}

    def ring() -> None:
        ended.set_result(httpx.post(f"{handset.url}/calls", json=call, timeout=PATIENCE_S).text)

    thread = threading.Thread(target=ring, daemon=True)
    thread.start()
    assert comes(lambda: any(one.number == number for one in handset.ringing))
    yield ended
    ended.result(PATIENCE_S)
    thread.join(PATIENCE_S)


def test_the_second_call_is_answered_by_keyboard(browser: Chrome, handset: Handset, pictures: Path) -> None:
    with ringing(handset, OFFICER, "sq") as ended:
        browser.get(handset.url)
        assert "no telephone rings" in text(browser) and "rings" in text(browser, "h2").lower()
        assert browser.title.startswith("1 ringing")
        heard = browser.find_element(By.CSS_SELECTOR, ".ringing blockquote")
        assert heard.get_attribute("lang") == "sq" and heard.text == words("sq")
        picture(browser, pictures / "handset-rings.png")
        tab_to(browser, "button[value='1']")
        with leaving(browser):
            browser.switch_to.active_element.send_keys(Keys.ENTER)
        assert ended.result(PATIENCE_S) == "1"
    assert "answered with key 1: I look" in text(browser)
    assert SMS in text(browser) and f"{OFFICER} · police-prizren.duty-officer" in text(browser)
    picture(browser, pictures / "handset-answered.png")


def test_a_reply_is_written_in_peace(browser: Chrome, handset: Handset, pictures: Path) -> None:
    browser.get(handset.url)
    assert browser.find_elements(By.CSS_SELECTOR, "meta[http-equiv=refresh]")
    send(browser, "a[href^='/?reply=']")
    assert not browser.find_elements(By.CSS_SELECTOR, "meta[http-equiv=refresh]"), "it would take away what is being written"
    browser.find_element(By.NAME, "text").send_keys("1 4711")
    picture(browser, pictures / "handset-reply.png")
    send(browser, ".reply button")
    assert handset.entries[-1].kind == "reply" and handset.entries[-1].text == "1 4711"
    assert "nobody listens for replies" in text(browser)


def test_a_button_that_comes_too_late_says_so(browser: Chrome, handset: Handset) -> None:
    with ringing(handset, BACK_UP, "sr-Cyrl"):
        browser.get(handset.url)
        httpx.post(f"{handset.url}/press", data={"end": "2"}, timeout=PATIENCE_S)
    send(browser, "button[value='1']")
    assert f"{BACK_UP} does not ring" in text(browser, "[role=alert]")


def test_nothing_scrolls_sideways_and_every_target_is_large(measuring: Chrome, handset: Handset) -> None:
    with ringing(handset, BACK_UP, "en"):
        for path in ("/", f"/?reply=%2B{OFFICER[1:]}"):
            measuring.get(handset.url + path)
            sizes(measuring)  # axe refuses a page that loads itself anew, which a stand-in for a telephone that rings must do
        httpx.post(f"{handset.url}/press", data={"end": "declined"}, timeout=PATIENCE_S)
