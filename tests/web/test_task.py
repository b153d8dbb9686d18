"""A desk at a task: every order that is possible is on the page, without JavaScript, and one press confirms what silence decided."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from referral.domain import events as e
from referral.domain.authority.words import Act, Kind, Relation
from referral.domain.case_number import case_number
from referral.local import ports
from services.intake import store
from tests.harness import permits
from tests.harness.shipped import compiled
from tests.harness.web.forms import fields
from tests.harness.web.steps import picture, press, send, sign_in, text
from tests.harness.web.world import DESK, WHY, World, accepted, signed_in

TRACK = str(uuid.UUID(int=0x7))


def begun(world: World, **more: Any) -> str:
    """A case with one track, and an offer of the social worker's seat that stands as `more` says."""
    case = world.case("prizren")
    kinds = {"digest": "", "state": e.TrackState.OPENED, "paused_by": "", "outcome": ""}
    world.say(case, e.TrackChanged(why=WHY, track_id=TRACK, pathway="trafficking-child", **kinds))
    world.offer(case, "csw-prizren", "support", seat=1, track_id=TRACK, **more)
    return case


def task(world: World, case: str, about: str, step: str, seat: int) -> str:
    id, due = str(uuid.uuid4()), world.now() + 60_000_000
    place = {"track_id": TRACK, "step": step, "seat": seat, "rung": 0, "due": due}
    world.say(case, e.NeedsPerson(why=WHY, task_id=id, desk=DESK, about=about, **place))
    return id


def silence(code: str) -> e.DecisionRecorded:
    place = {"track_id": TRACK, "step": "risk", "round": 0, "seat": -1}
    return e.DecisionRecorded(why=WHY, **place, code=code, how=e.Decided.SILENCE, by=None)


def orders(page: str) -> list[str]:
    return re.findall(r'<input type="hidden" name="word" value="([A-Z]+)">', page)


def instruction(world: World) -> e.InstructionGiven:
    found = world.queued()[-1]
    assert isinstance(found, e.InstructionGiven)
    return found


def test_one_press_confirms_what_silence_decided(world: World, browser: Chrome, pictures: Path) -> None:
    account = world.account("desk", DESK, "en", desk=True)
    case = begun(world)
    world.say(case, silence("HIGH"))
    confirm = task(world, case, "confirm-default", "risk", -1)
    sign_in(browser, world, "desk")
    browser.get(f"{world.url}/tasks/{confirm}")
    assert "Nobody decided in time, so the safest code was taken: “High risk”." in text(browser)
    press(browser, "main details:has(form) summary")
    press(browser, "details[open]:has(form) input[name=reason][value=best-interest]")
    picture(browser, pictures / "task-confirm.png")
    send(browser, "details[open]:has(form) form button")
    assert "Instruction given: Settle with a decision" in text(browser)
    given = instruction(world)
    assert (given.word, given.step, given.target, given.track_id, given.by) == ("SETTLE", "risk", "HIGH", TRACK, account)


@pytest.mark.parametrize("language", ["sq", "sr-Latn", "sr-Cyrl", "en"])
def test_every_order_of_a_seat_stands_on_the_page(world: World, browser: Chrome, pictures: Path, language: str) -> None:
    world.account("desk", DESK, language, desk=True)
    begun_at = begun(world)
    world.case("prizren")
    [offer] = [held.offer_id for held in world.run(lambda tx: _offers(tx, begun_at))]
    world.say(begun_at, accepted(offer, world.now() + 60_000_000))
    failed = task(world, begun_at, "transfer-failed", "support", -1)
    sign_in(browser, world, "desk")
    browser.get(f"{world.url}/tasks/{failed}")
    assert orders(browser.page_source) == ["SETTLE", "TRANSFER", "RELEASE", "OVERTAKEN", "RESUME", "STOP", "CLOSE", "LINK"]
    picture(browser, pictures / f"task-{language}.png")


