"""`referral duty gaps`: exit 1 and the holes in words, exit 0 without one."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from referral.roster import changes as roster
from tests.harness.line.notifier_stack import Stack
from tests.harness.programs import command
from tests.integration.cli.test_sheet import FRIDAY_SEVEN, POLICE

pytestmark = pytest.mark.servers
LADDER = ("duty-officer", "back-up", "head-of-section")


async def gaps(notifier: Stack, *words: str) -> tuple[int, str]:
    return await command(replace(notifier.settings, kafka="unused:1"), "duty", "gaps", *words)


async def test_the_holes_of_a_fortnight_and_none_once_they_are_filled(notifier: Stack) -> None:
    await notifier.advance(FRIDAY_SEVEN - await notifier.now())
    account = await notifier.person("besa", agency=POLICE, rung="duty-officer")
    async with notifier.admin.begin() as tx:
        whole = roster.Person(account=account, agency=POLICE, rungs=LADDER, voice="+99944000001")
        await roster.add_people(tx, notifier.keys, [whole])
        await roster.add_weekly(tx, [roster.Person(account=account, agency=POLICE, rungs=LADDER[1:])], "daily 00:00-24:00")
        await roster.add_shift(tx, account=account, rung=LADDER[0], written="sun-fri 00:00-24:00")
        await roster.add_shift(tx, account=account, rung=LADDER[0], written="sat 08:00-24:00")
    code, said = await gaps(notifier, "--agency", POLICE)
    assert (code, said.splitlines()) == (
        1,
        [f"{POLICE} duty-officer: nobody, Sat {day} 00:00–08:00" for day in ("30 Nov", "7 Dec")],
    )
    code, said = await gaps(notifier, "--days", "1", "--json")
    assert (code, [hole["kind"] for hole in json.loads(said)["gaps"]]) == (1, ["nobody"])
    async with notifier.admin.begin() as tx:
        await roster.add_shift(tx, account=account, rung=LADDER[0], written="sat 00:00-08:00")
    code, said = await gaps(notifier, "--agency", POLICE)
    assert (code, said.strip()) == (0, "no hole until Fri 13 Dec 07:00")
