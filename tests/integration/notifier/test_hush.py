"""Exercises and the night: a head agrees through the notifier's door, and only then a telephone rings; the log says who agreed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from referral.domain.events import RosterChanged
from referral.domain.local_time import local
from referral.wire import roster as wire
from referral.wire.roster import Act, AgreeNights, Ask, Change, Done, EndNights, Refused
from services.intake import notifier_client
from services.notifier.hush import Hush
from tests.harness.line.notifier_stack import MINUTE, of, opened
from tests.harness.web.agency_line import AGENCY, DUTY, Line, line

pytestmark = pytest.mark.servers
HOUR = 60 * MINUTE


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    """An agency at ten in the evening, with a notifier for real children and exercises beside one another."""
    async with line(database, key_files[0]) as made:
        made.notifier.hush = Hush()
        await made.notifier.advance(12 * HOUR)
        yield made


async def sms_due(agency: Line, *, drill: bool) -> str:
    """When the SMS for a new urgent offer is due: now, or the wall clock; e-mail is due at once."""
    case_id, now = await agency.notifier.case(), await agency.notifier.now()
    offer = opened(agency=AGENCY, ladder=(DUTY,), due=now + 15 * MINUTE)
    await agency.notifier.tell(case_id, offer, drill=drill)
    rows = await agency.notifier.rows("SELECT channel, due_at FROM notifier.delivery WHERE asked = :id", id=offer.offer_id)
    due = {row.channel: "now" if row.due_at - now < MINUTE else f"{local(row.due_at):%H:%M}" for row in rows}
    assert due["email"] == "now"
    return due["sms"]


async def change(agency: Line, by: str, act: Act) -> Done | Refused | None:
    asks = agency.world.door
    assert asks.notifier is not None
    made = Change(agency=AGENCY, by=by, key=uuid.uuid4().hex, act=act)
    async with httpx.AsyncClient(base_url=agency.url) as notifier:
        return await notifier_client.change_roster(notifier, asks.keys, made)


async def overview(agency: Line) -> wire.Overview:
    async with httpx.AsyncClient(base_url=agency.url) as notifier:
        found = await notifier_client.roster(notifier, agency.world.door.keys, Ask(agency=AGENCY, begins=0, ends=1))
        assert found is not None
        return found


async def test_a_telephone_rings_at_night_only_for_a_child_or_with_the_heads_leave(agency: Line) -> None:
    head = await agency.person("head", head=True)
    officer = await agency.person("officer", DUTY, email="o@x.example", sms="+99944000001")
    assert (await sms_due(agency, drill=False), await sms_due(agency, drill=True)) == ("now", "08:00")
    now = await agency.notifier.now()
    begin, end = (f"{local(at):%Y-%m-%dT%H:%M}" for at in (now - MINUTE, now + 8 * HOUR))
    assert await change(agency, officer, AgreeNights(begin=begin, end=end)) == Refused(code="forbidden", where="by")
    too_long = f"{local(now + 40 * 24 * HOUR):%Y-%m-%dT%H:%M}"
    assert await change(agency, head, AgreeNights(begin=begin, end=too_long)) == Refused(code="too-long", where="end")
    assert isinstance(await change(agency, head, AgreeNights(begin=begin, end=end)), Done)
    assert len((await overview(agency)).nights) == 1 and await sms_due(agency, drill=True) == "now"
    assert isinstance(await change(agency, head, EndNights()), Done)
    assert (await overview(agency)).nights == () and await sms_due(agency, drill=True) == "08:00"
    assert await change(agency, head, EndNights()) == Refused(code="gone", where="agency")
    logged = [(row.part, row.ended, row.agency) for event in of(await agency.notifier.drain(), RosterChanged) for row in event.rows]
    assert [row for row in logged if row[0] == "night"] == [("night", False, AGENCY), ("night", True, AGENCY)]
