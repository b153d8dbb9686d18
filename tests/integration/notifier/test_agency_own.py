"""What people change for themselves: addresses by code, invitation, password, sessions, calendar; and a head hears of holes."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import icalendar
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.local_time import local
from referral.local import ports
from services.notifier.notes import daily, notes
from services.notifier.roster_door import addresses
from services.notifier.roster_door.addresses import TRIES
from services.notifier.roster_door.overview import CODE_US
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, opened, sending
from tests.harness.shipped import compiled
from tests.harness.waiting import until
from tests.harness.web.agency_line import AGENCY, DUTY, Line, by_hand, line, send, sent, tables
from tests.harness.web.forms import fields, hidden
from tests.harness.web.world import PASSWORD, World, signed_in

pytestmark = pytest.mark.servers
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
NEW = "correct horse battery staple"


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    async with line(database, key_files[0]) as made:
        yield made


async def code(agency: Line, channel: str = "email") -> str:
    """The code that waits to be sent."""
    rows = await agency.notifier.rows(
        "SELECT code FROM notifier.note WHERE kind = 'code' AND channel = :channel ORDER BY id", channel=channel
    )
    return notes.opened(agency.notifier.keys, rows[-1].code)


async def test_a_new_address_is_used_once_its_code_came_back_and_the_old_one_hears_of_it(agency: Line) -> None:
    account = await agency.person("officer", DUTY, email="marker.old@x.example", sms="+99944000001")

    visit = contextlib.ExitStack()
    person = await asyncio.to_thread(visit.enter_context, signed_in(agency.world, "officer"))

    def ask(channel: str, address: str) -> str:
        return send(person, "/me", "/me/address", channel=channel, address=address, password=PASSWORD).text

    def confirm(channel: str, digits: str) -> tuple[int, str]:
        answer = send(person, "/me", "/me/code", channel=channel, code=digits)
        return answer.status_code, answer.text

    page = await asyncio.to_thread(ask, "email", "marker.new@y.example")
    assert "A code went to the new address (at y.example)" in page and "marker." not in page
    contacts = "SELECT channel, confirmed_at, ended_at FROM notifier.contact WHERE account = :account ORDER BY id"
    assert len(await agency.notifier.rows(contacts, account=account)) == 2, "nothing is used yet"
    right = await code(agency)
    wrong = f"{(int(right) + 1) % 10**6:06}"
    for _ in range(TRIES):
        status, page = await asyncio.to_thread(confirm, "email", wrong)
        assert status == 422 and "This is not the code" in page
    status, page = await asyncio.to_thread(confirm, "email", right)
    assert status == 422 and "no longer good" in page, "guesses are limited"
    await asyncio.to_thread(ask, "email", "marker.new@y.example")
    status, page = await asyncio.to_thread(confirm, "email", await code(agency))
    assert status == 200 and "The new address is used from now on" in page and "at y.example" in page
    rows = await agency.notifier.rows(contacts, account=account)
    assert [(r.channel, r.confirmed_at is not None, r.ended_at is None) for r in rows] == [
        ("email", False, False),
        ("sms", False, True),
        ("email", True, True),
    ]
    told = await agency.notifier.rows(
        "SELECT kind, channel, address IS NOT NULL AS copied FROM notifier.note WHERE kind = 'changed' ORDER BY id"
    )
    assert [tuple(one) for one in told] == [("changed", "email", True)] * 3
    # a telephone's code goes by SMS; an old code is worth nothing; a sixth message in an hour is refused
    assert "ends in 02" in await asyncio.to_thread(ask, "voice", "+999 44 000-002")
    digits = await code(agency, "sms")
    await agency.notifier.advance(CODE_US)
    assert (await asyncio.to_thread(confirm, "voice", digits))[0] == 422
    page = await asyncio.to_thread(ask, "voice", "044 123")
    assert "Write it as in the example" in page
    for _ in range(2):
        await asyncio.to_thread(ask, "voice", "+99944000002")
    assert "Too many messages in an hour" in await asyncio.to_thread(ask, "voice", "+99944000002")
    visit.close()
    for table in ("note", "unconfirmed"):
        assert "marker" not in str(await agency.notifier.rows(f"SELECT * FROM notifier.{table}"))


async def test_with_a_cookie_alone_no_address_no_session_and_no_absence_changes(agency: Line) -> None:
    account = await agency.person("officer", DUTY, email="marker.old@x.example", sms="+99944000001", voice="+99944000001")
    mine = "SELECT * FROM notifier.contact ORDER BY id"
    before = [tuple(row) for row in await agency.notifier.rows(mine)]
    starts = {"begins": "2030-01-01T10:00", "ends": "2030-01-02T10:00"}
    posts: dict[str, dict[str, str]] = {
        "/me/end": {"channel": "sms"},
        "/me/address": {"channel": "email", "address": "thief@example.org"},
        "/me/sessions": {},
        "/agency/absence": starts,
    }

    def thief() -> None:
        with (
            signed_in(agency.world, "officer") as owner,
            agency.world.client(cookies=dict(owner.cookies)) as person,
            signed_in(agency.world, "officer") as telephone,
        ):
            for path, form in posts.items():
                page = "/agency/absence" if path == "/agency/absence" else "/me"
                asked = send(person, page, path, **form)
                assert asked.status_code == 403 and "Your password, please" in asked.text, path
                carried = hidden(asked.text, *form)
                assert form.items() <= carried.items(), "what was entered is not lost"
                wrong = send(person, page, path, **form, password="not the password")
                assert wrong.status_code == 422 and "not your present password" in wrong.text
                assert telephone.get("/me").status_code == 200
            assert send(person, "/me", "/me/end", channel="voice", password="wrong again").status_code == 422
            assert send(person, "/me", "/me/end", channel="voice", password=PASSWORD).status_code == 429, "five tries in all"

    await asyncio.to_thread(thief)
    assert [tuple(row) for row in await agency.notifier.rows(mine)] == before
    assert await agency.notifier.rows("SELECT id FROM notifier.note") == await agency.notifier.rows("SELECT id FROM notifier.absence") == []
    await asyncio.to_thread(lambda: agency.world.run(lambda tx: agency.world.door.journal.flush(tx.engine, 1000.0)))
    async with agency.notifier.admin.begin() as tx:
        events = (await tx.execute(text("SELECT who, detail FROM audit.security WHERE kind = 'denied'"))).all()
    assert {tuple(row) for row in events} == {(f"account:{account}", "step-up")}


async def test_the_address_before_gets_messages_for_a_day_beside_the_new_one(agency: Line) -> None:
    """Also after a second change within the day, and after any restart: the day is a column, and the clock the line's."""
    account = await agency.person("officer", DUTY, email="marker.old@x.example", sms="+99944000001")

    def change(address: str) -> None:
        with signed_in(agency.world, "officer") as person:
            send(person, "/me", "/me/address", channel="email", address=address, password=PASSWORD)
            right = asyncio.run_coroutine_threadsafe(code(agency), loop).result()
            page = send(person, "/me", "/me/code", channel="email", code=right).text
            assert "The address before gets messages too, until" in page

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(change, "marker.new@y.example")
    await asyncio.to_thread(change, "marker.third@z.example")
    notifier = agency.notifier
    async with smtp.relay() as relay, sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened(agency=AGENCY, ladder=(DUTY,)))
        await relay.got(2)
        assert sorted(relay.recipients) == ["marker.old@x.example", "marker.third@z.example"], "the first of the day stays"
        await notifier.advance(DAY)
        assert await addresses.retire(notifier.engine, notifier.keys, drill=True) == 1
        assert await addresses.retire(notifier.engine, notifier.keys, drill=True) == 0
        await notifier.tell(await notifier.case(), opened(agency=AGENCY, ladder=(DUTY,)))
        await relay.got(3)
        await until(lambda: sent(notifier, 2))
    assert sorted(relay.recipients) == ["marker.old@x.example", *["marker.third@z.example"] * 2]
    rows = await notifier.rows("SELECT former, until, address IS NOT NULL AS held FROM notifier.contact WHERE account = :id", id=account)
    assert {(row.former, row.until) for row in rows if row.held} == {(None, None)} and {row.former for row in rows} == {None}


