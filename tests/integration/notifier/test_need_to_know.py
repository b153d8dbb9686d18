"""The cells of the need-to-know matrix that need a notifier: the agency's own pages, one's own account, the calendar feed, and its door."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from referral.runtime.postgres import clock
from services.intake.accounts import invitations, rules, store
from tests.harness.need_to_know import matrix
from tests.harness.need_to_know.askers import Asker
from tests.harness.need_to_know.matrix import NOTHING
from tests.harness.need_to_know.probe import Request
from tests.harness.web.agency_line import AGENCY, DUTY, Line, line
from tests.harness.web.world import PASSWORD, World

pytestmark = pytest.mark.servers
ELSEWHERE = "csw-prizren"
ADDRESS = "marker."
"""Begins every address of a person."""
KEY = "0" * 32
RUNGS, HEAD, OFF = (
    Request("/rungs", {f"rung.{DUTY}": "yes", "key": KEY}),
    Request("/head", {"head": "yes"}),
    Request("/off", {"off": "yes"}),
)
PERSON = (Request(""), RUNGS, HEAD, OFF, Request("/again", {"key": KEY}))
SHIFT = {"how": "once", "rung": DUTY, "begins": "2027-01-01 08:00", "ends": "2027-01-01 20:00", "key": KEY, "seen": "1"}
HEADS = (Request("/agency"), Request("/agency/shift"), Request("/agency/invite"))
SWAP = Request("/me/answer", {"word": "TAKEN", "key": KEY})


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    async with line(database, key_files[0]) as made:
        yield made


async def person(agency: Line, name: str, *, at: str = AGENCY, head: bool = False) -> Asker:
    """Somebody of an agency who is signed in."""
    login = f"zqx.{name}"
    account = await agency.person(login, DUTY, agency=at, head=head)
    now = await agency.notifier.now()
    token, seal = await asyncio.to_thread(agency.world.run, lambda tx: store.start_session(tx, account, now))
    return Asker(name, at, login, account, f"session={token}.{rules.seen_mark(seal, now)}", rules.form_token(token))


class Cells:
    """Compares answers with those for things that do not exist."""

    def __init__(self, world: World) -> None:
        self.world, self.wrong = world, list[str]()

    def ask(self, asker: Asker, request: Request, path: str = "") -> httpx.Response:
        return asker.ask(self.world, request.method, path + request.path, request.form)

    def same(self, asker: Asker, request: Request, path: str, other: str) -> None:
        """Hold that the answer about one thing is that about another, which does not exist, and that it carries no address."""
        theirs, never = self.ask(asker, request, path), self.ask(asker, request, other)
        if asker.plain(theirs, path) != asker.plain(never, other):
            self.wrong.append(f"{asker.name} at {path.rpartition('/')[0]}: {request}: {theirs.status_code}, else {never.status_code}")
        if ADDRESS in theirs.text:
            self.wrong.append(f"{asker.name} at {path}: {request}: an address")

    def nothing(self, asker: Asker, request: Request) -> None:
        """Hold that a page answers as one that does not exist."""
        found, never = self.ask(asker, request), self.ask(asker, Request("/agency/nothing"))
        if asker.plain(found)[:3] != asker.plain(never)[:3]:
            self.wrong.append(f"{asker.name}: {request}: {found.status_code}")


async def test_the_agencys_own_pages(agency: Line) -> None:
    head, headof = await person(agency, "chief", head=True), await person(agency, "abroad.chief", at=ELSEWHERE, head=True)
    officer, colleague = await person(agency, "officer"), await person(agency, "colleague")
    removed, outsider = await person(agency, "former", head=True), await person(agency, "abroad.duty", at=ELSEWHERE)
    await agency.shift(officer.account, "daily 08:00-20:00")
    now = await agency.notifier.now()
    hours = Request(
        "/agency/absence",
        {"begins": "2027-01-02 08:00", "ends": "2027-01-02 20:00", "key": "1" * 32, "seen": await seen(agency)} | {"password": PASSWORD},
    )
    assert (await asyncio.to_thread(officer.ask, agency.world, "POST", hours.path, hours.form)).status_code == 303
    [shift, *_] = [row.id for row in await agency.notifier.rows("SELECT id FROM notifier.weekly ORDER BY id")]
    [absence] = [row.id for row in await agency.notifier.rows("SELECT id FROM notifier.absence")]
    swap = await swapped(agency, officer, head, now)
    async with agency.notifier.admin.begin() as tx:
        await tx.execute(text("UPDATE intake.account SET head = false WHERE id = :id"), {"id": removed.account})
    before = await rosters(agency)

    def work() -> list[str]:
        cells, unknown = Cells(agency.world), str(uuid.uuid4())
        assert {matrix.row(id).cells["colleague"] for id in ("agency", "person", "end")} == {NOTHING}
        for asker in (colleague, removed, outsider):
            for page in (
                *HEADS,
                Request("/agency/shift", SHIFT | {"account": officer.account}),
                Request("/agency/invite", {"login": "a.new"}),
            ):
                cells.nothing(asker, page)
        for asker in (colleague, removed, outsider, headof):
            for request in PERSON:
                cells.same(asker, request, f"/agency/person/{officer.account}", f"/agency/person/{unknown}")
            for part, number in (("weekly", shift), ("absence", absence)):
                for request in (Request(""), Request("", {"key": KEY, "seen": "1"})):
                    cells.same(asker, request, f"/agency/end/{part}/{number}", f"/agency/end/{part}/999999")
            theirs, never = (cells.ask(asker, Request(SWAP.path, {**(SWAP.form or {}), "swap": id})) for id in (swap, "f" * len(swap)))
            assert asker.plain(theirs, swap) == asker.plain(never, "f" * len(swap)) and theirs.status_code == 409, asker.name
            assert cells.ask(asker, Request("/me/takeover?rung=back-up")).status_code == 404
        foreign = cells.ask(headof, Request("/agency/shift", SHIFT | {"account": officer.account, "seen": "0"}))
        assert foreign.status_code in (409, 422) and officer.login not in foreign.text
        mine = cells.ask(head, Request("/agency")).text
        assert all(one.login in mine for one in (officer, colleague, removed)) and ADDRESS not in mine
        assert headof.login not in mine and outsider.login not in mine
        assert cells.ask(head, Request("", None), f"/agency/person/{officer.account}").status_code == 200
        assert cells.ask(head, Request(f"/agency/end/weekly/{shift}")).status_code == 200
        for asker in (officer, colleague, removed, outsider, headof, head):
            page = cells.ask(asker, Request("/me"))
            assert page.status_code == 200 and ADDRESS not in page.text, asker.name
            others = (officer, colleague, removed, head) if asker.agency == ELSEWHERE else (headof, outsider)
            assert not [one for one in others if one.login in page.text], asker.name
        return cells.wrong

    assert await asyncio.to_thread(work) == []
    assert await rosters(agency) == before, "nothing of it changed a roster"


async def seen(agency: Line) -> str:
    """The version of the agency's roster, as its forms carry it."""
    from services.notifier.roster_door.overview import VERSION

    async with agency.notifier.engine.begin() as tx:
        return str((await tx.execute(VERSION, {"agency": AGENCY})).scalar_one())


