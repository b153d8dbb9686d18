"""The oversight pages in a browser without JavaScript, on a phone: signed in and read by keyboard, nothing wider than the screen."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from starlette.applications import Starlette

from referral.runtime.postgres import database as databases
from referral.runtime.postgres.tokens import OVERSIGHT
from referral.runtime.settings import Settings
from services.oversight.pages import naming, routes
from tests.harness import made_releases
from tests.harness.waiting import PATIENCE_S
from tests.harness.web.steps import field, leaving, picture, send, tab_to, text
from tests.stories import teller

POLICY = teller.policy()


@pytest.fixture
def oversight_url(database: str, key_files: tuple[Path, Path]) -> Iterator[str]:
    """The pages with a made-up year behind them, served in a thread of their own."""
    settings = Settings(kafka="", database=database, master_key_file=key_files[0], instance="web", drill_clock=True)
    bound, ready = socket.create_server(("127.0.0.1", 0)), threading.Event()
    server: list[uvicorn.Server] = []

    async def serve() -> None:
        admin = databases.admin(settings)
        async with admin.begin() as tx:
            await made_releases.store(tx, made_releases.year(POLICY))
            await OVERSIGHT.add(tx, {"committee-secretariat": "a-token"}, note="committee")
        await admin.dispose()
        engine = databases.engine(settings, "oversight")
        made = routes.Pages(engine, lambda: POLICY, naming.load(made_releases.K), drill=True, secure=False)
        server.append(uvicorn.Server(uvicorn.Config(Starlette(routes=made.routes()), log_level="warning", lifespan="off")))
        ready.set()
        await server[0].serve(sockets=[bound])
        await engine.dispose()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    yield f"http://127.0.0.1:{bound.getsockname()[1]}/oversight"
    server[0].should_exit = True
    thread.join(PATIENCE_S)


def sign_in(browser: Chrome, url: str) -> None:
    """By keyboard, in English."""
    browser.get(url)
    Select(field(browser, "language")).select_by_value("en")
    send(browser, "form.language button")
    field(browser, "token").send_keys("a-token")
    with leaving(browser):
        field(browser, "token").send_keys(Keys.ENTER)


def test_the_committee_reads_a_year_on_a_phone_by_keyboard(oversight_url: str, browser: Chrome, pictures: Path) -> None:
    sign_in(browser, oversight_url)
    assert "The country" in text(browser) and "token" not in browser.current_url
    tab_to(browser, "h2#stage a.definition")
    with leaving(browser):
        browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert "furthest" in text(browser), "the definition, one press away"
    for path in ("country", "procedures/child-labour", "releases"):
        browser.get(f"{oversight_url}/{path}")
        width = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["width"]
        assert width <= 375, f"{path} is {width} pixels wide"
        picture(browser, pictures / f"oversight-{path.replace('/', '-')}.png")
    browser.get(f"{oversight_url}/procedures/child-labour")
    tab_to(browser, "details summary")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert "Police" in text(browser, "details[open] p"), "the names of what is hidden"
    tab_to(browser, "footer form:last-child button")
    with leaving(browser):
        browser.switch_to.active_element.send_keys(Keys.ENTER)
    browser.get(f"{oversight_url}/country")
    assert "signin" in browser.current_url


def test_what_is_one_press_away_stands_on_the_paper_in_black_on_white(oversight_url: str, browser: Chrome) -> None:
    """Also for a reader whose screen is dark."""
    sign_in(browser, oversight_url)
    browser.get(f"{oversight_url}/procedures/child-labour")
    defined = naming.load(made_releases.K)
    told = [one.definition["en"] for one in (*defined.measures.values(), *defined.terms.values())]
    few = POLICY.names("agency", "police-prizren", "en")
    assert not any(each in text(browser) for each in (*told, few)), "on the screen they are one press away"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    for path in ("procedures/child-labour", "country", "releases/12"):
        browser.get(f"{oversight_url}/{path}")
        paper = text(browser)
        assert [each for each in told if each not in paper] == [] and "what is counted" not in paper, path
        assert (few in paper) == (path != "country"), "the names of what is hidden"
        body = browser.find_element("css selector", "body")
        assert body.value_of_css_property("color") == "rgba(0, 0, 0, 1)"
        assert body.value_of_css_property("background-color") == "rgba(255, 255, 255, 1)"
        bars = {bar.value_of_css_property("print-color-adjust") for bar in browser.find_elements("css selector", "svg.bar")}
        assert bars == {"exact"}, "or hatching is not printed"