async def test_an_address_ends_a_day_after_its_owner_says_so_and_the_last_that_wakes_never(agency: Line) -> None:
    account = await agency.person("officer", DUTY, email="marker.old@x.example", sms="+99944000001", voice="+99944000002")
    before = await tables(agency)
    held = "SELECT channel FROM notifier.contact WHERE account = :id AND ended_at IS NULL ORDER BY channel"

    def end(channel: str) -> tuple[int, str]:
        with signed_in(agency.world, "officer") as person:
            answer = send(person, "/me", "/me/end", channel=channel, password=PASSWORD)
            return answer.status_code, answer.text

    status, page = await asyncio.to_thread(end, "voice")
    assert status == 200 and "Is used until" in page
    (told,) = await agency.notifier.rows("SELECT channel, kind, address IS NOT NULL AS copied FROM notifier.note")
    assert tuple(told) == ("sms", "changed", True), "the number that is called hears of it by SMS"
    status, page = await asyncio.to_thread(end, "sms")
    assert status == 422 and "This is the last way to wake you" in page
    assert [row.channel for row in await agency.notifier.rows(held, id=account)] == ["email", "sms", "voice"]
    await agency.notifier.advance(DAY)
    assert await addresses.retire(agency.notifier.engine, agency.notifier.keys, drill=True) == 1
    assert [row.channel for row in await agency.notifier.rows(held, id=account)] == ["email", "sms"]
    assert await agency.notifier.rows("SELECT 1 FROM notifier.contact WHERE ended_at IS NOT NULL AND address IS NOT NULL") == []
    assert await by_hand(agency, before) == [], "the log tells of each row"


