"""Rights of the runtime roles: the file rights.yaml, what the catalogue of a database says, and the statements that lead from one to other.

A runtime role owns nothing, so it has what the file gives it and no more. `referral prepare` applies the file, `referral doctor` compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Misconfigured, Unavailable
from referral.runtime.settings import LINE, SERVICES

FILE = Path(__file__).with_name("rights.yaml")
WATCHMAN = "watchman"
"""Role of the watchman: it has no schema, and reads one view of counters."""
ROLES = (*SERVICES, WATCHMAN)
"""The runtime roles: each program logs in as the one of its own name."""
OWNERS = tuple(f"{schema}_owner" for schema in (*SERVICES, "keys"))
"""Roles that own a schema and what is in it. Nobody logs in as one of them; `referral prepare` acts as them."""
SCHEMAS = (*SERVICES, "keys", "runtime")
EVERYBODY = "public"
"""PostgreSQL's word for all roles. The file gives it functions that reveal nothing."""
DATABASE = "database"
"""Name of the database itself in a right, whatever it is called."""
_VERB = re.compile(r"([A-Z]+)(?:\(([a-z_, ]+)\))?")
_TABLES = text(
    "SELECT lower(coalesce(r.rolname, 'public')) AS role, n.nspname || '.' || c.relname AS name, a.privilege_type AS verb, '' AS part"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee"
    " WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND a.grantee <> c.relowner"
    " UNION ALL SELECT lower(coalesce(r.rolname, 'public')), n.nspname || '.' || c.relname, a.privilege_type, t.attname"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute t ON t.attrelid = c.oid AND t.attacl IS NOT NULL"
    " CROSS JOIN LATERAL aclexplode(t.attacl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee"
    " WHERE n.nspname = ANY(:schemas) AND a.grantee <> c.relowner"
    " UNION ALL SELECT lower(coalesce(r.rolname, 'public')), n.nspname || '.' || p.proname, a.privilege_type, ''"
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
    " CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee"
    " WHERE n.nspname = ANY(:schemas) AND a.grantee <> p.proowner AND p.prorettype <> 'trigger'::regtype"
    " UNION ALL SELECT lower(coalesce(r.rolname, 'public')), n.nspname, a.privilege_type, '' FROM pg_namespace n"
    " CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee"
    " WHERE n.nspname = ANY(:schemas) AND a.grantee <> n.nspowner"
    " UNION ALL SELECT lower(coalesce(r.rolname, 'public')), :database, a.privilege_type, '' FROM pg_database d"
    " CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee"
    " WHERE d.datname = current_database() AND a.grantee <> d.datdba"
)
_OWNS = text(
    "SELECT r.rolname AS role, n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_roles r ON r.oid = c.relowner AND c.relkind IN ('r', 'p', 'v') WHERE n.nspname = ANY(:schemas) AND r.rolname = ANY(:roles)"
    " UNION ALL SELECT r.rolname, n.nspname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner"
    " WHERE n.nspname = ANY(:schemas) AND r.rolname = ANY(:roles) ORDER BY 1, 2"
)
_ABOVE = text(
    "SELECT r.rolname AS role, coalesce(o.rolname, 'a superuser') AS is FROM pg_roles r"
    " LEFT JOIN pg_roles o ON o.rolname = ANY(:owners) AND pg_has_role(r.oid, o.oid, 'MEMBER')"
    " WHERE r.rolname = ANY(:roles) AND (o.rolname IS NOT NULL OR r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication)"
    " ORDER BY 1, 2"
)


_ROWS = text(
    "SELECT n.nspname || '.' || c.relname AS name, c.relrowsecurity AS on, ARRAY(SELECT CAST(p.polname AS text) FROM pg_policy p"
    " WHERE p.polrelid = c.oid ORDER BY 1) AS policies FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ANY(:schemas) AND (n.nspname || '.' || c.relname = ANY(:tables) OR c.relrowsecurity)"
)


class WithoutRights(Unavailable):
    """A service's role lacks rights in this database: it was restored, or this release has not prepared it. The service does nothing there.

    Run `referral prepare`. Services resume on their own.
    """

    def __init__(self, role: str, missing: str) -> None:
        super().__init__(f"a prepared database (the role {role} lacks rights in it: {missing}; run `referral prepare`)")


class Right(NamedTuple):
    """One right of one role.

    name: DATABASE, a schema, or schema.table or schema.function.
    verb: SELECT INSERT UPDATE DELETE of a table, EXECUTE of a function, USAGE of a schema, CONNECT of the database.
    column: the one column to which the right is limited; empty: all.
    """

    role: str
    name: str
    verb: str
    column: str = ""

    def __str__(self) -> str:
        return f"{self.role} {self.verb}{f' ({self.column})' if self.column else ''} {self.name}"


@cache
def wanted() -> frozenset[Right]:
    """Return every right that the file gives."""
    return parse(FILE.read_text("utf-8"))


@cache
def beside_older() -> frozenset[Right]:
    """Return every right that the file gives, with those of the release before, while that one runs too."""
    whole = yaml.safe_load(FILE.read_text("utf-8"))
    return wanted() | parse(yaml.safe_dump({"loop": {}, "roles": whole["before"]}))


