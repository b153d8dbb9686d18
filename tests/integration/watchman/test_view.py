"""The one row that a watchman may read: what it counts, on a real notifier's tables, and that its role reads nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from referral.domain.events import OfferAcknowledged
from referral.roster import changes as roster
from referral.runtime.postgres import database
from services.notifier import holes
from services.watchman.alarms import Counters
from services.watchman.look import Sources
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, opened, sending
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
SECOND = 1_000_000
LOUD = frozenset({"sms", "voice"})
ABSENT = "INSERT INTO notifier.absence (account, starts, ends) VALUES (:account, :starts, :ends)"
MORE = (
    "INSERT INTO notifier.delivery (asked, case_id, task, rung, again, person, channel, drill, state, planned_at, due_at, ended_at)"
    " SELECT 'earlier', case_id, task, rung, n, person, channel, drill, 'SENT', planned_at, due_at, ended_at"
    " FROM notifier.delivery, generate_series(1, 4) AS n WHERE state = 'SENT'"
)


@pytest.fixture
async def sources(notifier: Stack) -> AsyncIterator[Sources]:
    made = Sources(notifier.settings)
    yield made
    await made.close()


async def counted(sources: Sources) -> Counters:
    found, _ = await sources.look()
    assert found is not None
    return found


async def asked(notifier: Stack) -> str:
    """An offer whose knock is planned and, without a sender, waits."""
    await notifier.person("officer")
    case_id = await notifier.case()
    await notifier.tell(case_id, opened())
    return case_id


async def test_an_open_question_counts_a_minute_after_its_knock_was_due(notifier: Stack, sources: Sources) -> None:
    await asked(notifier)
    assert (await counted(sources)).unknocked == 0
    await notifier.advance(20 * SECOND)
    assert (await counted(sources)).unknocked == 0
    await notifier.advance(41 * SECOND)
    assert (await counted(sources)).unknocked == 1
    await notifier.rows("INSERT INTO notifier.pause (reason) VALUES ('a test')")
    await notifier.advance(30 * MINUTE)
    paused = await counted(sources)
    assert paused.unknocked == 0 and paused.paused is not None and 1800 <= paused.paused < 1860
    await notifier.rows("UPDATE notifier.pause SET ended_at = 1")
    assert (await counted(sources)).unknocked == 1


async def test_a_handed_knock_ends_it_and_so_does_the_end_of_the_question(notifier: Stack, sources: Sources, relay: smtp.Relay) -> None:
    await asked(notifier)
    await notifier.advance(61 * SECOND)
    assert (await counted(sources)).unknocked == 1
    async with sending(notifier.sender(relay.port)):
        await relay.got(1)
        await until(lambda: _none(sources), what="it was handed over")


async def test_our_relay_away_counts_and_a_persons_mailbox_does_not(notifier: Stack, sources: Sources, relay: smtp.Relay) -> None:
    await asked(notifier)
    relay.recipient = smtp.full
    async with sending(notifier.sender(relay.port)):
        await until(lambda: notifier.rows("SELECT 1 FROM notifier.delivery WHERE reason = 'try-later'"), what="the mailbox was full")
    await notifier.advance(61 * SECOND)
    assert (await counted(sources)).unknocked == 0
    relay.recipient = smtp.later
    async with sending(notifier.sender(relay.port)):
        await until(lambda: notifier.rows("SELECT 1 FROM notifier.delivery WHERE reason = 'server-busy'"), what="the relay was busy")
    assert (await counted(sources)).unknocked == 1
    assert (await counted(sources)).away == (), "e-mail is not loud"


async def test_a_loud_channel_that_fails_by_our_fault_is_named(notifier: Stack, sources: Sources) -> None:
    await asked(notifier)
    await notifier.advance(61 * SECOND)
    await notifier.rows("UPDATE notifier.delivery SET channel = 'voice', attempt = 3, reason = 'server-away'")
    assert (await counted(sources)).away == ("voice",)
    await notifier.rows("UPDATE notifier.delivery SET reason = 'no-key'")
    assert (await counted(sources)).away == ()


async def test_a_channel_is_away_when_all_its_providers_are(notifier: Stack, sources: Sources) -> None:
    provider = "INSERT INTO notifier.provider (channel, name, since, open_until) VALUES (:channel, :name, 0, :until)"
    later = await notifier.now() + 3600 * SECOND
    await notifier.rows(provider, channel="voice", name="voice-1", until=later)
    await notifier.rows(provider, channel="voice", name="voice-2", until=None)
    await notifier.rows(provider, channel="email", name="email-1", until=later)
    assert (await counted(sources)).away == ()
    await notifier.rows("UPDATE notifier.provider SET open_until = :until", until=later)
    assert (await counted(sources)).away == ("voice",)
    await notifier.rows("UPDATE notifier.provider SET open_until = 1")
    assert (await counted(sources)).away == (), "nobody has tried it since"


async def test_whoever_was_told_just_now_is_not_unknocked(notifier: Stack, sources: Sources, relay: smtp.Relay) -> None:
    """The pace of one person holds a further message back; that is no fault."""
    await asked(notifier)
    async with sending(notifier.sender(relay.port)):
        await relay.got(1)
        await until(lambda: _states(notifier, ["SENT"]), what="written down")
    case_id = await notifier.case()
    await notifier.tell(case_id, opened())
    await notifier.advance(61 * SECOND)
    assert (await counted(sources)).unknocked == 0
    await notifier.advance(180 * SECOND)
    assert (await counted(sources)).unknocked == 1
    await notifier.rows(MORE)  # five within the hour: one in twelve minutes from now on
    assert (await counted(sources)).unknocked == 0
    await notifier.advance(600 * SECOND)
    assert (await counted(sources)).unknocked == 1


async def test_liveness_lateness_and_positions(notifier: Stack, sources: Sources) -> None:
    assert await counted(sources) == Counters(alive=0, positions={})
    await notifier.rows("INSERT INTO notifier.instance VALUES ('a', clock_timestamp() + interval '1 hour'), ('b', clock_timestamp())")
    now = await notifier.now()
    await notifier.rows("INSERT INTO notifier.alarm VALUES ('x', 0, :at)", at=now - 70 * SECOND)
    await notifier.rows("INSERT INTO notifier.lease (unit, positions) VALUES ('0', '{\"referral-routing/0\": [7, \"ab\"]}')")
    found = await counted(sources)
    assert found.alive == 1 and 70 <= found.late < 130 and found.positions == {"referral-routing/0": 7}


async def test_a_hole_begins_with_the_shift_that_nobody_has_and_ends_with_a_number(notifier: Stack, sources: Sources) -> None:
    """Whoever has only an e-mail address is not woken. What can wait, and what somebody has taken, does not count."""
    officer = await notifier.person("officer")
    urgent, later = opened(due=await notifier.now() + 30 * MINUTE), opened(due=await notifier.now() + 20 * 60 * MINUTE)
    case_id = await notifier.case()
    await notifier.tell(case_id, urgent, later)
    assert (await counted(sources)).holes is None, "nobody has counted"
    assert await holes_of(notifier, sources) == 1, "only an e-mail address"
    await numbered(notifier, officer, "+38344000001")
    assert await holes_of(notifier, sources) == 0
    await notifier.rows(ABSENT, account=officer, starts=await notifier.now() - SECOND, ends=await notifier.now() + MINUTE)
    assert await holes_of(notifier, sources) == 1, "on leave"
    await notifier.advance(MINUTE)
    assert await holes_of(notifier, sources) == 0, "back"
    await numbered(notifier, officer, "-")
    assert await holes_of(notifier, sources) == 1
    await notifier.tell(case_id, OfferAcknowledged(why=WHY, offer_id=urgent.offer_id, by=None, due=None, due_what=""))
    assert await holes_of(notifier, sources) == 0, "somebody looks"


async def test_a_count_that_nobody_renews_shows_nothing(notifier: Stack, sources: Sources) -> None:
    await notifier.rows("UPDATE notifier.hole SET count = 3, counted_at = clock_timestamp()")
    assert (await counted(sources)).holes == 3
    async with notifier.engine.begin() as tx:
        assert not await holes.look(tx, LOUD), "another instance has just counted"
    await notifier.rows("UPDATE notifier.hole SET counted_at = clock_timestamp() - interval '61 s'")
    assert (await counted(sources)).holes is None and 61 <= ((await counted(sources)).counted or 0) < 120


@pytest.mark.parametrize("loud", [frozenset({"voice"}), frozenset()], ids=["a loud channel", "none"])
async def test_a_notifier_says_whether_it_will_count(notifier: Stack, sources: Sources, loud: frozenset[str]) -> None:
    """A count that never comes is told, also of a notifier that fails at its first one; without a loud channel nobody waits for one."""
    assert (await counted(sources)).counted is None
    await notifier.rows("ALTER TABLE notifier.asked RENAME TO elsewhere")
    work = asyncio.create_task(holes.run(notifier.engine, loud))
    try:
        if loud:
            await until(lambda: _expected(sources))
        else:
            await asyncio.wait_for(work, 10)
            assert (await counted(sources)).counted is None
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await notifier.rows("ALTER TABLE notifier.elsewhere RENAME TO asked")


async def _expected(sources: Sources) -> bool:
    return ((await counted(sources)).counted or 0) >= 60


async def holes_of(notifier: Stack, sources: Sources) -> int | None:
    async with notifier.engine.begin() as tx:
        assert await holes.look(tx, LOUD, every=0)
    return (await counted(sources)).holes


async def numbered(notifier: Stack, account: str, number: str) -> None:
    async with notifier.admin.begin() as tx:
        await roster.add_person(tx, notifier.keys, account=account, agency="police", rungs=["duty"], voice=number)


async def test_the_role_reads_the_view_and_nothing_else(notifier: Stack) -> None:
    engine = database.engine(notifier.settings, "watchman", size=1)
    try:
        for table in ("notifier.asked", "notifier.delivery", "notifier.contact", "notifier.person", "intake.account", "keys.case_key"):
            async with engine.connect() as tx:
                with pytest.raises(ProgrammingError, match="permission denied"):
                    await tx.execute(text(f"SELECT FROM {table}"))
        async with engine.connect() as tx:
            columns = (await tx.execute(text("SELECT * FROM notifier.watch"))).keys()
            assert {*columns} == {"alive", "paused", "unknocked", "late", "away", "positions", "holes", "counted", "canary"}
    finally:
        await engine.dispose()


async def test_a_database_that_hangs_costs_one_look_and_comes_back(notifier: Stack, sources: Sources) -> None:
    """A statement that waits for a lock is a server that does not answer."""
    async with notifier.admin.connect() as tx:
        await tx.execute(text("LOCK TABLE notifier.asked IN ACCESS EXCLUSIVE MODE"))
        began = asyncio.get_running_loop().time()
        assert (await sources.look())[0] is None
        assert asyncio.get_running_loop().time() - began < 30
    await counted(sources)


async def _none(sources: Sources) -> bool:
    return (await counted(sources)).unknocked == 0


async def _states(notifier: Stack, states: list[str]) -> bool:
    return await notifier.states() == states
