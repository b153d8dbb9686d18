"""A form that points to a level: filled in by several on a phone, read side by side, and a decision below it that asks for its reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome

from referral.domain.events import OfferKind, ResponseSubmitted, SectionWritten
from tests.harness.web import axe
from tests.harness.web.forms import fields
from tests.harness.web.steps import picture, press, send, sign_in, text
from tests.harness.web.support import CSW, support
from tests.harness.web.world import World, signed_in

POLICE = "police-prizren"
DECIDES: dict[str, Any] = {
    "kind": OfferKind.DECIDE,
    "words": ("DECIDE",),
    "codes": ("LOW", "MEDIUM", "HIGH", "not-agreed"),
    "shows": ("identity", "narrative", "safety-plan", "risk-form"),
}


def test_the_form_is_filled_on_a_phone_and_says_in_words_what_it_points_to(world: World, measuring: Chrome, pictures: Path) -> None:
    world.account("worker", CSW)
    world.account("officer", POLICE)
    case = world.case("prizren")
    mine, theirs = support(world, case, seat=2, step="risk", **DECIDES), support(world, case, POLICE, seat=0, step="risk", **DECIDES)
    with signed_in(world, "officer") as officer:  # the police say that there is a threat, and know nothing else
        where = f"/offers/{theirs}/write/risk-form"
        page = officer.post(where, data={"form": fields(officer.get(f"/offers/{theirs}/write").text)["form"], "do": "open"}).text
        assert "Nobody has filled it in yet" in page and "The answers point to: High" in page
        assert officer.post(where, data=fields(page) | {"do": "save", "f.threat": "yes", "f.worse": "unknown"}).status_code == 303
    sign_in(measuring, world, "worker")
    measuring.get(f"{world.url}/offers/{mine}")
    assert "second person is asked" in text(measuring, "section[aria-labelledby=answer]")
    picture(measuring, pictures / "risk-offer-en.png")
    send(measuring, f"form[action='/offers/{mine}/write/risk-form'] button")
    assert axe.violations(measuring) == []
    said = text(measuring)
    assert "The answers point to: High" in said and "Was there a threat to kill? yes" in said
    assert re.search(r"Was there a threat to kill\?\s+yes Police", said), "who said it"
    for name, answer in (("threat", "no"), ("hurt_now", "unknown"), ("afraid", "yes")):
        press(measuring, f"label:has(input[name='f.{name}'][value='{answer}'])")
    width = measuring.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["width"]
    assert width <= 375
    send(measuring, "button[value=save]")
    send(measuring, "form[action$='/write/risk-form']:has(input[value=open]) button")
    said = text(measuring)
    assert said.count("Was there a threat to kill?") == 3, "because of it, who said what, and the question"
    assert not re.search(r"\b\d+ (points|of \d+)|score|%", said), "no number is shown"
    picture(measuring, pictures / "risk-form-en.png")
    measuring.get(f"{world.url}/offers/{mine}")
    press(measuring, "label:has(input[name=code][value=LOW])")
    send(measuring, "form:has(input[name=word][value=DECIDE]) button:not([disabled])")
    assert "Write why you decide less" in text(measuring)
    picture(measuring, pictures / "risk-below-en.png")
    assert not [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
    measuring.find_element("id", "DECIDE-reason").send_keys("Marker-Arsye")
    send(measuring, "form:has(input[name=word][value=DECIDE]) button:not([disabled])")
    [event] = [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
    assert (event.code, event.pointed, event.recorded) == ("LOW", "HIGH", ("reason",))
    assert [event.section for event in world.queued() if isinstance(event, SectionWritten)] == ["risk-form", "risk-form"]
