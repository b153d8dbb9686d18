"""`referral duty sheet`: who, when and which number, on paper; a hole in words; the same duty as a knock finds."""

from __future__ import annotations

import html.parser
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from referral.cli.admin.duty_sheet import NO_NUMBER, NOBODY, WIDTH
from referral.roster import changes as roster
from tests.harness.line.notifier_stack import Stack, stack
from tests.harness.programs import command

pytestmark = pytest.mark.servers
POLICE = "police-prizren"
FRIDAY_SEVEN = round(datetime(2030, 11, 29, 6, 0, tzinfo=UTC).timestamp()) * 1_000_000
"""07:00 in Belgrade."""


@pytest.fixture
async def rota(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Stack]:
    """Two officers at the first rung of a real agency: one by night, one with a gap on Saturday; nobody at the other rungs."""
    async with stack(database, key_files[0]) as made:
        await made.advance(FRIDAY_SEVEN - await made.now())
        for name, numbers in {"besa": {"voice": "+99944000001"}, "dren": {"sms": "+99944000002"}, "mute": {}}.items():
            account = await made.person(name, agency=POLICE, rung="duty-officer")
            async with made.admin.begin() as tx:
                person = roster.Person(account=account, agency=POLICE, rungs=("duty-officer",), **numbers)
                await roster.add_people(tx, made.keys, [person])
                shift = {"besa": "daily 20:00-08:00", "dren": "fri 08:00-20:00", "mute": "sun 08:00-20:00"}[name]
                await roster.add_shift(tx, account=account, rung="duty-officer", written=shift)
                await tx.exec_driver_sql(f"UPDATE intake.account SET login = '{name}' WHERE id = '{account}'")
        yield made


async def sheet(rota: Stack, *words: str) -> str:
    code, said = await command(replace(rota.settings, kafka="unused:1"), "duty", "sheet", *words)
    assert code == 0, said
    return said


async def test_the_sheet_says_who_when_and_which_number(rota: Stack) -> None:
    said = await sheet(rota)
    lines = said.splitlines()
    assert lines[0] == "On duty from Fri 29.11.2030 07:00 to Sun 01.12.2030 07:00, clock of Belgrade"
    assert max(map(len, lines)) <= WIDTH, "it fits on paper"
    assert any(line.startswith(f"{POLICE}: Police Prizren") for line in lines)
    words = [" ".join(line.split()) for line in lines[5:]]
    assert words == [
        "duty-officer Fri 07:00 - Fri 08:00 besa +99944000001",
        "Fri 08:00 - Fri 20:00 dren +99944000002 (SMS)",
        "Fri 20:00 - Sat 08:00 besa +99944000001",
        f"Sat 08:00 - Sat 20:00 {NOBODY}",
        "Sat 20:00 - Sun 07:00 besa +99944000001",
        f"back-up the whole time {NOBODY}",
        f"head-of-section the whole time {NOBODY}",
    ]
    assert NO_NUMBER in await sheet(rota, "--hours", "72"), "an e-mail address alone wakes nobody"


async def test_the_page_says_the_same(rota: Stack) -> None:
    class Cells(html.parser.HTMLParser):
        found: list[str] = []  # noqa: RUF012 (one parser)

        def handle_data(self, data: str) -> None:
            self.found.append(data)

    parser = Cells()
    page = await sheet(rota, "--html", "--agency", POLICE)
    parser.feed(page)
    assert page.startswith("<!doctype html>") and "@page{size:A4" in page
    assert parser.found.count(NOBODY) == 3 and "+99944000001" in parser.found and "besa" in parser.found
    assert page.count('class="hole"') == 3 or page.count("class=hole") == 3


async def test_a_wrong_agency_is_named_and_a_short_sheet_is_short(rota: Stack) -> None:
    code, said = await command(replace(rota.settings, kafka="unused:1"), "duty", "sheet", "--agency", "police-prizen")
    assert code == 1 and "police-prizren" in said
    assert NOBODY not in (await sheet(rota, "--hours", "3")).split("back-up")[0]