def test_a_hand_over_a_link_and_a_closed_case(world: World) -> None:
    world.account("desk", DESK, "en", desk=True)
    case, other = begun(world), world.case("prizren")
    [offer] = [held.offer_id for held in world.run(lambda tx: _offers(tx, case))]
    world.say(case, accepted(offer, world.now() + 60_000_000))
    failed = task(world, case, "transfer-failed", "support", 1)
    with signed_in(world, "desk") as person:
        form = fields(person.get(f"/tasks/{failed}").text)
        path = f"/tasks/{failed}/instruct"
        wrong = person.post(path, data=form | {"word": "TRANSFER", "reason": "other"})
        assert (wrong.status_code, "Needed for this choice." in wrong.text) == (422, True)
        assert person.post(path, data=form | {"word": "TRANSFER", "reason": "other", "service": "csw-prishtine.duty"}).status_code == 303
        given = instruction(world)
        assert (given.word, given.step, given.seat, given.target) == ("TRANSFER", "support", 1, "csw-prishtine.duty")
        form = fields(person.get(f"/tasks/{failed}").text)
        assert person.post(path, data=form | {"word": "LINK", "reason": "other", "other": other, "how": "sibling"}).status_code == 303
        assert (instruction(world).word, instruction(world).other, instruction(world).target) == ("LINK", other, "sibling")
        world.say(case, e.CaseLinked(why=WHY, other=other, how="sibling"))
        assert f"{case_number(other)} (siblings)" in person.get(f"/tasks/{failed}").text
        world.say(case, e.CaseClosed(why=WHY, outcome="done"))
        page = person.get(f"/tasks/{failed}").text
        assert orders(page) == ["REOPEN", "RESUME", "LINK"] and "Leave it closed" in page
        assert person.post(path, data=fields(page) | {"word": "REOPEN", "reason": "other", "pathway": ""}).status_code == 303
        given = instruction(world)
        assert (given.word, given.target, given.step, given.track_id) == ("REOPEN", "", "", None)


def test_a_task_that_is_settled_says_nothing_of_what_became_of_the_case(world: World) -> None:
    """Where the child is now, how far the steps are and who is asked: another desk may have the case meanwhile."""
    world.account("desk", DESK, "en", desk=True)
    case = begun(world)
    settled = task(world, case, "no-candidate", "support", 1)
    with signed_in(world, "desk") as person:
        page = person.get(f"/tasks/{settled}").text
        assert "age 12-14 · Prizren" in page and 'class="stages"' in page
        world.say(case, e.PersonNotNeeded(why=WHY, task_id=settled, how="settled"))
        main = person.get(f"/tasks/{settled}").text.partition("<h1>")[2]  # behind the line for paper, which names the reader
        assert case_number(case) in main and 'class="stages"' not in main and "12-14" not in main and "Prizren" not in main


def test_a_task_that_is_settled_does_not_ask_who_was_told(database: str, key_files: tuple[Path, Path]) -> None:
    with World(database, key_files[0], compiled(), f"http://127.0.0.1:{ports.free(1)[0]}") as world:
        world.account("desk", DESK, "en", desk=True)
        case = begun(world)
        settled = task(world, case, "no-candidate", "support", 1)
        with signed_in(world, "desk") as person:
            assert "It is not known who was told" in person.get(f"/tasks/{settled}").text
            world.say(case, e.PersonNotNeeded(why=WHY, task_id=settled, how="settled"))
            assert "It is not known who was told" not in person.get(f"/tasks/{settled}").text


async def _offers(tx: Any, case_id: str) -> Any:
    return await store.case_offers(tx, permits.leave(Act.SEE_TASK, case_id, DESK, "", kind=Kind.DESK, is_=Relation.DESK_NOW))


@pytest.mark.parametrize(
    ("about", "says"), [("complaint", "an agency was told and let a deadline"), ("complaint-ours", "This is about us")]
)
def test_the_ombudsperson_opens_the_case_that_the_machine_proposes_also_when_the_first_is_closed(
    world: World, about: str, says: str
) -> None:
    account = world.account("ombudsperson", "ombudsperson", "en", desk=True)
    case = begun(world)
    task_id = str(uuid.uuid4())
    place = {"task_id": task_id, "desk": "ombudsperson", "track_id": TRACK, "step": "police", "seat": -1, "rung": 2}
    world.say(case, e.NeedsPerson(why=WHY, about=about, due=world.now() + 86_400_000_000, **place))
    world.say(case, e.CaseClosed(why=WHY, outcome="done"))
    with signed_in(world, "ombudsperson") as person:
        page = person.get(f"/tasks/{task_id}").text
        assert orders(page) == ["CONFIRM", "REFUSE"] and says in page and "Open a case about it" in page
        assert (
            person.post(f"/tasks/{task_id}/instruct", data=fields(page) | {"word": "CONFIRM", "reason": "best-interest"}).status_code == 303
        )
        given = instruction(world)
        assert (given.word, given.task_id, given.agency, given.by) == ("CONFIRM", task_id, "ombudsperson", account)
        assert "Open a case about it" in person.get(f"/tasks/{task_id}").text
