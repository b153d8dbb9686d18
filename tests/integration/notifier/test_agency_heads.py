"""Heads at work on one another: two at once, an act that breaks off halfway, what the log says, and what is left to whoever is off."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from referral.domain.events import AccountChanged
from referral.wire import roster as wire
from referral.wire.roster import AddAbsence, AddShift, Change, End, OfferSwap, Refused, SetDisabled, SetPerson, TakeOver
from services.intake.pages.page_request import SHOWN_AT
from services.notifier.notes.notes import MOST
from tests.harness.line.notifier_stack import MINUTE
from tests.harness.waiting import until
from tests.harness.web.agency_line import AGENCY, DUTY, Line, by_hand, line, send, tables
from tests.harness.web.forms import fields, hidden
from tests.harness.web.world import PASSWORD, signed_in

pytestmark = pytest.mark.servers
HOUR = 60 * MINUTE
ELSEWHERE = "csw-prizren"
NEW = "correct horse battery staple"
LOCKED = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND query LIKE '%intake.account%'"
)


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    async with line(database, key_files[0]) as made:
        yield made


async def state(agency: Line, *logins: str) -> dict[str, tuple[bool, bool, bool]]:
    """Login → head, account switched off, switched off in the roster."""
    rows = await agency.notifier.rows(
        "SELECT a.login, a.head, a.disabled, p.disabled AS silent FROM intake.account a"
        " LEFT JOIN notifier.person p ON p.account = a.id AND p.ended_at IS NULL"
    )
    return {row.login: (row.head, row.disabled, row.silent) for row in rows if row.login in logins}


def accounts(agency: Line) -> list[tuple[str, str, str]]:
    """Return the changes of accounts that the log tells: what was done, to whom, by whom."""
    return [(e.change, e.account, e.changed_by) for e in agency.world.queued() if isinstance(e, AccountChanged) and e.agency == AGENCY]


async def at_once(agency: Line, acts: list[tuple[str, str, str, dict[str, str]]]) -> list[int]:
    """Send forms in the same moment: (login, page, action, fields). The accounts are locked until all of them wait, so none is faster."""
    with contextlib.ExitStack() as visits:

        def come(login: str, page: str) -> tuple[httpx.Client, dict[str, str]]:
            person = visits.enter_context(signed_in(agency.world, login))
            return person, fields(person.get(page).text)

        ready = [await asyncio.to_thread(come, login, page) for login, page, _, _ in acts]
        async with agency.notifier.admin.connect() as tx:
            await tx.execute(text("SELECT FROM intake.account FOR UPDATE"))
            posts = [
                asyncio.create_task(asyncio.to_thread(person.post, action, data=form | more | {"password": PASSWORD}))
                for (person, form), (_, _, action, more) in zip(ready, acts, strict=True)
            ]

            async def waiting() -> bool:
                async with agency.notifier.admin.connect() as other:
                    return bool((await other.execute(LOCKED)).scalar_one() == len(acts))

            await until(waiting, what="every form waits for the accounts")
            await tx.rollback()
        return sorted([(await post).status_code for post in posts])


async def test_of_two_heads_who_take_the_mark_from_each_other_at_once_one_stays(agency: Line) -> None:
    first, second = await agency.person("first", DUTY, head=True), await agency.person("second", DUTY, head=True)

    def act(login: str, whom: str, what: str, **more: str) -> tuple[str, str, str, dict[str, str]]:
        return login, f"/agency/person/{whom}", f"/agency/person/{whom}/{what}", more

    async def marked(*logins: str) -> None:
        async with agency.notifier.admin.begin() as tx:
            await tx.execute(text("UPDATE intake.account SET head = true, disabled = false WHERE login = ANY(:logins)"), {"logins": logins})
        async with agency.notifier.change() as tx:
            await tx.execute(text("UPDATE notifier.person SET disabled = false"))

    for mine, yours in (
        (("head", {"head": "no"}), ("head", {"head": "no"})),
        (("off", {"off": "yes"}), ("off", {"off": "yes"})),
        (("off", {"off": "yes"}), ("head", {"head": "no"})),
    ):
        await marked("first", "second")
        before = len(await asyncio.to_thread(accounts, agency))
        found = await at_once(agency, [act("first", second, mine[0], **mine[1]), act("second", first, yours[0], **yours[1])])
        assert found == [303, 404], "whoever was slower is no head any more"
        after = await state(agency, "first", "second")
        assert sorted(head for head, _, _ in after.values()) == [False, True], (mine, after)
        assert (True, False, False) in after.values(), "and can sign in, and is knocked"
        assert all(off == silent for _, off, silent in after.values()), after
        done = (await asyncio.to_thread(accounts, agency))[before:]
        assert len({by for _, _, by in done}) == 1 and done[0][0] == "no-head", "the log has what was done, and no more"


@contextlib.contextmanager
def failing(agency: Line, column: str) -> Iterator[None]:
    """The accounts cannot be written meanwhile."""

    def run(*statements: str) -> None:
        async def ran(tx: Any) -> None:
            for statement in statements:
                await tx.execute(text(statement))

        agency.world.by_hand(ran)

    run(
        "CREATE FUNCTION intake.fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'made to fail'; END $$",
        f"CREATE TRIGGER fails BEFORE UPDATE OF {column} ON intake.account FOR EACH ROW EXECUTE FUNCTION intake.fails()",
    )
    try:
        yield
    finally:
        run("DROP TRIGGER fails ON intake.account", "DROP FUNCTION intake.fails()")


async def test_with_a_heads_cookie_alone_nobody_is_taken_from_a_rung_a_shift_or_an_account(agency: Line) -> None:
    """The head is at a rung too: whoever has the cookie would silence all of them."""
    head, officer = await agency.person("head", DUTY, head=True), await agency.person("officer", DUTY)
    await agency.shift(officer, "daily 00:00-24:00")
    row, *_ = await agency.notifier.rows("SELECT id FROM notifier.weekly")
    page, end = f"/agency/person/{officer}", f"/agency/end/weekly/{row.id}"
    posts: list[tuple[str, str, dict[str, str]]] = [
        (page, f"{page}/rungs", {}),
        (page, f"{page}/head", {"head": "yes", "sure": "yes"}),
        (page, f"{page}/off", {"off": "yes"}),
        (page, f"{page}/again", {}),
        ("/agency/invite", "/agency/invite", {"login": "thief", "language": "en", f"rung.{DUTY}": "yes"}),
        (end, end, {}),
    ]
    before = await everything(agency, head)

    def thief() -> None:
        with signed_in(agency.world, "head") as owner, agency.world.client(cookies=dict(owner.cookies)) as person:
            for shown, path, form in posts:
                asked = send(person, shown, path, **form)
                assert asked.status_code == 403 and "Your password, please" in asked.text, path
                assert form.items() <= hidden(asked.text).items(), "what was entered is not lost"
            wrong = send(person, page, f"{page}/off", off="yes", password="not the password")
            assert wrong.status_code == 422 and "not your present password" in wrong.text

    await asyncio.to_thread(thief)
    assert await everything(agency, head) == before
    assert accounts(agency) == []

    def owner() -> None:
        with signed_in(agency.world, "head") as person:
            for shown, path, form in posts:
                answer = send(person, shown, path, **form, password=PASSWORD)
                assert answer.status_code == (409 if path.endswith("/again") else 200), (path, answer.status_code)

    await asyncio.to_thread(owner)
    assert await state(agency, "officer") == {"officer": (False, True, True)}


async def test_an_act_that_breaks_off_knocks_nobody_who_could_not_sign_in_and_the_page_says_it(agency: Line) -> None:
    await agency.person("head", head=True)
    officer = await agency.person("officer", DUTY)
    page = f"/agency/person/{officer}"

    with contextlib.ExitStack() as visit:
        head = await asyncio.to_thread(visit.enter_context, signed_in(agency.world, "head"))

        async def switched(off: str, status: int) -> str:
            """The page after a form."""
            answer = await asyncio.to_thread(send, head, page, f"{page}/off", off=off, password=PASSWORD)
            assert answer.status_code == status
            return answer.text

        async def broken(off: str) -> None:
            with failing(agency, "disabled"):
                await switched(off, 500)

        await broken("yes")
        assert await state(agency, "officer") == {"officer": (False, False, True)}, "can sign in, and is not knocked"
        shown = (await asyncio.to_thread(head.get, page)).text
        assert "only one of the two is switched off" in shown and shown.count('name="off"') == 2
        done = await switched("yes", 200)
        assert "The account is switched off" in done and "only one of the two" not in done
        assert await state(agency, "officer") == {"officer": (False, True, True)}
        await broken("no")
        assert await state(agency, "officer") == {"officer": (False, True, True)}, "nobody is on duty who cannot sign in"
        assert "The account is switched on" in await switched("no", 200)
        assert await state(agency, "officer") == {"officer": (False, False, False)}


async def test_the_log_says_who_invited_whom_and_who_may_do_what(agency: Line) -> None:
    head = await agency.person("head", head=True)
    before = await tables(agency)

    def work() -> str:
        with signed_in(agency.world, "head") as person:
            send(person, "/agency/invite", login="deputy", language="en", head="yes", password=PASSWORD)
            page = re.findall(r'href="(/agency/person/[0-9a-f-]+)">deputy', person.get("/agency").text)[0]
            send(person, page, f"{page}/again", password=PASSWORD)
            for what, more in (("head", {"head": "yes"}), ("head", {"head": "no"}), ("off", {"off": "yes"}), ("off", {"off": "no"})):
                assert send(person, page, f"{page}/{what}", **more, password=PASSWORD).status_code == 200
            return page.rpartition("/")[2]

    deputy = await asyncio.to_thread(work)
    done = await asyncio.to_thread(accounts, agency)
    assert [what for what, _, _ in done] == ["invited", "head", "invited", "no-head", "off", "on"], "a mark that was there is no change"
    assert {(whom, by) for _, whom, by in done} == {(deputy, head)}
    assert await by_hand(agency, before) == [], "no page is taken for a hand in the database"
    async with agency.notifier.admin.begin() as tx:
        await tx.execute(text("UPDATE intake.account SET head = true WHERE login = 'deputy'"))
    assert await by_hand(agency, before) == [f"the account {deputy} of {AGENCY} was made a head by hand"]


async def test_whoever_is_switched_off_keeps_no_session_calendar_or_code_also_when_switched_on_again(agency: Line) -> None:
    await agency.person("head", head=True)
    officer = await agency.person("officer", DUTY)

    def work() -> None:
        with signed_in(agency.world, "head") as head, signed_in(agency.world, "officer") as person, agency.world.client() as stranger:
            made = person.post("/me/feed", data=fields(person.get("/me").text), headers={"host": "evil.example"})
            address = re.findall(r">(http[^<]+/shifts/[\w-]{43}\.ics)<", made.text)[0]
            assert address.startswith(f"{SHOWN_AT}/shifts/"), "an address that is written down has no host that a request claims"
            feed = address.removeprefix(SHOWN_AT)
            read = stranger.get(feed)
            assert read.status_code == 200 and read.headers["cache-control"] == "private, max-age=300", "no shared cache stores it"
            assert person.get("/me").headers["cache-control"] == "no-store"
            page = send(head, "/agency/invite", login="newcomer", language="en", password=PASSWORD).text
            code = re.findall(r'class="code">([0-9A-Z-]{19})<', page)[0]
            newcomer = re.findall(r'href="(/agency/person/[0-9a-f-]+)">newcomer', head.get("/agency").text)[0]
            for account in (f"/agency/person/{officer}", newcomer):
                for word in ("yes", "no"):
                    assert send(head, account, f"{account}/off", off=word, password=PASSWORD).status_code == 200
                    assert person.get("/me").status_code == 303 and stranger.get(feed).status_code == 404
                    refused = send(stranger, "/invitation", code=code, new=NEW, repeat=NEW).status_code if account == newcomer else 422
                    assert refused == 422, "the code of whoever was switched off is worth nothing"
            again = re.findall(r'class="code">([0-9A-Z-]{19})<', send(head, newcomer, f"{newcomer}/again", password=PASSWORD).text)[0]
            assert send(stranger, "/invitation", code=again, new=NEW, repeat=NEW).status_code == 200

    await asyncio.to_thread(work)


async def test_times_at_the_ends_of_the_calendar_are_refused_at_their_field_and_stop_nobody(agency: Line) -> None:
    head = await agency.person("head", DUTY, head=True)
    other = await agency.person("other", DUTY)
    await agency.shift(head, "daily 00:00-24:00")
    far = [(253402300799000000, 253402300800000000), (10**18 - 2, 10**18 - 1), (0, 10**15), (1, 2)]

    def work() -> None:
        with signed_in(agency.world, "head") as person:
            for starts, ends in (*far, ("9" * 18, "9" * 19)):
                answer = send(person, "/me/swap", shift=f"{DUTY} {starts} {ends}", taker=other)
                assert answer.status_code in (409, 422) and 'id="shift-error"' in answer.text, (starts, answer.status_code)
            weekly = {"how": "weekly", "day.mon": "yes", "start": "20:00", "end": "08:00"}
            for field, day in (("until", "9999-12-31"), ("since", "0001-01-01")):
                answer = send(person, "/agency/shift", account=head, rung=DUTY, **weekly | {field: day})
                assert answer.status_code == 422 and f'id="{field}-error"' in answer.text and "too far away" in answer.text
            for begins, ends in (("0001-01-01T00:00", "2030-01-01T10:00"), ("2030-01-01T10:00", "9999-12-31T23:59")):
                for page, more in (("/agency/shift", {"how": "once", "rung": DUTY}), ("/agency/absence", {})):
                    answer = send(person, page, account=head, begins=begins, ends=ends, **more, password=PASSWORD)
                    assert answer.status_code == 422 and "too far away" in answer.text, (page, begins)
            for at in ("0001-01-01T00:00", "9999-12-31T23:59"):
                assert person.get(f"/agency?at={at}&week={at[:10]}").status_code == 200
            assert person.get("/me").status_code == 200

    await asyncio.to_thread(work)
    for starts, ends in far:  # intake is not believed
        act = OfferSwap(giver=head, taker=other, rung=DUTY, starts=starts, ends=ends)
        assert isinstance(await told(agency, Change(agency=AGENCY, by=head, key=f"k{starts}", act=act)), Refused)


async def told(agency: Line, change: Change) -> object:
    """The answer of the notifier's door to a change that is signed as intake's."""
    body = wire.request(change)
    async with httpx.AsyncClient(base_url=agency.url) as client:
        answer = await client.post(wire.PATH, content=body, headers={"authorization": f"Bearer {agency.notifier.keys.roster(body)}"})
    assert answer.status_code == 200, "an answer, and no failure"
    return wire.answered(answer.content)


async def everything(agency: Line, but: str) -> list[str]:
    """Every row about people, their rota, accounts, sessions, codes and calendars that does not name this account."""
    ours = ("person", "contact", "weekly", "single", "absence", "given", "swap", "unconfirmed", "note")
    tables = [*(f"notifier.{table}" for table in ours), *(f"intake.{table}" for table in ("account", "session", "invitation", "feed"))]
    every = " UNION ALL ".join(f"SELECT '{table} ' || t::text AS row FROM {table} t" for table in tables)
    return [row.row for row in await agency.notifier.rows(f"SELECT row FROM ({every}) AS rows ORDER BY 1") if but not in row.row]


async def test_a_head_touches_nothing_of_another_agency_by_any_id_or_field(agency: Line) -> None:
    mine = await agency.person("mine", DUTY, head=True)
    officer, colleague = await agency.person("officer", DUTY), await agency.person("colleague", DUTY)
    foreign = await agency.person("foreign", "focal-point", agency=ELSEWHERE, head=True)
    await agency.shift(officer, "daily 00:00-24:00")
    now = await agency.notifier.now()

    def prepare() -> tuple[str, str]:
        with signed_in(agency.world, "mine") as head, signed_in(agency.world, "officer") as person:
            send(head, "/agency/invite", login="newcomer", language="en", password=PASSWORD)
            newcomer = re.findall(r'href="/agency/person/([0-9a-f-]+)">newcomer', head.get("/agency").text)[0]
            send(person, "/agency/absence", begins="2030-01-01T10:00", ends="2030-01-02T10:00", password=PASSWORD)
            value = re.findall(rf'value="({DUTY} \d+ \d+)"', person.get("/me/swap").text)[1]
            send(person, "/me/swap", shift=value, taker=colleague)
            send(person, "/me", "/me/feed")
            return newcomer, re.findall(r'name="swap" value="([0-9a-f]+)"', person.get("/me").text)[0]

    newcomer, swap = await asyncio.to_thread(prepare)
    rows = [
        (row.part, row.id)
        for row in await agency.notifier.rows(
            "SELECT 'weekly' AS part, id FROM notifier.weekly UNION ALL SELECT 'absence', id FROM notifier.absence"
        )
    ]
    before, people = await everything(agency, foreign), (officer, newcomer, mine)

    def attack() -> None:
        once = {"how": "once", "begins": "2030-01-01T10:00", "ends": "2030-01-01T11:00"}
        with signed_in(agency.world, "foreign") as head:
            for account in people:
                for what in ("rungs", "head", "off", "again"):
                    for more in ({"head": "yes", "off": "yes"}, {"head": "no", "off": "no", f"rung.{DUTY}": "yes"}):
                        found = send(head, "/me", f"/agency/person/{account}/{what}", id=account, account=account, agency=AGENCY, **more)
                        assert found.status_code == 404, (what, more)
                assert send(head, "/agency/shift", account=account, rung=DUTY, agency=AGENCY, **once).status_code == 422
                found = send(head, "/agency/absence", account=account, **once, password=PASSWORD)
                assert found.status_code == 422 and "officer" not in re.sub(r"<[^>]*>|Duty officer", "", found.text)
                assert send(head, "/me/swap", shift=f"{DUTY} {now} {now + HOUR}", taker=account, giver=officer).status_code in (409, 422)
            for part, number in rows:
                page = f"/agency/end/{part}/{number}"
                assert head.get(page).status_code == 409 and "officer" not in head.get(page).text, "as one that never was"
                assert head.post(page, data=fields(head.get("/me").text) | {"password": PASSWORD}).status_code == 409
            for word in ("TAKEN", "REFUSED", "WITHDRAWN"):
                assert send(head, "/me", "/me/answer", swap=swap, word=word, agency=AGENCY).status_code == 409
            assert send(head, "/me", "/me/takeover", rung=DUTY, account=officer, agency=AGENCY).status_code == 404
            for path in ("/me/sessions", "/me/nofeed", "/me/end", "/me/address", "/me/code", "/me/test", "/me/password"):
                send(head, "/me", path, account=officer, id=officer, channel="email", address="evil@x.example", code="000000")
            again = send(head, "/agency/invite", login="newcomer", language="en", password=PASSWORD)
            assert again.status_code == 409 and 'class="code"' not in again.text

    await asyncio.to_thread(attack)
    for number, act in enumerate(  # and the notifier does not believe the page either
        (
            SetPerson(account=officer, rungs=(DUTY,)),
            SetDisabled(account=officer, disabled=True),
            AddShift(account=officer, rung=DUTY, written="daily 00:00-24:00"),
            AddAbsence(account=officer, begin="2030-01-01T10:00", end="2030-01-02T10:00"),
            TakeOver(account=officer, rung=DUTY),
            OfferSwap(giver=officer, taker=colleague, rung=DUTY, starts=now, ends=now + HOUR),
            *(End(part=part, number=number) for part, number in rows),
        )
    ):
        assert isinstance(await told(agency, Change(agency=ELSEWHERE, by=foreign, key=f"a{number}", act=act)), Refused), act
        assert isinstance(await told(agency, Change(agency=AGENCY, by=foreign, key=f"b{number}", act=act)), Refused), act
    assert await everything(agency, foreign) == before


async def test_a_colleague_is_not_flooded_with_mail(agency: Line) -> None:
    giver, taker = await agency.person("giver", DUTY), await agency.person("taker", DUTY)
    await agency.shift(giver, "daily 00:00-24:00")
    now = await agency.notifier.now()
    for number in range(MOST["swap"] + 3):
        act = OfferSwap(giver=giver, taker=taker, rung=DUTY, starts=now, ends=now + HOUR)
        assert not isinstance(await told(agency, Change(agency=AGENCY, by=giver, key=f"k{number}", act=act)), Refused)
    assert len(await agency.notifier.rows("SELECT id FROM notifier.note WHERE kind = 'swap'")) == MOST["swap"]