def parse(file: str) -> frozenset[Right]:
    """Return the rights in the text of a rights file. Each role may connect, and use each schema in which the file gives it something."""
    whole = yaml.safe_load(file)
    found = {Right(role, DATABASE, "CONNECT") for role in whole["roles"]}
    for role, names in whole["roles"].items():
        loop = {f"{role}.{table}": verbs for table, verbs in whole["loop"].items()} if role in LINE else {}
        for name, verbs in {**loop, **names}.items():
            for verb, columns in _VERB.findall(verbs):
                found |= {Right(role, name, verb, column.strip()) for column in columns.split(",")}
            found.add(Right(role, name.partition(".")[0], "USAGE"))
    return frozenset(right for right in found if right.role != EVERYBODY or right.verb == "EXECUTE")


async def held(tx: AsyncConnection) -> frozenset[Right]:
    """Return every right that the runtime roles and PUBLIC have in this database. An owner's rights are no rights: see `above`."""
    rows = (await tx.execute(_TABLES, {"schemas": list(SCHEMAS), "database": DATABASE})).all()
    return frozenset(Right(*row) for row in rows if row.role in (*ROLES, EVERYBODY))


async def above(tx: AsyncConnection, roles: Iterable[str] = ROLES) -> list[str]:
    """Return why runtime roles could undo what protects the tables: each that owns something, may act as an owner, or is a superuser."""
    values = {"schemas": list(SCHEMAS), "roles": list(roles)}
    found = [f"{row.role} owns {row.name}" for row in await tx.execute(_OWNS, values)]
    return found + [f"{row.role} may act as {row[1]}" for row in await tx.execute(_ABOVE, {"roles": list(roles), "owners": list(OWNERS)})]


@cache
def guarded() -> dict[str, list[str]]:
    """Return each table whose rows are seen by permit alone → the names of its policies."""
    return {table: sorted(policies.split()) for table, policies in yaml.safe_load(FILE.read_text("utf-8"))["rows"].items()}


async def unguarded(tx: AsyncConnection, schemas: Iterable[str] = SCHEMAS) -> list[str]:
    """Return in words where the row rights of these schemas differ from the file: switched off, or with other policies."""
    found = []
    for row in await tx.execute(_ROWS, {"schemas": list(schemas), "tables": list(guarded())}):
        if not row.on:
            found.append(f"{row.name} shows every row")
        if sorted(row.policies) != guarded().get(row.name, []):
            found.append(f"{row.name} has the row policies: {', '.join(row.policies) or 'none'}")
    return found


async def differences(tx: AsyncConnection) -> list[str]:
    """Return in words where the database differs from the file, the worst first."""
    there, right = await held(tx), wanted()
    more = [f"{each}: a right too many" for each in sorted(there - right)]
    return [*await above(tx), *await unguarded(tx), *more, *(f"{each}: a right that is missing" for each in sorted(right - there))]


async def apply(tx: AsyncConnection, right: frozenset[Right]) -> None:
    """Give the roles these rights, and take everything else."""
    database = (await tx.execute(text("SELECT quote_ident(current_database())"))).scalar_one()
    for each in sorted(await held(tx) - right):
        await tx.exec_driver_sql(_statement("REVOKE", each, "FROM", database))
    for each in sorted(right - await held(tx)):  # asked anew: a right on a table takes those on its columns along
        await tx.exec_driver_sql(_statement("GRANT", each, "TO", database))
    for row in await tx.execute(_ROWS, {"schemas": list(SCHEMAS), "tables": list(guarded())}):
        if not row.on:
            await tx.exec_driver_sql(f"ALTER TABLE {row.name} ENABLE ROW LEVEL SECURITY")
        for policy in set(row.policies) - set(guarded().get(row.name, ())):
            await tx.exec_driver_sql(f'DROP POLICY "{policy}" ON {row.name}')


def _statement(verb: str, right: Right, towards: str, database: str) -> str:
    """Return a GRANT or REVOKE. Its names are those of the file and the catalogue, in quotes."""
    schema, _, name = right.name.partition(".")
    column = f' ("{right.column}")' if right.column else ""
    if right.name == DATABASE:
        on = f"DATABASE {database}"
    elif not name:
        on = f'SCHEMA "{schema}"'
    else:
        on = f'{"FUNCTION" if right.verb == "EXECUTE" else "TABLE"} "{schema}"."{name}"'
    role = "PUBLIC" if right.role == EVERYBODY else f'"{right.role}"'
    return f"{verb} {right.verb}{column} ON {on} {towards} {role}"


async def check(tx: AsyncConnection, role: str) -> None:
    """Check at start that a service's role has its rights and no way around them. A dump that another role restored stops here.

    Misconfigured: it owns tables, may act as their owner, or sees rows without a permit. WithoutRights: it lacks some.
    """
    if found := await above(tx, [role]):
        remedy = "stop the services and run `referral prepare`, which gives every table to its owner"
        raise Misconfigured(f"the role {role} could switch off what protects its tables ({_few(found)}): {remedy}")
    if found := await unguarded(tx, [role]):
        raise Misconfigured(f"the role {role} could see rows without a permit ({_few(found)}): run `referral prepare`")
    there = await held(tx)
    if missing := sorted(right for right in wanted() - there if right.role == role and right.name != DATABASE):
        raise WithoutRights(role, _few(missing))


def _few(found: Iterable[object]) -> str:
    """Return the first of several findings, and the number of the others."""
    first, *others = map(str, found)
    return f"{first}, and {len(others)} more" if others else first
