"""Each role of the database may do what rights.yaml says on a real server, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import TypeAlias

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from referral.errors import Misconfigured
from referral.runtime import bootstrap
from referral.runtime.keys import case_keys
from referral.runtime.postgres import database, rights, stored_code
from referral.runtime.postgres.rights import ROLES, Right
from referral.runtime.settings import Settings
from tests.harness.engines import by_hand, connecting

pytestmark = pytest.mark.servers

LEAST = 400
"""Probes that the issue asks for."""
Line: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Columns = Mapping[str, tuple[str, ...]]


@pytest.fixture
async def admin(bare: Settings) -> AsyncIterator[Line]:
    line = await asyncpg.connect(bare.database.replace("+asyncpg", ""))
    yield line
    await line.close()


async def columns(admin: Line) -> Columns:
    """Table or view → its columns, of every schema of ours."""
    sql = (
        "SELECT n.nspname || '.' || c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'v') GROUP BY 1"
    )
    return {row["name"]: tuple(row["columns"]) for row in await admin.fetch(sql, list(rights.SCHEMAS))}


def probes(tables: Columns) -> dict[Right, str]:
    """One statement for each verb, table and column, without a role. None of them finds a row. A table of which some role may fill in some
    columns is probed by each of them."""
    found, parted = {}, {right.name for right in rights.wanted() if right.verb == "INSERT" and right.column}
    for name, names in tables.items():
        if name not in parted:
            found[Right("", name, "INSERT")] = f"INSERT INTO {name} DEFAULT VALUES"
        found[Right("", name, "DELETE")] = f"DELETE FROM {name} WHERE false"
        found[Right("", name, "TRUNCATE")] = f"TRUNCATE {name}"
        found[Right("", name, "TRIGGER")] = f"ALTER TABLE {name} DISABLE TRIGGER ALL"
        found[Right("", name, "DROP")] = f"DROP TABLE {name} CASCADE"
        for column in names:
            found[Right("", name, "SELECT", column)] = f'SELECT "{column}" FROM {name} WHERE false'
            if name in parted:
                found[Right("", name, "INSERT", column)] = f'INSERT INTO {name} ("{column}") VALUES (DEFAULT)'
            found[Right("", name, "UPDATE", column)] = f'UPDATE {name} SET "{column}" = DEFAULT WHERE false'
    return found


async def allows(line: Line, statement: str) -> bool:
    """Whether the server does it, or refuses it for another reason than its rights: a constraint says that they were there."""
    change = line.transaction()
    await change.start()
    try:
        await line.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        return "row-level security" in str(error)  # else no right; with it, a permit is missing
    except (asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.WrongObjectTypeError, asyncpg.GeneratedAlwaysError):
        return False  # a view, or a column of one, that nobody can change
    except asyncpg.IntegrityConstraintViolationError:
        return True
    else:
        return True
    finally:
        await change.rollback()


async def logged_in(settings: Settings, role: str) -> Line:
    """A connection of a role with its own password."""
    return await asyncpg.connect(database.url(settings, role).render_as_string(hide_password=False).replace("+asyncpg", ""))


async def test_each_role_may_do_what_the_file_says_with_each_table_and_nothing_else(bare: Settings, admin: Line) -> None:
    asked, tables = Counter[bool](), await columns(admin)
    wrong = []
    for role in ROLES:
        line = await logged_in(bare, role)
        try:
            for probe, statement in probes(tables).items():
                given = {probe._replace(role=role), probe._replace(role=role, column="")} & rights.wanted()
                does = await allows(line, statement)
                asked[does] += 1
                if does is not bool(given):
                    wrong.append(f"{role}: {statement}: {'allowed' if does else 'refused'}")
        finally:
            await line.close()
    assert not wrong, wrong
    assert asked.total() >= LEAST and asked[True] >= 200, asked
    print(f"{asked.total()} probes of {len(ROLES)} roles and {len(tables)} tables: {asked[True]} allowed, {asked[False]} refused")


async def test_without_a_row_of_the_file_its_statement_is_refused(admin: Line) -> None:
    """Each row stands alone: no other right, no owner and no PUBLIC gives what it gives."""
    tables, every = await columns(admin), probes(await columns(admin))
    removed = 0
    for right in sorted(rights.wanted()):
        if right.verb in ("USAGE", "CONNECT", "EXECUTE"):
            continue
        on = [right.column] if right.column else tables[right.name] if right.verb in ("SELECT", "UPDATE") else [""]
        keys = [right._replace(role="", column=column) for column in on]
        held = admin.transaction()
        await held.start()
        column = f"({right.column})" if right.column else ""
        await admin.execute(f"REVOKE {right.verb} {column} ON {right.name} FROM {right.role}; SET LOCAL ROLE {right.role}")
        assert not [key for key in keys if await allows(admin, every[key])], right
        await held.rollback()
        removed += 1
    assert removed > 150


async def test_a_key_comes_by_the_id_of_its_case_alone(bare: Settings) -> None:
    master = case_keys.read(bare)
    async with connecting(database.engine(bare, "intake")) as intake:
        keys = await master.create_all(intake, ["case-1", "case-2"])
        await intake.commit()
    for role in ROLES:
        line = await logged_in(bare, role)
        try:
            assert not await allows(line, "SELECT count(*) FROM keys.case_key"), role
            for step in ("retire", "erase"):
                assert await allows(line, f"SELECT keys.{step}(ARRAY['case-0'])") is (role == "eraser"), (role, step)
            assert await allows(line, "SELECT * FROM keys.wrapped(ARRAY['case-1'])") is (role not in ("watchman", "eraser"))
        finally:
            await line.close()
    async with connecting(database.engine(bare, "routing")) as routing:
        assert await master.load(routing, ["case-1", "case-3"]) == {"case-1": keys["case-1"]}


async def test_prepare_takes_away_what_the_file_does_not_name_and_gives_what_it_does(bare: Settings) -> None:
    wrong = (
        "GRANT ALL ON audit.entry, keys.case_key TO audit",
        "GRANT UPDATE (root) ON audit.checkpoint TO notifier",
        "REVOKE INSERT ON audit.entry FROM audit",
        "GRANT SELECT ON intake.section TO PUBLIC",
        "GRANT intake_owner TO watchman",
    )
    async with by_hand(bare) as tx:
        assert await rights.differences(tx) == []
        for statement in wrong:
            await tx.exec_driver_sql(statement)
        found = await rights.differences(tx)
        assert {
            "watchman may act as intake_owner",
            "audit TRUNCATE audit.entry: a right too many",
            "audit SELECT keys.case_key: a right too many",
            "notifier UPDATE (root) audit.checkpoint: a right too many",
            "public SELECT intake.section: a right too many",
            "audit INSERT audit.entry: a right that is missing",
        } <= set(found)
        with pytest.raises(Misconfigured, match=r"the role watchman could switch off what protects its tables"):
            await rights.check(tx, "watchman")
        with pytest.raises(rights.WithoutRights, match=r"audit lacks rights in it: audit INSERT audit\.entry; run `referral prepare`"):
            await rights.check(tx, "audit")
        await tx.exec_driver_sql("REVOKE intake_owner FROM watchman")  # roles belong to the server: other tests use them
    await bootstrap.prepare_database(bare)
    async with by_hand(bare) as tx:
        assert await rights.differences(tx) == []
        for role in ROLES:
            await rights.check(tx, role)


async def test_after_the_release_before_has_gone_each_role_has_its_own_rights_again(bare: Settings) -> None:
    """PostgreSQL takes the rights on columns away with the right on their table, which only the release before needs."""
    async with by_hand(bare) as tx:
        await rights.apply(tx, rights.beside_older())
        await rights.apply(tx, rights.wanted())
        assert await rights.differences(tx) == []


async def test_a_role_that_owns_its_tables_does_not_start(bare: Settings) -> None:
    """As after a dump of an older release, or one that was restored as a service's role."""
    async with by_hand(bare) as tx:
        await tx.exec_driver_sql("ALTER TABLE audit.entry OWNER TO audit")
    async with connecting(database.engine(bare, "audit")) as tx:
        with pytest.raises(Misconfigured, match=r"\(audit owns audit\.entry\): stop the services and run `referral prepare`"):
            await rights.check(tx, "audit")
    await bootstrap.prepare_database(bare)
    async with connecting(database.engine(bare, "audit")) as tx:
        await rights.check(tx, "audit")
    assert make_url(bare.database).username == "postgres"


