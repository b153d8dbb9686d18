"""An agency runs itself: what its people change on the pages is who is knocked, stands in the log under their account, and nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from referral.domain.events import RosterChanged
from referral.domain.local_time import local
from referral.wire import roster as wire
from referral.wire.roster import AddShift, Change, Done, Refused, SetDisabled
from services.notifier import roster as reading
from services.notifier.duty import on_duty
from tests.harness.line.notifier_stack import MINUTE, of, opened
from tests.harness.web.agency_line import AGENCY, DUTY, Line, by_hand, line, send, tables
from tests.harness.web.forms import fields
from tests.harness.web.world import PASSWORD, signed_in

pytestmark = pytest.mark.servers
HOUR = 60 * MINUTE


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    async with line(database, key_files[0]) as made:
        yield made


def wall(at: int) -> str:
    """An instant as a field of a form wants it."""
    return f"{local(at):%Y-%m-%dT%H:%M}"


async def there(agency: Line, at: int, rung: str = DUTY) -> list[str]:
    async with agency.notifier.engine.connect() as tx:
        return [p.account for p in on_duty(await reading.load(tx, [AGENCY]), AGENCY, rung, at).people]


async def logged(agency: Line) -> list[RosterChanged]:
    return of(await agency.notifier.drain(), RosterChanged)


async def test_a_shift_that_a_head_adds_is_who_is_knocked_and_the_log_says_who_added_it(agency: Line) -> None:
    head = await agency.person("head", head=True)
    await agency.person("first", DUTY)
    second = await agency.person("second", DUTY)
    now, before = await agency.notifier.now(), len(await logged(agency))

    def add() -> str:
        with signed_in(agency.world, "head") as person:
            once = {"how": "once", "begins": wall(now - HOUR), "ends": wall(now + HOUR)}
            empty = send(person, "/agency/shift", how="weekly")
            assert empty.status_code == 422 and "Tick at least one day" in empty.text
            done = send(person, "/agency/shift", account=second, rung=DUTY, **once)
            assert "The shift is added." in done.text
            assert 'class="mark">on duty now: Duty officer' in done.text and "ends in" not in done.text
            assert f"marker.second@{AGENCY}.example" not in done.text and f"at {AGENCY}.example" in done.text
            return done.text

    page = await asyncio.to_thread(add)
    assert "nobody at Back-up" in page and "nobody at Head of section" in page
    assert await there(agency, now) == [second]
    await agency.notifier.tell(await agency.notifier.case(), opened(agency=AGENCY, ladder=(DUTY,), due=now + HOUR))
    rows = await agency.notifier.rows("SELECT DISTINCT person FROM notifier.delivery")
    assert [row.person for row in rows] == [second]
    (change,) = (await logged(agency))[before:]
    assert change.changed_by == head and [(row.part, row.account) for row in change.rows] == [("single", second)]
    (row,) = await agency.notifier.rows("SELECT added_by FROM notifier.single")
    assert row.added_by == f"account {head}"


async def test_two_heads_at_once_and_a_form_that_is_sent_twice(agency: Line) -> None:
    await agency.person("head", head=True)
    await agency.person("deputy", head=True)
    officer = await agency.person("officer", DUTY)
    now = await agency.notifier.now()

    def both() -> None:
        with signed_in(agency.world, "head") as head, signed_in(agency.world, "deputy") as deputy:
            forms = [person.get("/agency/shift").text for person in (head, deputy)]
            typed = [
                fields(form) | {"account": officer, "rung": DUTY, "how": "once", "begins": wall(now), "ends": wall(now + hours * HOUR)}
                for form, hours in zip(forms, (1, 2), strict=True)
            ]
            first = [head.post("/agency/shift", data=typed[0]) for _ in range(2)]
            assert [answer.status_code for answer in first] == [303, 303], "the second time changes nothing"
            late = deputy.post("/agency/shift", data=typed[1])
            assert late.status_code == 409 and "A colleague has changed the rota since you opened this page" in late.text
            assert f'value="{wall(now + 2 * HOUR)}"' in late.text, "what was written is kept"
            again = deputy.post("/agency/shift", data=typed[1] | fields(late.text))
            assert again.status_code == 303

    await asyncio.to_thread(both)
    rows = await agency.notifier.rows("SELECT ends - starts AS length FROM notifier.single ORDER BY id")
    assert [round(row.length / HOUR) for row in rows] == [1, 2]


async def test_a_swap_changes_its_hours_once_the_colleague_takes_them(agency: Line) -> None:
    giver = await agency.person("giver", DUTY)
    taker = await agency.person("taker", DUTY)
    await agency.person("third", DUTY)
    now = await agency.notifier.now()
    tomorrow = local(now).date() + timedelta(days=1)
    await agency.shift(giver, "daily 08:00-20:00")
    await agency.shift(taker, "daily 20:00-08:00")
    began = await tables(agency)
    before = len(await logged(agency))

    def offer() -> tuple[int, int]:
        with signed_in(agency.world, "giver") as person:
            page = person.get("/me/swap").text
            shifts = re.findall(rf'value="({DUTY} (\d+) (\d+))"', page)
            value, starts, ends = next(one for one in shifts if local(int(one[1])).date() == tomorrow)
            done = send(person, "/me/swap", shift=value, taker=taker)
            assert "Until the answer the shift is yours" in done.text and "You asked taker to take this shift" in done.text
            return int(starts), int(ends)

    starts, ends = await asyncio.to_thread(offer)
    assert ends - starts == 12 * HOUR and await there(agency, starts) == [giver]
    assert len(await logged(agency)) == before, "a proposal changes nothing"

    def answer() -> None:
        with signed_in(agency.world, "taker") as person, signed_in(agency.world, "third") as third:
            page = person.get("/me").text
            assert "giver asks you to take this shift" in page
            swap = re.findall(r'name="swap" value="([0-9a-f]+)"', page)[0]
            assert "take this shift" not in third.get("/me").text
            theirs, never = (send(third, "/me", "/me/answer", swap=id, word="TAKEN") for id in (swap, "0" * len(swap)))
            assert theirs.status_code == never.status_code == 409, "a swap of others is answered as one that never was"
            send(person, "/agency/absence", begins=wall(starts + HOUR), ends=wall(starts + 2 * HOUR), password=PASSWORD)
            absent = send(person, "/me", "/me/answer", swap=swap, word="TAKEN")
            assert absent.status_code == 422 and "absent in these hours" in absent.text
            number = re.findall(r'href="/agency/end/absence/(\d+)"', person.get("/me").text)[0]
            send(person, f"/agency/end/absence/{number}")
            assert "The shift is yours now." in send(person, "/me", "/me/answer", swap=swap, word="TAKEN").text
            late = send(person, "/me", "/me/answer", swap=swap, word="REFUSED")
            assert late.status_code == 409 and "was answered before" in late.text

    await asyncio.to_thread(answer)
    assert [await there(agency, at) for at in (starts - 1, starts, ends - 1, ends)] == [[taker]] * 4
    assert await there(agency, starts - 1 - 12 * HOUR) == [giver] == await there(agency, ends + 12 * HOUR)
    change = (await logged(agency))[-1]
    assert {(row.part, row.account) for row in change.rows} == {("given", giver), ("single", taker)} and change.changed_by == taker
    (note,) = await agency.notifier.rows("SELECT account, kind, channel FROM notifier.note")
    assert tuple(note) == (taker, "swap", "email")
    assert await by_hand(agency, began) == [], "no page is taken for a hand in the database"


async def test_i_take_over_now_until_the_shift_ends(agency: Line) -> None:
    first = await agency.person("first", DUTY)
    second = await agency.person("second", DUTY)
    await agency.person("other", "back-up")
    await agency.shift(first, "daily 08:00-20:00")
    now = await agency.notifier.now()  # ten in the morning

    def take() -> None:
        with signed_in(agency.world, "second") as person, signed_in(agency.world, "other") as other:
            assert other.get(f"/me/takeover?rung={DUTY}").status_code == 404, "not registered there"
            page = person.get(f"/me/takeover?rung={DUTY}").text
            assert "On duty now: first." in page
            away = {"begins": wall(now - HOUR), "ends": wall(now + 6 * HOUR)}
            assert "The absence is added." in send(person, "/agency/absence", **away, password=PASSWORD).text
            refused = send(person, f"/me/takeover?rung={DUTY}", rung=DUTY)
            assert refused.status_code == 422 and "absent in these hours" in refused.text
            number = re.findall(r'href="/agency/end/absence/(\d+)"', person.get("/me").text)[0]
            assert send(person, f"/agency/end/absence/{number}").status_code == 200
            assert "You are on duty now." in send(person, f"/me/takeover?rung={DUTY}", rung=DUTY).text

    await asyncio.to_thread(take)
    evening = now + 10 * HOUR
    assert await there(agency, now + MINUTE) == [second] == await there(agency, evening - 2 * MINUTE)
    assert await there(agency, now + 24 * HOUR) == [first]


async def test_need_to_know_who_is_no_head_or_of_another_agency_finds_nothing(agency: Line) -> None:
    officer = await agency.person("officer", DUTY)
    foreign = await agency.person("foreign", "focal-point", agency="csw-prizren", head=True)
    pages = ("/agency", "/agency/shift", "/agency/invite", f"/agency/person/{officer}", "/agency/end/weekly/1")
    acts = ("/agency/shift", "/agency/invite", *(f"/agency/person/{officer}/{one}" for one in ("rungs", "head", "off", "again")))
    before = await agency.notifier.rows("SELECT count(*) AS n, max(id) AS last FROM notifier.person")

    def look() -> None:
        with signed_in(agency.world, "officer") as person:
            assert 'href="/agency"' not in person.get("/me").text
            for path in pages:
                assert person.get(path).status_code == 404, path
            for path in acts:
                assert send(person, "/me", path, login="x", language="en", account=officer, rung=DUTY).status_code == 404, path
        with signed_in(agency.world, "foreign") as head:
            assert head.get("/agency").status_code == 200 and "officer" not in head.get("/agency").text.replace("Duty officer", "")
            assert head.get(f"/agency/person/{officer}").status_code == 404
            for path in acts[2:]:
                assert send(head, "/me", path).status_code == 404, path
            once = {"how": "once", "begins": "2030-01-01T10:00", "ends": "2030-01-01T11:00"}
            assert send(head, "/agency/shift", account=officer, rung=DUTY, **once).status_code == 422

    await asyncio.to_thread(look)
    assert await agency.notifier.rows("SELECT count(*) AS n, max(id) AS last FROM notifier.person") == before
    assert await agency.notifier.rows("SELECT id FROM notifier.single") == [] and foreign


async def test_the_door_refuses_what_is_forged_and_what_intake_should_not_have_sent(agency: Line) -> None:
    officer = await agency.person("officer", DUTY)
    head = await agency.person("head", head=True)
    foreign = await agency.person("foreign", "focal-point", agency="csw-prizren", head=True)
    keys = agency.notifier.keys
    add = AddShift(account=officer, rung=DUTY, written="daily 00:00-24:00")

    async def ask(change: Change, token: str = "", change_after: bytes = b"") -> httpx.Response:
        body = wire.request(change)
        async with httpx.AsyncClient(base_url=agency.url) as client:
            headers = {"authorization": f"Bearer {token or keys.roster(body)}"}
            return await client.post(wire.PATH, content=body + change_after, headers=headers)

    good = Change(agency=AGENCY, by=head, key="k", act=add)
    for forged in (await ask(good, "0" * 64), await ask(good, keys.told(wire.request(good))), await ask(good, change_after=b" ")):
        assert forged.status_code == 404
    for by, agency_id, act in (
        (officer, AGENCY, add),
        (foreign, AGENCY, add),
        ("00000000-0000-4000-8000-000000000000", AGENCY, add),
        (head, AGENCY, SetDisabled(account=head, disabled=True)),
    ):
        answer = wire.answered((await ask(Change(agency=agency_id, by=by, key=f"k-{by}", act=act))).content)
        assert answer == Refused(code="forbidden", where="by"), by
    taken = wire.answered((await ask(Change(agency="csw-prizren", by=foreign, key="f", act=add))).content)
    assert isinstance(taken, Refused) and taken.code == "unknown", "a head of one agency cannot name another's people"
    assert await agency.notifier.rows("SELECT id FROM notifier.weekly") == []
    assert isinstance(wire.answered((await ask(good)).content), Done)
    assert len(await agency.notifier.rows("SELECT id FROM notifier.weekly")) == 7
