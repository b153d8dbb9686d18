"""Guidance on the pages of the person on duty and of the desk: the texts of their step, in their language; looking changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from sqlalchemy import text

from referral.domain.events import Reach
from referral.runtime import i18n
from services.intake.pages import guidance, render
from tests.harness.web.measured import measure
from tests.harness.web.steps import picture, sign_in
from tests.harness.web.world import DESK, POLICE, World, signed_in

TRACK = text(
    "INSERT INTO intake.track (track_id, case_id, pathway) SELECT track_id, case_id, :pathway FROM intake.offer WHERE offer_id = :id"
)
SAY = i18n.load(render.WORDS)["sr-Cyrl"]


def page(world: World, login: str, path: str) -> str:
    """The page as the person sees it who has just signed in."""
    with signed_in(world, login) as person:
        before = world.everything()
        found = person.get(path)
        assert found.status_code == 200 and world.everything() == before, "a GET changes nothing"
        return found.text


@pytest.mark.parametrize(
    ("pathway", "title"), [("juvenile-justice", "Rights in custody"), ("trafficking-child", "When the age is not certain")]
)
def test_the_page_of_a_step_shows_the_guidance_of_its_procedure(world: World, pathway: str, title: str) -> None:
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    world.run(lambda tx: tx.execute(TRACK, {"pathway": pathway, "id": offer}))
    shown = page(world, "duty", f"/offers/{offer}")
    codes = world.policy.guiding(pathway, "police")
    titles = [world.policy.guidance[code]["en"].title for code in codes]
    assert re.findall(r"<h3>(.*)</h3>", shown) == titles and title in titles
    assert shown.index('id="answer"') < shown.index('id="guidance"'), "below the answers"
    assert "Version 2, policy 1" in shown


def test_the_desk_reads_first_what_to_say_word_for_word(world: World) -> None:
    world.account("desk", DESK, "sr-Cyrl", desk=True)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "shelter", reach=Reach.PHONE)
    world.run(lambda tx: tx.execute(TRACK, {"pathway": "trafficking-child", "id": offer}))
    task = world.task(case, DESK, "no-candidate", "guardian")
    shown = page(world, "desk", f"/calls/{offer}")
    found = guidance.view(world.policy, 1, "trafficking-child", "shelter", SAY)
    assert found is not None
    spoken = SAY.scripted(found.lines(found.texts[0], "say")[0])
    assert spoken.startswith("„Тражим кревет за ноћас.")
    assert shown.index(spoken) < shown.index('id="answer"') < shown.index('id="guidance"')
    about = page(world, "desk", f"/tasks/{task}")
    assert "<h3>Старатељство</h3>" in about and about.index("/instruct") < about.index('id="guidance"')


@pytest.mark.parametrize("language", ["en", "sq", "sr-Latn", "sr-Cyrl"])
def test_a_phone_shows_what_to_do_and_opens_the_rest(world: World, measuring: Chrome, pictures: Path, language: str) -> None:
    world.account("duty", POLICE, language)
    offer = world.offer(world.case("prizren"), POLICE, "guardian")
    world.run(lambda tx: tx.execute(TRACK, {"pathway": "trafficking-child", "id": offer}))
    measuring.get(f"{world.url}/offers/{offer}")
    sign_in(measuring, world, "duty")
    folded = measuring.find_elements(By.CSS_SELECTOR, "section[aria-labelledby=guidance] details")
    assert len(folded) == 3 and not any(one.find_element(By.TAG_NAME, "ul").is_displayed() for one in folded)
    picture(measuring, pictures / f"guidance-{language}.png")
    folded[0].find_element(By.TAG_NAME, "summary").click()
    assert folded[0].find_element(By.TAG_NAME, "ul").is_displayed()
    measure(measuring)
    picture(measuring, pictures / f"guidance-open-{language}.png")
