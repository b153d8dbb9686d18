"""The walls between the services in the database of a local stack: what one of them reaches with what it has been given."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from msgspec import structs
from sqlalchemy.engine import make_url

from referral.errors import Misconfigured, Rejected
from referral.local import stack as stacks
from referral.local.config import Addresses, StackConfig, environment
from referral.local.postgres import Postgres, binaries
from referral.runtime import bootstrap
from referral.runtime.postgres import database, rights
from referral.runtime.postgres.rights import ROLES, WithoutRights
from referral.runtime.settings import CHECKOUT, SERVICES, Settings
from tests.harness.engines import by_hand, connecting

pytestmark = pytest.mark.servers

KEYS = "SELECT case_id FROM keys.case_key"
UNDONE = {
    "audit": ("ALTER TABLE audit.entry DISABLE TRIGGER append_only", "DROP TRIGGER only_longer ON audit.tile"),
    "oversight": ("DROP TRIGGER append_only ON oversight.release",),
}
"""What a service could do as the owner of its tables (finding F7)."""


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Settings]:
    """A server of its own, with the database of a stack, not prepared."""
    server = Postgres(tmp_path / "postgres")
    try:
        await asyncio.to_thread(server.start)
        url = await stacks._own_database(server)
        yield Settings(
            kafka="",
            database=url,
            database_passwords=tmp_path / "passwords",
            master_key_file=tmp_path / "none",
            instance="t",
            drill_clock=True,
        )
    finally:
        server.stop()


def reached(settings: Settings, service: str) -> dict[str, list[str]]:
    """What a process reaches that has the environment of one service, as the supervisor makes it, and no other variable."""
    none = Path("/none")
    at = Addresses("", settings.database, "", "", "", *[none] * 7, passwords=settings.database_passwords)
    variables = environment(StackConfig(data=none), at, service)
    command = [sys.executable, "-m", "tests.harness.reached"]
    found = subprocess.run(command, env=variables, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    return dict(json.loads(found.stdout))


async def attempt(settings: Settings, role: str, statement: str) -> bool:
    """Whether a role may do it; nothing is kept."""
    line = await asyncpg.connect(database.url(settings, role).render_as_string(hide_password=False).replace("+asyncpg", ""))
    try:
        await line.execute(f"BEGIN; {statement}; ROLLBACK")
    except asyncpg.InsufficientPrivilegeError:
        return False
    finally:
        await line.close()
    return True


async def test_the_environment_of_a_service_opens_its_own_role_and_no_other(own: Settings) -> None:
    await bootstrap.prepare_database(own)
    named = {role: {r.name for r in rights.wanted() if r.role == role and "." in r.name and r.verb != "EXECUTE"} for role in ROLES}
    for service in SERVICES:
        found = await asyncio.to_thread(reached, own, service)
        assert found["doors"] == [f"{service}@referral"]
        assert set(found["tables"]) == named[service]


async def test_an_installation_of_before_is_walled_in_by_prepare(own: Settings) -> None:
    """All roles have one password, and each owns its schema; intake owns the keys, which all may read."""
    await bootstrap.prepare_database(own)
    shared = structs.replace(own, database_passwords=own.master_key_file.with_name("shared"))
    assert shared.database_passwords is not None
    shared.database_passwords.mkdir()
    async with by_hand(own) as tx:
        for role in ROLES:
            (shared.database_passwords / role).write_text("one-for-all")
            (shared.database_passwords / role).chmod(0o600)
            await tx.exec_driver_sql(f"ALTER ROLE {role} PASSWORD 'one-for-all'")
        for service in SERVICES:
            await tx.exec_driver_sql(f"REASSIGN OWNED BY {service}_owner TO {service}")
        await tx.exec_driver_sql("DROP FUNCTION keys.wrapped, keys.erase; REASSIGN OWNED BY keys_owner TO intake".partition(";")[0])
        await tx.exec_driver_sql("REASSIGN OWNED BY keys_owner TO intake")
        await tx.exec_driver_sql("GRANT SELECT ON keys.case_key TO routing, notifier, audit, oversight")
    for role, statements in UNDONE.items():
        assert [statement for statement in statements if not await attempt(shared, role, statement)] == []
    assert all([await attempt(shared, role, KEYS) for role in SERVICES if role != "eraser"])
    async with connecting(database.engine(shared, "audit")) as tx:
        with pytest.raises(Misconfigured, match="the role audit could switch off what protects its tables"):
            await rights.check(tx, "audit")

    with pytest.raises(Rejected, match="have the same password"):
        await bootstrap.prepare_database(shared)
    await bootstrap.prepare_database(own)

    for role, statements in UNDONE.items():
        assert [statement for statement in statements if await attempt(own, role, statement)] == []
    assert not any([await attempt(own, role, KEYS) for role in ROLES])
    for role in ROLES:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await attempt(shared, role, "SELECT 1")
        async with connecting(database.engine(own, role)) as tx:
            await rights.check(tx, role)
    async with by_hand(own) as tx:
        assert await rights.differences(tx) == []


async def test_a_dump_restored_under_the_wrong_role_is_refused_until_it_is_prepared(own: Settings, tmp_path: Path) -> None:
    await bootstrap.prepare_database(own)
    url = make_url(own.database)
    shell = {**os.environ, "PGPASSFILE": str(url.query["passfile"])}

    def tool(*words: str) -> None:
        where = ["-h", str(url.query["host"]), "-U", str(url.username)]
        subprocess.run([str(binaries() / words[0]), *where, *words[1:]], check=True, capture_output=True, env=shell)

    async def restored(*words: str) -> None:
        await asyncio.to_thread(tool, "dropdb", "--force", "referral")
        await asyncio.to_thread(tool, "createdb", "referral")
        await asyncio.to_thread(tool, "pg_restore", "-d", "referral", *words, str(tmp_path / "dump"))

    await asyncio.to_thread(tool, "pg_dump", "-Fc", "-f", str(tmp_path / "dump"), "referral")
    await restored()
    async with connecting(database.engine(own, "audit")) as tx:
        await rights.check(tx, "audit")  # a whole restore brings owners and rights along
    await restored("--no-owner", "--no-privileges")
    async with connecting(database.engine(own, "audit")) as tx:
        with pytest.raises(WithoutRights, match=r"the role audit lacks rights in it: audit .* more; run `referral prepare`"):
            await rights.check(tx, "audit")
    await bootstrap.prepare_database(own)
    for role in ROLES:
        async with connecting(database.engine(own, role)) as tx:
            await rights.check(tx, role)


async def test_an_administrator_who_is_no_superuser_prepares_a_database_of_their_own(own: Settings) -> None:
    """What a hosted server gives its customer: a role that may make roles, and a database that belongs to it."""
    async with connecting(database.admin(own)) as line:
        away = await line.execution_options(isolation_level="AUTOCOMMIT")
        await away.exec_driver_sql("CREATE ROLE keeper LOGIN CREATEROLE PASSWORD 'kept'")
        await away.exec_driver_sql("CREATE DATABASE hosted OWNER keeper")
    url = make_url(own.database).difference_update_query(["passfile"]).set(username="keeper", password="kept", database="hosted")
    hosted = structs.replace(own, database=url.render_as_string(hide_password=False))
    left = await bootstrap.prepare_database(hosted)
    assert left == await bootstrap.prepare_database(hosted) and {one.said.split()[0] for one in left} == {"everybody", *ROLES}
    superuser = make_url(own.database).set(database="hosted").render_as_string(hide_password=False)
    async with by_hand(structs.replace(own, database=superuser)) as tx:
        await (await tx.get_raw_connection()).driver_connection.execute((CHECKOUT / "deploy" / "postgres" / "bounds.sql").read_text())
    assert await bootstrap.prepare_database(hosted) == []
    for role in ROLES:
        async with connecting(database.engine(hosted, role)) as tx:
            await rights.check(tx, role)
    async with by_hand(hosted) as tx:
        assert await rights.differences(tx) == []


async def test_a_password_may_hold_any_printable_sign_and_a_changed_file_changes_it(own: Settings) -> None:
    assert own.database_passwords is not None
    own.database_passwords.mkdir()
    for number, odd in enumerate(('it\'s \\ "here" $1 %s; --', "plain")):
        (own.database_passwords / "notifier").write_text(f"{odd}{number}\n")
        (own.database_passwords / "notifier").chmod(0o600)
        await bootstrap.prepare_database(own)
        assert await attempt(own, "notifier", "SELECT 1")
    assert all((own.database_passwords / role).stat().st_mode & 0o777 == 0o600 for role in ROLES)
    alone = structs.replace(own, database_passwords=None, database_password_file=own.database_passwords / "notifier")
    assert await attempt(alone, "notifier", "SELECT 1")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await attempt(alone, "intake", "SELECT 1")


async def test_a_server_that_asks_for_no_password_is_refused(own: Settings, tmp_path: Path) -> None:
    await bootstrap.prepare_database(own)
    (tmp_path / "postgres" / "pg_hba.conf").write_text("local all audit trust\nlocal all all scram-sha-256\n")
    async with by_hand(own) as tx:
        await tx.exec_driver_sql("SELECT pg_reload_conf()")

    async def refused() -> str:
        try:
            await bootstrap.prepare_database(own)
        except Rejected as error:
            return error.hint
        return ""

    async with asyncio.timeout(30):
        while not (hint := await refused()):  # the server reads the file a moment later
            await asyncio.sleep(0.05)
    assert hint == "audit: the server lets the role in with any password: write `scram-sha-256` for it into pg_hba.conf"


async def test_data_of_a_release_without_passwords_gets_them(tmp_path: Path) -> None:
    """And a copy of the data folder, beside another password file."""
    server = Postgres(tmp_path / "postgres")
    await asyncio.to_thread(server.start)
    server.stop()
    (tmp_path / "postgres" / "data" / "administrator.set").unlink()
    server.passfile.unlink()
    try:
        url = await asyncio.to_thread(server.start)
        line = await asyncpg.connect(url.replace("+asyncpg", ""))
        await line.close()
        bad = make_url(url).difference_update_query(["passfile"]).render_as_string().replace("+asyncpg", "")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(bad, password="", passfile="/none")
    finally:
        server.stop()
    assert replace(StackConfig(data=tmp_path), passwords=tmp_path).passwords == tmp_path
