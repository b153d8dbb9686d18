"""A page on paper: whose it is and when, black on white, the limit with its date, and no form."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.harness.web.steps import send, sign_in
from tests.harness.web.world import NAMED, POLICE, World

LOOK = """
const seen = css => [...document.querySelectorAll(css)].filter(one => one.getClientRects().length).map(one => one.innerText.trim());
const inked = [...document.querySelectorAll('main *')].filter(one => one.getClientRects().length)
  .map(one => getComputedStyle(one)).map(style => style.color + ' ' + style.backgroundColor);
return {main: document.querySelector('main').innerText, forms: seen('form, button, .button, #answer, #guidance'),
        colours: [...new Set(inked)], page: getComputedStyle(document.body).backgroundColor};
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_file_on_paper_is_a_document(world: World, measuring: Chrome, pictures: Path, scheme: str) -> None:
    """White letters on nothing, no agency, no person, no time, an empty "Your answer"; and a limit of "14 minutes"."""
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    sign_in(measuring, world, "duty")
    measuring.get(f"{world.url}/offers/{offer}")
    send(measuring, "form[action$='/show'] button")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    measuring.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    try:
        found = measuring.execute_script(LOOK)
    finally:
        measuring.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert "Police" in found["main"] and "· duty · as of " in found["main"] and NAMED[0] in found["main"]
    assert found["forms"] == [] and "minutes left" not in found["main"] and "limit " in found["main"]
    assert found["colours"] == ["rgb(0, 0, 0) rgb(255, 255, 255)"] and found["page"] == "rgb(255, 255, 255)"
