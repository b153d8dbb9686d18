"""An agency on the real doors: an inbox that asks a notifier's door, both on one database, and people who fill in forms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from msgspec import structs
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from referral.cli import standing
from referral.domain.events import AccountChanged, RosterChanged
from referral.local import ports
from referral.proof.act import Act, State
from referral.proof.unlogged import Standing, unlogged
from referral.roster import changes as roster
from referral.runtime import http_server
from referral.runtime.observe import Health
from services.notifier import door
from services.notifier.answers import Answers
from services.notifier.metrics import Figures
from services.notifier.roster_door.door import RosterDoor
from services.notifier.told import WhoWasTold
from tests.harness.line.notifier_stack import Stack, stack
from tests.harness.roster_book import logged
from tests.harness.shipped import compiled
from tests.harness.waiting import comes
from tests.harness.web.forms import fields
from tests.harness.web.world import World

AGENCY = "police-prizren"
DUTY = "duty-officer"
CHANNELS = frozenset({"email", "sms", "voice"})


@dataclass
class Line:
    """The notifier, the inbox, and the address of the notifier's door."""

    notifier: Stack
    world: World
    url: str

    async def person(self, login: str, *rungs: str, agency: str = AGENCY, head: bool = False, **contacts: str) -> str:
        """Somebody with an account and a place in the roster; the account's id."""
        account = await asyncio.to_thread(self.world.account, login, agency)
        async with self.notifier.admin.begin() as tx:
            await tx.execute(text("UPDATE intake.account SET head = :head WHERE id = :id"), {"id": account, "head": head})
        async with self.notifier.change() as tx:
            known = roster.Person(
                account=account, agency=agency, rungs=rungs, **(contacts or {"email": f"marker.{login}@{agency}.example"})
            )
            await roster.add_people(tx, self.notifier.keys, [known])
        return account

    async def shift(self, account: str, written: str, rung: str = DUTY) -> None:
        """A shift, by the operator."""
        async with self.notifier.change() as tx:
            await roster.add_shift(tx, account=account, rung=rung, written=written)


async def sent(notifier: Stack, count: int) -> bool:
    """Whether so many knocks have gone out."""
    return len(await notifier.rows("SELECT id FROM notifier.delivery WHERE state = 'SENT'")) == count


async def tables(line: Line) -> Standing:
    """What stands in the tables."""
    async with line.notifier.admin.begin() as tx:
        return await standing.read(tx)


async def by_hand(line: Line, before: Standing) -> list[str]:
    """What `audit verify` would name, once all that is queued is logged. before: the tables when the log began."""
    there = structs.replace(await tables(line), written={}, queued=False)
    acts = [Act(id="0" * 32, command="prepare", state=State.DONE, by="operator/besa", at=1, arguments="0" * 64, about=before.subjects())]
    said = [*await asyncio.to_thread(line.world.queued), *await line.notifier.drain()]
    book = [logged(number, event) for number, event in enumerate(said) if isinstance(event, AccountChanged | RosterChanged)]
    return [one.what for one in unlogged(there, acts, book)]


@asynccontextmanager
async def line(url: str, master: Path) -> AsyncIterator[Line]:
    """Both doors, by day, on a Tuesday."""
    async with stack(url, master) as notifier:
        await notifier.by_day()
        answers, port = Answers(notifier.engine, notifier.keys, Figures(CollectorRegistry())), ports.free(1)[0]
        rosters = RosterDoor(notifier.engine, notifier.keys, CHANNELS, drill=True)
        app = door.made(answers, WhoWasTold(notifier.engine, notifier.keys), "secret", roster=rosters).application()
        bound, server = http_server.listen("127.0.0.1", port), http_server.server(Health(), app)
        bound.listen()
        serving = asyncio.create_task(http_server.serve(server, bound))
        world = await asyncio.to_thread(World, url, master, compiled(), f"http://127.0.0.1:{port}")
        await asyncio.to_thread(world.__enter__)
        try:
            yield Line(notifier, world, f"http://127.0.0.1:{port}")
        finally:
            await asyncio.to_thread(world.__exit__)
            server.should_exit = True
            await serving


def send(person: httpx.Client, page: str, action: str = "", **more: Any) -> httpx.Response:
    """Fill in the form of a page and send it; a redirect is followed. What a starved machine had no time for (503) is sent again: by its
    key a form counts once."""
    found = _in_time(lambda: person.get(page))
    assert found.status_code == 200, (page, found.status_code)
    form = fields(found.text) | more
    return _in_time(lambda: person.post(action or page.partition("?")[0], data=form, follow_redirects=True))


def _in_time(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Return the first answer that is not 503, or the last one."""
    answers: list[httpx.Response] = []

    def answered() -> bool:
        answers.append(ask())
        return answers[-1].status_code != 503

    comes(answered)
    return answers[-1]
