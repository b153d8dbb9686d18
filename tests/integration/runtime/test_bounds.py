"""No role of the database can keep another one waiting, fill the disk, or see when the others work, on a real server of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import asyncpg
import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from referral.local import keyfiles
from referral.local import stack as stacks
from referral.local.postgres import Postgres
from referral.runtime import bootstrap
from referral.runtime.postgres import bells, bounds, database
from referral.runtime.postgres.rights import ROLES
from referral.runtime.settings import LINE, Settings
from tests.harness.attackers.statements import HEARD, REFUSED
from tests.harness.engines import by_hand, connecting
from tests.harness.line import intake_stack, notifier_stack

pytestmark = pytest.mark.servers

Line: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
WITHIN_S = 5.0
"""Seconds within which a door takes a referral, and the notifier plans a question (the issue's)."""
MOST = 200
"""Connections that the server takes."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A prepared server that nobody else uses: roles and their connections belong to the whole server."""
    folder = tmp_path_factory.mktemp("own")
    server = Postgres(folder / "postgres", settings=(f"max_connections={MOST}",))
    try:
        server.start()
        url = asyncio.run(stacks._own_database(server))
        made = Settings(
            kafka="",
            database=url,
            database_passwords=folder / "passwords",
            master_key_file=keyfiles.ensure(folder)[0],
            instance="t",
            drill_clock=True,
        )
        assert asyncio.run(bootstrap.prepare_database(made)) == []
        yield made
    finally:
        server.stop()


async def logged_in(settings: Settings, role: str, into: str = "") -> Line:
    """A connection of a role with its own password. into: another database."""
    address = database.url(settings, role)
    address = address.set(database=into or address.database, drivername="postgresql")
    return await asyncpg.connect(address.render_as_string(hide_password=False))


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[tuple[intake_stack.Stack, notifier_stack.Stack]]:
    """A door of intake, and a notifier."""
    assert settings.master_key_file is not None
    async with (
        intake_stack.stack(settings) as door,
        notifier_stack.stack(settings.database, settings.master_key_file, settings.database_passwords) as notifier,
    ):
        yield door, notifier


async def work(door: intake_stack.Stack, notifier: notifier_stack.Stack) -> None:
    """What the line does for a child: a door takes a referral, the notifier plans its knocks, and somebody comes on duty."""
    async with asyncio.timeout(WITHIN_S):
        await door.submit()
        await notifier.tell(await notifier.case(), notifier_stack.opened())
        await notifier.person("somebody-else")


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_can_keep_another_waiting(own: Settings, role: str) -> None:
    heard: list[str] = []
    async with working(own) as line, AsyncExitStack() as held:
        await work(*line)
        other = (await line[1].rows("SELECT pg_backend_pid() AS pid"))[0].pid
        listening, attacker = await logged_in(own, role), await logged_in(own, role)
        held.push_async_callback(listening.close)
        held.push_async_callback(attacker.close)
        for name in HEARD:
            await listening.add_listener(name, lambda *about: heard.append(str(about[2])))
        done = []
        for what, statement in REFUSED.items():
            try:
                await attacker.execute(f"BEGIN; SET LOCAL work_mem = '64kB'; {statement.format(other=other)}")
                done.append(what)
            except (asyncpg.InsufficientPrivilegeError, asyncpg.ConfigurationLimitExceededError):
                pass
            except asyncpg.OutOfMemoryError:
                done.append(what)
            await work(*line)
            await attacker.execute("ROLLBACK")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await logged_in(own, role, into="postgres")
        taken = 0
        with pytest.raises(asyncpg.TooManyConnectionsError, match=f'for role "{role}"'):
            while True:
                held.push_async_callback((await logged_in(own, role)).close)
                taken += 1
        await work(*line)
        for each in ROLES:
            if each != role:
                await (await logged_in(own, each)).close()
    assert (done, heard) == ([], [])
    assert taken < bounds.connections(role, MOST)


async def test_a_bound_that_is_taken_back_is_named_and_set_again(own: Settings) -> None:
    wrong = {
        "GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO PUBLIC; GRANT EXECUTE ON FUNCTION lo_create(oid) TO watchman": (
            "everybody may call lo_create and 1 more functions of PostgreSQL that stop others or show when they work"
        ),
        "ALTER ROLE audit CONNECTION LIMIT -1": "audit may have any number of connections, not 32",
        "ALTER ROLE routing SET temp_file_limit = -1": "routing has the settings temp_file_limit=-1, not temp_file_limit=16384",
        "ALTER ROLE notifier IN DATABASE {database} SET statement_timeout = 1": (
            "notifier has the settings statement_timeout=1, temp_file_limit=16384, not temp_file_limit=16384"
        ),
        "GRANT CONNECT ON DATABASE template1 TO PUBLIC": "everybody may enter the database template1",
    }
    name = make_url(own.database).database
    async with by_hand(own) as tx:
        assert await bounds.differences(tx) == []
        for statement in wrong:
            for one in statement.format(database=name).split(";"):
                await tx.exec_driver_sql(one)
        assert {one.said for one in await bounds.differences(tx)} == set(wrong.values())
    assert await bootstrap.prepare_database(own) == []
    async with by_hand(own) as tx:
        assert await bounds.differences(tx) == []


async def test_functions_stay_open_while_the_release_before_calls_them(own: Settings) -> None:
    """Its processes make no mark in their rows."""
    row = "INSERT INTO notifier.instance (id, alive_until, pid) VALUES ('before', clock_timestamp() + interval '1 hour', 0)"
    async with by_hand(own) as tx:
        await tx.exec_driver_sql("GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO PUBLIC")
        await tx.exec_driver_sql(row)
    (left,) = await bootstrap.prepare_database(own)
    assert left.said.endswith(": notifier of the release before still runs, and calls them") and not left.remedy
    async with by_hand(own) as tx:
        await tx.exec_driver_sql("DELETE FROM notifier.instance WHERE id = 'before'")
    assert await bootstrap.prepare_database(own) == []


async def test_beside_the_release_before_its_services_may_call_what_they_need_and_then_no_more(own: Settings) -> None:
    """On the way back they began in a database whose functions were closed, and could do nothing."""
    taken = text("SELECT pg_try_advisory_xact_lock_shared(1), count(*) FROM pg_stat_get_activity(NULL)")
    assert await bootstrap.prepare_database(replace(own, beside_older=True)) == []
    for role in LINE:
        async with connecting(database.engine(own, role)) as tx:
            await tx.execute(taken)
    assert await bootstrap.prepare_database(own) == []
    for role in LINE:
        async with connecting(database.engine(own, role)) as tx:
            with pytest.raises(DBAPIError, match="permission denied"):
                await tx.execute(taken)


async def test_each_service_hears_its_own_bell_and_no_other_role_knows_its_name(own: Settings) -> None:
    names = set()
    for role in LINE:
        async with connecting(database.engine(own, role)) as tx:
            names.add((await tx.execute(text(bells.channel(bells.of(role, bells.QUEUE))))).scalar_one())
            for other in set(LINE) - {role}:
                with pytest.raises(DBAPIError, match="permission denied"):
                    await tx.execute(text(bells.channel(bells.of(other, bells.QUEUE))))
                await tx.rollback()
    assert len(names) == len(LINE) and all(len(name.rpartition("_")[2]) * 4 == 128 for name in names)