async def test_who_is_invited_sets_a_password_that_nobody_else_knows(agency: Line) -> None:
    await agency.person("head", head=True)

    def invite() -> str:
        with signed_in(agency.world, "head") as head:
            page = send(head, "/agency/invite", login="New.Officer", language="en", **{f"rung.{DUTY}": "yes"}, password=PASSWORD).text
            given = re.search(r'class="code">([0-9A-Z-]{19})<', page)
            assert given is not None
            assert "http://localhost:8080/invitation" in page and "<svg" in page and 'style="' not in page
            assert "This login name exists" in send(head, "/agency/invite", login="new.officer", language="en", password=PASSWORD).text
            assert "invited, no password yet" in head.get("/agency").text
            return given[1]

    given = await asyncio.to_thread(invite)
    (row,) = await agency.notifier.rows("SELECT id FROM intake.account WHERE login = 'new.officer'")
    (person,) = await agency.notifier.rows("SELECT agency, rungs FROM notifier.person WHERE account = :id AND ended_at IS NULL", id=row.id)
    assert tuple(person) == (AGENCY, [DUTY])
    assert given.replace("-", "") not in str(await agency.notifier.rows("SELECT * FROM intake.invitation"))

    def accept() -> None:
        with agency.world.client(headers={"Accept-Language": "en"}) as stranger:
            for typed, new, repeat, words in (
                ("0000-0000-0000-0000", NEW, NEW, "This code is wrong"),
                (given, NEW, PASSWORD, "The two new passwords differ"),
                (given, "short", "short", "At least 12"),
            ):
                answer = send(stranger, "/invitation", code=typed, new=new, repeat=repeat)
                assert answer.status_code == 422 and words in answer.text
            done = send(stranger, "/invitation", code=given.lower().replace("-", " "), new=NEW, repeat=NEW)
            assert done.status_code == 200 and "Your password is set, new.officer" in done.text and 'value="new.officer"' in done.text
            assert send(stranger, "/invitation", code=given, new=PASSWORD, repeat=PASSWORD).status_code == 422, "once"
        with signed_in(agency.world, "new.officer", NEW) as person, signed_in(agency.world, "new.officer", NEW) as phone:
            assert "No message can reach you" in person.get("/inbox").text
            assert person.get("/me").text.count("since ") == 2
            other = send(person, "/me", "/me/password", password="wrong", new=PASSWORD, repeat=PASSWORD)
            assert other.status_code == 422 and "not your present password" in other.text
            assert "The password is changed" in send(person, "/me", "/me/password", password=NEW, new=PASSWORD, repeat=PASSWORD).text
            assert phone.get("/me").status_code == 303, "signed out everywhere else"
        with signed_in(agency.world, "new.officer") as person, signed_in(agency.world, "new.officer") as phone:
            assert "You are signed out everywhere else" in send(person, "/me", "/me/sessions", password=PASSWORD).text
            assert phone.get("/me").status_code == 303 and person.get("/me").status_code == 200
        with signed_in(agency.world, "head") as head:
            assert "No message can reach you" not in head.get("/inbox").text, "a head at no rung is told of no case"
            asked = send(head, f"/agency/person/{row.id}", f"/agency/person/{row.id}/head", head="yes")
            assert "Yes, new.officer becomes a head" in asked.text, "asked once"
            assert "is no head" not in asked.text and not agency.world.run(heads(row.id))
            answer = send(head, f"/agency/person/{row.id}", f"/agency/person/{row.id}/again", password=PASSWORD)
            assert answer.status_code == 409 and "has set a password already" in answer.text, "no head takes over an account"
            done = send(head, f"/agency/person/{row.id}", f"/agency/person/{row.id}/off", off="yes", password=PASSWORD)
            assert "switched off" in done.text

    await asyncio.to_thread(accept)
    (person,) = await agency.notifier.rows("SELECT disabled FROM notifier.person WHERE account = :id AND ended_at IS NULL", id=row.id)
    (account,) = await agency.notifier.rows("SELECT disabled FROM intake.account WHERE id = :id", id=row.id)
    assert person.disabled and account.disabled


