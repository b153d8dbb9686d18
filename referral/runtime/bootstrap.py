"""Create the roles, schemas, tables, rights and topics for `referral prepare`. Repeating it is harmless; it removes nothing but rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.util import await_only

from referral.errors import Rejected
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys, service_keys
from referral.runtime.postgres import bounds, database, locks, rights, roles
from referral.runtime.postgres.bounds import Difference
from referral.runtime.settings import CHECKOUT, LINE, SERVICES, Settings
from referral.wire import topics

RUNTIME = Path(__file__).parent / "migrations"
SHARED = (Path(__file__).parent / "shared.sql").read_text("utf-8")


async def prepare(settings: Settings) -> list[Difference]:
    """Create everything that the services need before they start, and return the bounds that `prepare_database` could not set.

    Rejected: a topic or the database differs from what is required.
    """
    left = await prepare_database(settings)
    await prepare_topics(settings)
    return left


async def prepare_topics(settings: Settings) -> None:
    """Create the topics. Rejected: one differs from what is required."""
    await clients.create_topics(settings)


async def prepare_database(settings: Settings) -> list[Difference]:
    """Create roles, schemas, tables and rights, take away rights that rights.yaml does not give, and write the services' key files.

    Returns the bounds that only a superuser may set, or that must wait for a process of the release before.

    Rejected: the database was prepared with other settings, or a role's password is unfit, or not its own.
    """
    passwords = roles.passwords(settings, make=True)
    if settings.service_keys is not None:
        service_keys.write(settings.service_keys, case_keys.master(settings))
    engine = database.admin(settings)
    event.listen(engine.sync_engine, "do_execute_no_params", _script)
    event.listen(engine.sync_engine, "do_execute", _script)
    try:
        async with engine.begin() as connection:
            await locks.prepare(connection)
            await roles.create(connection)
        await roles.set_passwords(engine, settings, passwords)
        async with engine.begin() as connection:
            await locks.prepare(connection)
            await connection.exec_driver_sql("SET LOCAL search_path = public")
            await connection.exec_driver_sql(SHARED)
            await roles.own(connection)
            await _remember(connection, "partitions", str(topics.PARTITIONS))
            await _remember(connection, "drill", "1" if settings.drill_clock else "0")
            for name in SERVICES:
                await connection.run_sync(_tables, name)
            await rights.apply(connection, rights.beside_older() if settings.beside_older else rights.wanted())
            return await bounds.apply(connection, beside_older=settings.beside_older)
    finally:
        await engine.dispose()


def _script(cursor: Any, statement: str, *rest: Any) -> bool | None:
    """Run a migration with several statements through asyncpg's simple protocol, the only one that accepts them."""
    if len(rest) == 2 and rest[0]:
        return None  # it has parameters, so it is one statement
    if ";" not in statement.rstrip().rstrip(";"):
        return None
    await_only(cursor._adapt_connection.driver_connection.execute(statement))
    return True


async def _remember(connection: AsyncConnection, name: str, value: str) -> None:
    """Store a setting that must never change, such as the number of partitions. Rejected: another value is stored."""
    await connection.execute(
        text("INSERT INTO runtime.settings VALUES (:name, :value) ON CONFLICT DO NOTHING"), {"name": name, "value": value}
    )
    stored = (await connection.execute(text("SELECT value FROM runtime.settings WHERE name = :name"), {"name": name})).scalar_one()
    if stored != value:
        raise Rejected("changed", f"runtime.settings.{name}", f"this database was prepared with {stored}; this program says {value}")


def _tables(connection: Connection, service: str) -> None:
    """Run the loop's migrations if the service has the loop, then its own, as the owner of its schema, which stores both versions."""
    connection.exec_driver_sql(f"SET LOCAL ROLE {service}_owner")
    connection.exec_driver_sql(f"SET LOCAL search_path = {service}, runtime")
    if service in LINE:
        _migrate(connection, RUNTIME, service, "runtime_version")
    own = CHECKOUT / "services" / service / "migrations"
    if (own / "versions").is_dir():
        _migrate(connection, own, service, "version")
    connection.exec_driver_sql("RESET ROLE")


def _migrate(connection: Connection, folder: Path, schema: str, version_table: str) -> None:
    """Run the migrations `versions/NNNN_*.py` of a folder, each with revision, down_revision and upgrade(), without an env.py."""
    from alembic.config import Config  # imported here: it takes 0.1 s, and most commands create no tables
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])
    head = script.get_current_head()

    def steps(revision: object, _: object) -> object:
        return script._upgrade_revs(head or "base", revision)  # type: ignore[arg-type]

    with EnvironmentContext(Config(), script, fn=steps, destination_rev=head) as context:
        context.configure(
            connection=connection, version_table=version_table, version_table_schema=quoted_name(schema, quote=None), transactional_ddl=True
        )
        context.run_migrations()