async def swapped(agency: Line, giver: Asker, taker: Asker, now: int) -> str:
    """A swap that is offered and not answered; its id."""

    def offer() -> None:
        page = giver.ask(agency.world, "GET", "/me/swap").text
        shift = re.findall(rf'value="({DUTY} \d+ \d+)"', page)[-1]
        version = re.findall(r'name="seen" value="(\d+)"', page)[0]
        form = {"shift": shift, "taker": taker.account, "key": "2" * 32, "seen": version}
        assert giver.ask(agency.world, "POST", "/me/swap", form).status_code == 303

    await asyncio.to_thread(offer)
    [row] = await agency.notifier.rows("SELECT id FROM notifier.swap")
    return str(row.id)


async def rosters(agency: Line) -> list[object]:
    """Every shift, absence and swap, and who is head or switched off."""
    tables = ("weekly", "single", "absence", "given", "swap", "person")
    return [
        *[await agency.notifier.rows(f"SELECT * FROM notifier.{table} ORDER BY 1, 2") for table in tables],
        await agency.notifier.rows("SELECT id, head, disabled FROM intake.account ORDER BY id"),
    ]


async def test_a_feed_and_the_notifiers_door(agency: Line) -> None:
    officer = await person(agency, "officer")
    await agency.shift(officer.account, "daily 08:00-20:00")
    now = await asyncio.to_thread(agency.world.run, clock.now)
    secret = await asyncio.to_thread(agency.world.run, lambda tx: invitations.make_feed(tx, officer.account, now))

    def feed() -> None:
        stranger = Asker("nobody", "", "", "", "", "")
        mine = stranger.ask(agency.world, "GET", f"/shifts/{secret}.ics")
        assert mine.status_code == 200 and b"DTSTART" in mine.content
        told = mine.text.lower()
        assert not [word for word in ("officer", AGENCY, "police", "prizren", ADDRESS) if word in told.replace("referral//duty", "")]
        for asker in (stranger, officer):
            wrong = [asker.ask(agency.world, "GET", f"/shifts/{id}.ics") for id in (secret[:-1] + ("A" if secret[-1] != "A" else "B"), "x")]
            assert {answer.status_code for answer in wrong} == {404} and asker.plain(wrong[0]) == asker.plain(wrong[1])

    await asyncio.to_thread(feed)
    async with httpx.AsyncClient(base_url=agency.url) as client:
        pages = [await client.get(f"/k/{uuid.uuid4()}") for _ in range(2)]
        assert pages[0].status_code == 200 and pages[0].content == pages[1].content
        never = await client.get("/nothing")
        for method, path in (
            ("GET", f"/sms/wrong/receipt/{uuid.uuid4()}"),
            ("POST", "/sms/wrong/reply"),
            ("POST", "/told"),
            ("POST", "/roster"),
            ("GET", "/roster"),
        ):
            for headers in ({}, {"authorization": "Bearer " + "0" * 64}):
                answer = await client.request(method, path, headers=headers)
                assert (answer.status_code, answer.content) == (404, never.content), (method, path)
