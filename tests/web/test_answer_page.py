"""From an e-mail on a phone to an answer: the link, the digits, one button. Without JavaScript, also by keyboard."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from referral.channels.email import Email, Relay
from referral.channels.lane import Lane
from referral.domain.events import KnockAnswered, RungFailed
from referral.local import ports
from referral.runtime import http_server
from referral.runtime.observe import Health
from services.notifier import door
from services.notifier.answers import Answers
from services.notifier.metrics import Figures
from services.notifier.send import Sender
from services.notifier.told import WhoWasTold
from tests.harness import smtp
from tests.harness.line.notifier_stack import INBOX, Stack, of, opened, sending, stack
from tests.harness.web.measured import measure
from tests.harness.web.steps import leaving, send, tab_to, text


@asynccontextmanager
async def knocked(url: str, master: Path, language: str) -> AsyncIterator[tuple[Stack, str, str]]:
    """An officer with an e-mail that was sent, and the door. The link and the digits are those of the letter."""
    async with stack(url, master) as notifier, smtp.relay() as relay:
        figures, port = Figures(CollectorRegistry()), ports.free(1)[0]
        app = door.made(
            Answers(notifier.engine, notifier.keys, figures), WhoWasTold(notifier.engine, notifier.keys), notifier.keys.callback("sms")
        ).application()
        bound, server = http_server.listen("127.0.0.1", port), http_server.server(Health(), app)
        bound.listen()
        serving = asyncio.create_task(http_server.serve(server, bound))
        lanes = {"email": Lane(lambda: Email(Relay("127.0.0.1", relay.port, "inbox@referral.example")), 1)}
        await notifier.person("besa", language=language)
        async with sending(Sender(notifier.engine, notifier.keys, lanes, INBOX, figures, f"http://127.0.0.1:{port}")):
            await notifier.tell(await notifier.case(), opened())
            await relay.got(1)
        letter = relay.letters[0].get_content()
        (link,) = re.findall(r"http://\S+/k/\S+", letter)
        (digits,) = re.findall(r": (\d{4})\s", letter)
        assert digits not in link
        yield notifier, link, digits
        server.should_exit = True
        await serving


def answer(browser: Chrome, link: str, digits: str, css: str) -> str:
    """By keyboard. Return what the next page says."""
    browser.get(link)
    tab_to(browser, "#digits")
    browser.switch_to.active_element.send_keys(digits)
    tab_to(browser, css)
    with leaving(browser):
        browser.switch_to.active_element.send_keys(Keys.ENTER)
    return text(browser, "[role=status], [role=alert]")


@pytest.mark.parametrize("language", ["sq", "sr-Cyrl"])
async def test_an_officer_says_that_he_looks(browser: Chrome, database: str, key_files: tuple[Path, Path], language: str) -> None:
    async with knocked(database, key_files[0], language) as (notifier, link, digits):
        wrong = f"{(int(digits) + 1) % 10_000:04}"
        says = await asyncio.to_thread(answer, browser, link, wrong, "button[value='1']")
        assert says == "These are not the digits. 4 tries left. Look at the message again.", "in the language of the browser"
        assert of(await notifier.drain(), KnockAnswered) == []
        says = await asyncio.to_thread(answer, browser, link, digits, "button[value='1']")
        assert says == "Thank you. Your answer counts. Please open your inbox now."
        assert [(k.word, k.channel) for k in of(await notifier.drain(), KnockAnswered)] == [("LOOKS", "email")]


async def test_whoever_cannot_says_so_by_a_tap(browser: Chrome, database: str, key_files: tuple[Path, Path]) -> None:
    def tap(link: str, digits: str) -> None:
        browser.get(link)
        browser.find_element(By.ID, "digits").send_keys(digits)
        send(browser, "button[value='2']")

    async with knocked(database, key_files[0], "en") as (notifier, link, digits):
        await asyncio.to_thread(tap, link, digits)
        said = await notifier.drain()
    assert [k.word for k in of(said, KnockAnswered)] == ["CANNOT"]
    assert [e.reason for e in of(said, RungFailed)] == ["all-cannot"]


async def test_nothing_scrolls_sideways_and_every_target_is_large(measuring: Chrome, database: str, key_files: tuple[Path, Path]) -> None:
    def look(link: str) -> None:
        measuring.get(link)
        measure(measuring)

    async with knocked(database, key_files[0], "sq") as (_, link, _):
        await asyncio.to_thread(look, link)