async def test_the_database_runs_what_the_migrations_made_and_nothing_else(bare: Settings) -> None:
    """Whoever adds a function or trigger names it in rights.yaml: the first assertion shows the lines."""
    async with by_hand(bare) as tx:
        has = await stored_code.there(tx)
        lines = "\n".join(f'  "{name}": "{code}"' for name, code in sorted(has.items()) if stored_code.wanted().get(name) != code)
        assert has == stored_code.wanted(), f"rights.yaml, section code:\n{lines}"
        assert await stored_code.differences(tx) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("CREATE FUNCTION audit.x() RETURNS int LANGUAGE sql AS 'SELECT 1'", "audit.x(): no migration made it"),
        (
            "CREATE TRIGGER x BEFORE INSERT ON audit.reading EXECUTE FUNCTION audit.refuse()",
            "trigger x on audit.reading: no migration made it",
        ),
        ("CREATE RULE x AS ON DELETE TO routing.alarm DO INSTEAD NOTHING", "rule x on routing.alarm: no migration made it"),
        ("ALTER TABLE audit.entry DISABLE TRIGGER append_only", "trigger append_only on audit.entry: not as the migration made it"),
        ("DROP TRIGGER append_only ON audit.entry", "trigger append_only on audit.entry: missing"),
        ("CREATE OR REPLACE FUNCTION runtime.clock() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'", "runtime.clock(): not as"),
    ],
)
async def test_a_program_that_the_administrator_puts_into_the_database_is_named(bare: Settings, change: str, said: str) -> None:
    async with by_hand(bare) as tx:
        await tx.exec_driver_sql(change)
        assert [found[: len(said)] for found in await stored_code.differences(tx)] == [said]
