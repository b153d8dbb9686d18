"""An office that only a telephone reaches learns where the child is: after it has accepted and was called back, and on record."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
import msgspec
import pytest
from selenium.webdriver import Chrome
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain import events as e
from referral.domain.authority.words import Act
from referral.runtime.postgres import clock
from services.intake.casefile import access, sections
from tests.harness import permits
from tests.harness.web.forms import fields
from tests.harness.web.measured import measure
from tests.harness.web.steps import picture, press, send, sign_in, text
from tests.harness.web.world import DESK, POLICE, World, accepted, signed_in

OFFICE = "csw-prizren"
PLACE = "Marker-Vendi: the mill behind the school"
NAME = "Marker-Emri"


def called(world: World, *, shows: tuple[str, ...] = ("identity", "location")) -> tuple[str, str]:
    """A case with a place and a name, and a step of an office on the telephone; the ids of both."""
    case = world.case("prizren")
    offer = world.offer(case, OFFICE, "support", reach=e.Reach.PHONE, shows=shows)

    async def write(tx: AsyncConnection) -> None:
        cipher = sections.box((await world.door.keys.load(tx, [case]))[case])
        leave = permits.leave(Act.WRITE_SECTION, case, POLICE)
        for section, said in (("location", {"where": PLACE}), ("identity", {"name": NAME})):
            row = sections.row(
                cipher, case, section, msgspec.json.encode(said), version=9, agency=POLICE, by=str(uuid.uuid4()), at=await clock.now(tx)
            )
            await sections.write(tx, leave, row)

    world.run(write)
    return case, offer


def readings(world: World) -> list[e.SectionDisclosed]:
    return [event for event in world.queued() if isinstance(event, e.SectionDisclosed)]


def shown(person: httpx.Client, offer: str, **more: str) -> httpx.Response:
    return person.post(f"/calls/{offer}/show", data=fields(person.get("/inbox").text) | more)


def test_the_desk_opens_the_place_only_after_the_office_has_accepted_and_was_called_back(world: World) -> None:
    account = world.account("desk", DESK, "en", desk=True)
    case, offer = called(world)
    with signed_in(world, "desk") as desk:
        page = desk.get(f"/calls/{offer}").text
        assert "After this office has accepted you can open here where the child is" in page and "/show" not in page
        assert "it is in the system" not in page and "in your inbox" not in page
        early = shown(desk, offer, called="yes")
        assert early.status_code == 403 and PLACE not in early.text and not readings(world)
        world.say(case, accepted(offer, world.now() + 60_000_000))
        page = desk.get(f"/calls/{offer}").text
        assert "Hang up first. Call the office’s own number yourself" in page and f'action="/calls/{offer}/show"' in page
        assert PLACE not in page
        unmarked = shown(desk, offer)
        assert unmarked.status_code == 422 and "Call the office back first" in unmarked.text and not readings(world)
        answer = shown(desk, offer, called="yes")
        assert answer.status_code == 200 and PLACE in answer.text and NAME not in answer.text
    [reading] = readings(world)
    assert (reading.section, reading.basis, reading.offer_id) == ("location", "by-telephone", offer)
    assert (reading.agency, reading.by) == (DESK, account)


def test_what_the_office_may_not_read_itself_is_not_read_out(world: World) -> None:
    world.account("desk", DESK, "en", desk=True)
    case, offer = called(world, shows=("identity",))
    kept, away = called(world)
    world.say(case, accepted(offer, world.now() + 60_000_000))
    world.say(kept, accepted(away, world.now() + 60_000_000))
    world.run(lambda tx: access.exclude(tx, permits.ROUTING, {kept: [f"agency:{OFFICE}"]}))
    with signed_in(world, "desk") as desk:
        assert "To be read out" not in desk.get(f"/calls/{offer}").text
        for one in (offer, away):
            answer = shown(desk, one, called="yes")
            assert answer.status_code == 403 and PLACE not in answer.text and NAME not in answer.text
    assert not readings(world)


@pytest.mark.parametrize(("login", "agency", "desk"), [("clerk", DESK, False), ("other", "desk-peje", True), ("office", OFFICE, False)])
def test_nobody_else_finds_such_a_page(world: World, login: str, agency: str, desk: bool) -> None:
    world.account(login, agency, "en", desk=desk)
    case, offer = called(world)
    world.say(case, accepted(offer, world.now() + 60_000_000))
    with signed_in(world, login) as person:
        answer = shown(person, offer, called="yes")
        assert answer.status_code == 404 and PLACE not in answer.text
    assert not readings(world)


def test_on_a_phone(world: World, measuring: Chrome, pictures: Path) -> None:
    world.account("desk", DESK, "en", desk=True)
    case, offer = called(world)
    world.say(case, accepted(offer, world.now() + 60_000_000))
    measuring.get(f"{world.url}/calls/{offer}")
    sign_in(measuring, world, "desk")
    measure(measuring)
    picture(measuring, pictures / "read-out-before.png")
    press(measuring, "input[name=called]")
    send(measuring, "form[action$='/show'] button")
    assert PLACE in text(measuring)
    measure(measuring)
    picture(measuring, pictures / "read-out-after.png")
