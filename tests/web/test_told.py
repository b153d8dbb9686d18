"""Who was told, on the pages of the person on duty and of the desk: the real doors of intake and notifier on one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from selenium.webdriver import Chrome

from referral.domain.events import NeedsPerson, Reach
from referral.local import ports
from referral.runtime import http_server, i18n
from referral.runtime.observe import Health
from services.intake.pages import relative_time, render
from services.notifier import door
from services.notifier.answers import Answers
from services.notifier.metrics import Figures
from services.notifier.told import WhoWasTold
from tests.harness.line.notifier_stack import WHY, Stack, opened, stack
from tests.harness.shipped import compiled
from tests.harness.web.measured import measure
from tests.harness.web.steps import picture, sign_in, text
from tests.harness.web.world import DESK, MINUTE, POLICE, World, signed_in

SENT = "UPDATE notifier.delivery SET state = 'SENT', ended_at = :at"
HEARD = ("delivered_at = ended_at", "state = 'FAILED', reason = 'no-key', attempt = 1", "state = 'FAILED', reason = 'cannot'")
"""What became of three messages: delivered, no answer, cannot."""


@asynccontextmanager
async def asked(url: str, master: Path) -> AsyncIterator[tuple[Stack, World]]:
    """A notifier with its door, and an inbox that asks it."""
    async with stack(url, master) as notifier:
        answers, port = Answers(notifier.engine, notifier.keys, Figures(CollectorRegistry())), ports.free(1)[0]
        app = door.made(answers, WhoWasTold(notifier.engine, notifier.keys), notifier.keys.callback("sms")).application()
        bound, server = http_server.listen("127.0.0.1", port), http_server.server(Health(), app)
        bound.listen()
        serving = asyncio.create_task(http_server.serve(server, bound))
        world = await asyncio.to_thread(World, url, master, compiled(), f"http://127.0.0.1:{port}")  # it has a loop of its own
        await asyncio.to_thread(world.__enter__)
        try:
            yield notifier, world
        finally:
            await asyncio.to_thread(world.__exit__)
            server.should_exit = True
            await serving


async def told(notifier: Stack, offer: str, agency: str) -> tuple[int, int]:
    """Three people were told of an offer, each with another result. Return the time of the delivery and of the next message, µs UTC."""
    for name in ("a", "b", "c"):
        await notifier.person(name, agency=agency, rung="duty-officer")
    now = await notifier.now()
    at = now - MINUTE
    await notifier.tell(await notifier.case(), opened(offer, agency=agency, ladder=("duty-officer",), due=now + 60 * MINUTE))
    rows = await notifier.rows("SELECT id FROM notifier.delivery ORDER BY id")
    await notifier.rows(SENT, at=at)
    for row, change in zip(rows, HEARD, strict=True):
        await notifier.rows(f"UPDATE notifier.delivery SET {change} WHERE id = :id", id=row.id)
    (row,) = await notifier.rows("SELECT next_at FROM notifier.asked")
    return at, row.next_at


async def test_the_person_on_duty_sees_who_was_told_and_when_the_next_message_goes(
    measuring: Chrome, pictures: Path, database: str, key_files: tuple[Path, Path]
) -> None:
    async with asked(database, key_files[0]) as (notifier, world):

        def put() -> str:
            for language in ("en", "sq", "sr-Latn", "sr-Cyrl"):
                world.account(f"duty-{language}", POLICE, language)
            return world.offer(world.case("prizren"), POLICE, "police", minutes=60)

        offer = await asyncio.to_thread(put)
        at, next_at = await told(notifier, offer, POLICE)

        def look() -> None:
            now, say = world.now(), i18n.load(render.WORDS)["en"]
            first, following = (relative_time.clock(say, time, now) for time in (at, next_at))
            expected = f"Told 3: 1 delivered {first}, 1 no answer, 1 cannot. Next at {following}."
            sign_in(measuring, world, "duty-en")
            assert text(measuring, ".card .told") == expected
            measuring.get(f"{world.url}/offers/{offer}")
            assert text(measuring, ".told") == expected
            measure(measuring)
            picture(measuring, pictures / "told-en.png")
            for language, start in (("sq", "Të njoftuar 3: 1 dorëzuar"), ("sr-Latn", "Obavešteno 3: 1"), ("sr-Cyrl", "Обавештено 3: 1")):
                with signed_in(world, f"duty-{language}") as person:
                    assert start in person.get(f"/offers/{offer}").text and start in person.get("/inbox").text

        await asyncio.to_thread(look)


async def test_a_desk_sees_its_own_line_and_a_stranger_none(database: str, key_files: tuple[Path, Path]) -> None:
    async with asked(database, key_files[0]) as (notifier, world):

        def put() -> tuple[str, str, str]:
            world.account("clerk", DESK, desk=True)
            world.account("other", "csw-gjakova")
            case = world.case("prizren")
            offer = world.offer(case, POLICE, "police", reach=Reach.PHONE, track_id="track")
            task, call = (world.task(case, DESK, about, "police", track_id="track") for about in ("not-told", "call"))
            world.offer(case, "csw-prizren", "police", track_id="track")
            return offer, task, call

        offer, task, call = await asyncio.to_thread(put)
        await notifier.person("d", agency=DESK)
        needs = {"why": WHY, "desk": DESK, "about": "", "step": "", "seat": -1, "rung": 0, "due": None}
        await notifier.tell(await notifier.case(), *(NeedsPerson(task_id=one, **needs) for one in (task, call)))
        await notifier.rows(SENT, at=await notifier.now())

        def named(agency: str) -> str:
            return world.policy.names("agency", agency, "en")

        def look() -> None:
            with signed_in(world, "clerk") as person:
                for path, count in ((f"/tasks/{task}", 1), (f"/calls/{offer}", 1), ("/inbox", 2)):
                    assert person.get(path).text.count(f"{named(DESK)}: Told 1: 1 sent") == count, path
                assert f"{named('csw-prizren')}: Nobody has been told yet." in person.get(f"/tasks/{task}").text
            with signed_in(world, "other") as person:
                assert "Told" not in person.get("/inbox").text
                for path in (f"/offers/{offer}", f"/calls/{offer}", f"/tasks/{task}"):
                    answer = person.get(path)
                    assert answer.status_code == 404 and "Told" not in answer.text

        await asyncio.to_thread(look)


@pytest.fixture
def alone(database: str, key_files: tuple[Path, Path]) -> Iterator[World]:
    """An inbox whose notifier is away."""
    with World(database, key_files[0], compiled(), f"http://127.0.0.1:{ports.free(1)[0]}") as made:
        yield made


def test_a_page_says_that_it_cannot_know_and_an_inbox_says_it_once(alone: World) -> None:
    alone.account("duty", POLICE)
    offers = [alone.offer(alone.case("prizren"), POLICE, "police") for _ in range(2)]
    unknown = "It is not known who was told: the notifier does not answer."
    with signed_in(alone, "duty") as person:
        assert person.get("/inbox").text.count(unknown) == 1
        for offer in offers:
            assert person.get(f"/offers/{offer}").text.count(unknown) == 1
