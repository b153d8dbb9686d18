"""An inbox with many cases, on a phone and on a wide screen, by keyboard, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from referral.domain.case_number import case_number
from tests.harness.web import axe
from tests.harness.web.forms import fields
from tests.harness.web.steps import field, picture, send, sign_in, text
from tests.harness.web.world import POLICE, World, accepted, signed_in

ROWS = "table.rows tbody tr"


@pytest.fixture
def wide(measuring: Chrome) -> Iterator[Chrome]:
    """The same browser at 1280 pixels."""
    metrics = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    measuring.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield measuring
    measuring.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def crowd(world: World) -> list[str]:
    """Twelve cases: the one before the last is an emergency, the last one late."""
    offers = []
    for number in range(12):
        urgency = "emergency" if number == 10 else "routine"
        minutes = -5 if number == 11 else 60 + number
        offers.append(world.offer(world.case("prizren"), POLICE, "police", urgency=urgency, minutes=minutes))
    return offers


def test_an_inbox_with_many_has_a_line_for_each_case_from_the_sixth_on(world: World, measuring: Chrome, pictures: Path) -> None:
    """26 cases were 21 screens of a phone, without a filter, and an emergency stood below routine ones."""
    world.account("duty", POLICE)
    offers = crowd(world)
    sign_in(measuring, world, "duty")
    assert "Waiting: 12 · late: 1 · emergencies: 1 · next limit" in text(measuring, "p.line")
    cards = [str(one.get_attribute("href")) for one in measuring.find_elements(By.CSS_SELECTOR, "li.card a.open")]
    assert len(cards) == 5 and len(measuring.find_elements(By.CSS_SELECTOR, ROWS)) == 7
    assert cards[0].endswith(offers[11]) and cards[1].endswith(offers[10])
    assert measuring.execute_script("return document.documentElement.scrollWidth") <= 375
    assert measuring.execute_script(f"return Math.max(...[...document.querySelectorAll('{ROWS}')].map(one => one.offsetHeight))") < 120
    picture(measuring, pictures / "many-phone.png")
    assert axe.violations(measuring) == []
    Select(field(measuring, "show")).select_by_value("late")
    send(measuring, ".filter button")
    assert "show=late" in measuring.current_url and len(measuring.find_elements(By.CSS_SELECTOR, "li.card")) == 1
    assert axe.violations(measuring) == []
    measuring.get(f"{world.url}/inbox?show=mine")
    assert "Nothing of the inbox is like that now." in text(measuring)


def test_it_is_a_table_on_a_wide_screen(world: World, wide: Chrome, pictures: Path) -> None:
    world.account("duty", POLICE)
    offers = crowd(world)
    sign_in(wide, world, "duty")
    tops = wide.execute_script(
        f"return [...document.querySelectorAll('{ROWS}:first-child > *')].map(one => one.getBoundingClientRect().top)"
    )
    assert len(tops) == 4 and len(set(tops)) == 1 and field(wide, "show").is_displayed()
    assert wide.execute_script("return document.querySelector('main').offsetWidth") > 900
    picture(wide, pictures / "many-wide.png")
    assert axe.violations(wide) == []
    wide.get(f"{world.url}/offers/{offers[0]}")
    picture(wide, pictures / "offer-wide.png")
    assert axe.violations(wide) == []


def test_the_way_in_stands_before_the_stages_and_the_file_before_answer_and_guidance(world: World) -> None:
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police", track_id=world.track(case))
    with signed_in(world, "duty") as person:
        page = person.get(f"/offers/{offer}").text
        assert page.index('class="time') < page.index('id="file"') < page.index('id="answer"') < page.index('id="guidance"')
        assert '<h2 id="guidance">' in page
        world.say(case, accepted(offer, world.now() + 60_000_000))
        assert '<summary id="guidance">' in person.get(f"/offers/{offer}").text, "folded once it is accepted"
        assert case_number(case) in page and fields(page)