def heads(account: str) -> Callable[[AsyncConnection], Awaitable[bool]]:
    """Whether an account is a head's."""

    async def asked(tx: AsyncConnection) -> bool:
        return bool((await tx.execute(text("SELECT head FROM intake.account WHERE id = :id"), {"id": account})).scalar_one())

    return asked


async def test_a_code_is_worth_nothing_after_three_days(agency: Line) -> None:
    await agency.person("head", head=True)

    def invite() -> str:
        with signed_in(agency.world, "head") as head:
            page = send(head, "/agency/invite", login="late", language="en", password=PASSWORD).text
            return re.findall(r'class="code">([0-9A-Z-]{19})<', page)[0]

    given = await asyncio.to_thread(invite)
    await agency.notifier.advance(3 * DAY)

    def late() -> str:
        with agency.world.client() as stranger:
            assert send(stranger, "/invitation", code=given, new=NEW, repeat=NEW).status_code == 422
        with signed_in(agency.world, "head") as head:
            path = re.findall(r'href="(/agency/person/[0-9a-f-]+)">late', head.get("/agency").text)[0]
            page = send(head, path, f"{path}/again", password=PASSWORD).text
            assert "It is good for 15 minutes and once" in page, "also where an operator took a password away: for one call"
            return re.findall(r'class="code">([0-9A-Z-]{19})<', page)[0]

    given = await asyncio.to_thread(late)
    await agency.notifier.advance(DAY // (24 * 4) + 1_000_000)
    fresh = await asyncio.to_thread(late)

    def accept() -> None:
        with agency.world.client() as stranger:
            assert 'value="late"' in send(stranger, "/invitation", code=fresh, new=NEW, repeat=NEW).text

    await asyncio.to_thread(accept)


async def test_a_calendar_says_when_and_nothing_else_and_its_address_can_end(agency: Line) -> None:
    account = await agency.person("officer", DUTY)
    await agency.shift(account, "daily 20:00-08:00")

    def address() -> str:
        with signed_in(agency.world, "officer") as person:
            page = send(person, "/me", "/me/feed").text
            return re.findall(r"http://localhost:8080(/shifts/[\w-]{43}\.ics)", page)[0]

    path = await asyncio.to_thread(address)
    read = await asyncio.to_thread(lambda: agency.world.client().get(path))
    assert read.status_code == 200 and read.headers["content-type"].startswith("text/calendar")
    assert not [word for word in (AGENCY, "Prizren", "officer", DUTY, account) if word in read.text]
    events = icalendar.Calendar.from_ical(read.content).walk("VEVENT")
    now = datetime.fromtimestamp((await agency.notifier.now()) / 1e6, UTC)
    coming = [e for e in events if e.decoded("DTSTART") > now]
    assert 88 <= len(coming) <= 91 and {str(e["SUMMARY"]) for e in coming} == {"On duty"}
    assert {(f"{e.decoded('DTSTART'):%H:%M}", f"{e.decoded('DTEND'):%H:%M}") for e in coming[:-1]} == {("20:00", "08:00")}

    def ended() -> None:
        with agency.world.client() as stranger, signed_in(agency.world, "officer") as person:
            second = re.findall(r"(/shifts/[\w-]{43}\.ics)", send(person, "/me", "/me/feed").text)[0]
            assert stranger.get(path).status_code == 404, "a new address ends the old one"
            assert stranger.get(second).status_code == 200
            send(person, "/me", "/me/nofeed")
            assert stranger.get(second).status_code == 404 == stranger.get("/shifts/x.ics").status_code

    await asyncio.to_thread(ended)


async def test_a_head_hears_of_holes_once_a_day_and_never_at_night(agency: Line) -> None:
    head = await agency.person("head", DUTY, head=True)
    await agency.person("officer", DUTY)
    await agency.shift(head, "mon-fri 08:00-20:00")
    now = await agency.notifier.now()
    assert local(now).hour == 10
    told = "SELECT account, channel, kind FROM notifier.note"
    assert await daily.look(agency.notifier.engine) == 1 and await daily.look(agency.notifier.engine) == 0
    assert [tuple(row) for row in await agency.notifier.rows(told)] == [(head, "email", "gaps")]
    await agency.notifier.advance(14 * HOUR)  # midnight
    assert await daily.look(agency.notifier.engine) == 0
    await agency.notifier.advance(10 * HOUR)
    assert await daily.look(agency.notifier.engine) == 1 and len(await agency.notifier.rows(told)) == 2
    await agency.shift(head, "daily 00:00-24:00")
    await agency.notifier.advance(DAY)
    assert await daily.look(agency.notifier.engine) == 1 and len(await agency.notifier.rows(told)) == 2, "no hole, no message"


@pytest.fixture
def alone(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[World]:
    """An inbox whose notifier is away."""
    with World(database, key_files[0], compiled(), f"http://127.0.0.1:{ports.free(1)[0]}") as made:
        yield made


def test_while_the_notifier_is_away_pages_say_so_and_a_form_can_be_sent_again(alone: World) -> None:
    account = alone.account("head", AGENCY)
    alone.run(lambda tx: tx.execute(text("UPDATE intake.account SET head = true WHERE id = :id"), {"id": account}))
    with signed_in(alone, "head") as head:
        for page in ("/agency", "/agency/shift", "/me/swap"):
            answer = head.get(page)
            assert answer.status_code == 503 and "The rota cannot be reached now." in answer.text, page
        mine = head.get("/me")
        assert mine.status_code == 200 and "The rota cannot be reached now." in mine.text and "Change the password" in mine.text
        form = fields(mine.text) | {"key": "0" * 32, "seen": "7"}
        once = {"account": account, "rung": DUTY, "how": "once", "begins": "2030-01-01T10:00", "ends": "2030-01-01T11:00"}
        answer = head.post("/agency/shift", data=form | once)
        assert answer.status_code == 503 and "Send it again: it counts once." in answer.text
        assert (fields(answer.text)["key"], fields(answer.text)["seen"]) == ("0" * 32, "7") and 'value="2030-01-01T10:00"' in answer.text
        path = re.findall(r"(/shifts/[\w-]{43}\.ics)", send(head, "/me", "/me/feed").text)[0]
        with alone.client() as reader:
            assert reader.get(path).status_code == 503
