"""Roles of the database: one that owns each schema, one that each program logs in as, and a password of its own for each of those."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.errors import Rejected
from referral.runtime.postgres import database, role_passwords
from referral.runtime.postgres.rights import OWNERS, ROLES
from referral.runtime.settings import SERVICES, Settings

# Roles belong to the cluster, and another `prepare` may run now.
_CREATE = "DO $$ BEGIN CREATE ROLE {role} {login}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
INHERITS = 160000
"""First version of PostgreSQL in which whoever makes a role is not its member with all that this means (ours begin with 15)."""
_VERSION = text("SELECT current_setting('server_version_num')::int")
_SUPERUSER = text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
# Everything in the schemas that another role owns. A sequence goes with its table.
_MOVES = text(
    "SELECT format('ALTER SCHEMA %I OWNER TO %I', n.nspname, n.nspname || '_owner') FROM pg_namespace n"
    " WHERE n.nspname = ANY(:schemas) AND n.nspowner <> to_regrole(n.nspname || '_owner')"
    " UNION ALL SELECT format('ALTER %s %I.%I OWNER TO %I', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,"
    " n.nspname, c.relname, n.nspname || '_owner') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p', 'v') AND c.relowner <> to_regrole(n.nspname || '_owner')"
    " UNION ALL SELECT format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, n.nspname || '_owner')"
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
    " WHERE n.nspname = ANY(:schemas) AND p.proowner <> to_regrole(n.nspname || '_owner')"
)
_PASSWORD = text("SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', CAST(:role AS text), CAST(:verifier AS text))")
UNASKED = "the server lets the role in with any password: write `scram-sha-256` for it into pg_hba.conf"


def passwords(settings: Settings, *, make: bool = False) -> dict[str, str]:
    """Return the runtime roles' passwords, from the folder that the settings name. make: make missing ones.

    Rejected: the setting, a file or a password is missing or unfit, or two roles, or one and the administrator, share a password.
    """
    folder = settings.database_passwords
    if folder is None:
        hint = "name a folder for the passwords of the services' roles, one file each; `referral prepare` makes missing ones"
        raise Rejected("missing", role_passwords.FOLDER, hint)
    found = role_passwords.ensure(folder, ROLES) if make else role_passwords.known(folder, ROLES)
    administrator = database.administrator(settings).password
    for role, password in found.items():
        if password == administrator:
            hint = f"{role} has the administrator's password: remove its file and prepare again"
            raise Rejected("shared-password", role_passwords.FOLDER, hint)
    return found


async def create(tx: AsyncConnection) -> None:
    """Create the roles that do not exist, and let an administrator who is no superuser act as the owners."""
    for role in OWNERS:
        await tx.exec_driver_sql(_CREATE.format(role=role, login="NOLOGIN"))
    for role in ROLES:
        await tx.exec_driver_sql(_CREATE.format(role=role, login="LOGIN"))
    if not (await tx.execute(_SUPERUSER)).scalar_one():
        options = " WITH INHERIT TRUE, SET TRUE" if (await tx.execute(_VERSION)).scalar_one() >= INHERITS else ""
        for role in (*OWNERS, *ROLES):
            await tx.exec_driver_sql(f"GRANT {role} TO CURRENT_USER{options}")


async def own(tx: AsyncConnection) -> None:
    """Create the services' schemas, and give everything in them to their owners, whoever owns it: a service, or the one who restored it."""
    for service in SERVICES:
        await tx.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {service}_owner")
    for (statement,) in (await tx.execute(_MOVES, {"schemas": [*SERVICES, "keys"]})).all():
        await tx.exec_driver_sql(statement)


async def set_passwords(engine: AsyncEngine, settings: Settings, passwords: Mapping[str, str]) -> None:
    """Give each role the password of its file, unless it has it. Rejected: the server does not ask for it, or still refuses it."""
    for role, password in passwords.items():
        if not await _logs_in(settings, role, password):
            async with engine.begin() as tx:
                values = {"role": role, "verifier": role_passwords.verifier(password)}
                statement = (await tx.execute(_PASSWORD, values)).scalar_one()
                await tx.exec_driver_sql(statement)
    if problems := await differences(settings, passwords):
        raise Rejected("password", role_passwords.FOLDER, problems[0])


async def differences(settings: Settings, passwords: Mapping[str, str]) -> list[str]:
    """Return each role for which the server does not ask the password of its file, and that one alone, in words."""
    found = []
    for role, password in passwords.items():
        right, wrong = await asyncio.gather(_logs_in(settings, role, password), _logs_in(settings, role, secrets.token_urlsafe(16)))
        if wrong:
            found.append(f"{role}: {UNASKED}")
        elif not right:
            found.append(f"{role}: the server refuses the password of its file: `referral prepare` sets it")
    return found


async def _logs_in(settings: Settings, role: str, password: str) -> bool:
    """Return whether the server lets a role in with a password. OSError: the server is away."""
    address, tls = database.encrypted(make_url(settings.database), settings.tls)
    try:
        connection = await asyncpg.connect(**_arguments(address), **tls, user=role, password=password, timeout=database.CONNECT)
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
        return False
    except asyncpg.InsufficientPrivilegeError:
        return True  # it got past the password; this database is not open to it yet
    await connection.close()
    return True


def _arguments(address: URL) -> dict[str, Any]:
    """Return the driver's own words for an address, which may name several servers, without its user."""
    _, arguments = address.get_dialect()().create_connect_args(address)
    return {name: value for name, value in arguments.items() if value and name not in ("user", "password", database.PASSFILE)}
