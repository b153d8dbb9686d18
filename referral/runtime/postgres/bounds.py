"""Bounds of what a role takes from the others: PostgreSQL's functions for everybody, other databases, connections, temporary files.

rights.yaml names them, `referral prepare` applies them, `referral doctor` compares (docs/decisions/0068).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.postgres.rights import FILE, ROLES
from referral.runtime.settings import LINE

MONITOR = "pg_monitor"
"""PostgreSQL's own role of monitoring programs."""
OTHERS = "postgres template1"
"""Databases that every server has and everybody may enter: a lock there takes room from all, a large object there fills the same disk."""
_OPEN = text(  # a function is open if PUBLIC, or a role of ours, may call it
    "SELECT p.proname AS name, count(*) OVER () AS many FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace"
    " AND p.proname ~ :pattern AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
    " WHERE a.grantee = 0 OR a.grantee::regrole::text = ANY(:roles)) ORDER BY 1 LIMIT 1"
)
_ENTERED = text(
    "SELECT d.datname AS name FROM pg_database d WHERE d.datname = ANY(:others) AND d.datname <> current_database() AND d.datallowconn"
    " AND EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE a.grantee = 0) ORDER BY 1"
)
_ROLES = text(
    "SELECT r.rolname AS role, r.rolconnlimit AS connections, coalesce((SELECT array_agg(c ORDER BY c) FROM pg_db_role_setting s,"
    " unnest(s.setconfig) c WHERE s.setrole = r.oid AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname ="
    " current_database()))), '{}') AS settings,"
    " has_parameter_privilege(current_user, 'temp_file_limit', 'SET') AS able FROM pg_roles r WHERE r.rolname = ANY(:roles) ORDER BY 1"
)
_RUNS = "SELECT '{0}' FROM {0}.instance WHERE alive_until > clock_timestamp() AND NOT bounded"
_BEFORE = text(" UNION ".join(map(_RUNS.format, LINE)))
"""The services of which a process of the release before runs, which calls what is closed."""
_MOST = text("SELECT current_setting('max_connections')::int")
_SUPERUSER = text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")


class Difference(NamedTuple):
    """One bound that does not hold.

    said: in words.
    remedy: the statement that sets it; empty: it cannot be set yet.
    superuser: only a superuser may run the statement.
    """

    said: str
    remedy: str
    superuser: bool = True


@cache
def _file() -> Mapping[str, Mapping[str, int]]:
    """Return the section of the rights file: connections, and settings, of each role."""
    found: Mapping[str, Mapping[str, int]] = yaml.safe_load(FILE.read_text("utf-8"))["bounds"]
    return found


def pattern(*parts: str) -> str:
    """Return a regular expression for the names of functions that some parts of the file name. parts: closed, shown."""
    return f"^({'|'.join(word for part in parts for word in str(_file()[part]).split())})$"


def connections(role: str, most: int) -> int:
    """Return how many connections a role may have. most: `max_connections` of the server."""
    return max(1, _file()["connections"][role] * most // 100)


async def differences(tx: AsyncConnection) -> list[Difference]:
    """Return each bound that does not hold in this database."""
    return [*await _functions(tx), *await _databases(tx), *await _roles(tx)]


async def apply(tx: AsyncConnection, *, beside_older: bool = False) -> list[Difference]:
    """Set the bounds, and return those that cannot be set: only a superuser may, or the release before still runs.

    beside_older: the services of the release before may call every function, for they begin or go on beside this one.
    """
    able = (await tx.execute(_SUPERUSER)).scalar_one()
    functions = await _closed_to_older(tx) if beside_older else await _functions(tx)
    found = [*functions, *await _databases(tx), *await _roles(tx)]
    left = [one for one in found if not one.remedy or (one.superuser and not able)]
    for one in found:
        if one not in left:
            await tx.exec_driver_sql(one.remedy)
    return left


async def _functions(tx: AsyncConnection) -> list[Difference]:
    found = (await tx.execute(_OPEN, {"pattern": pattern("closed", "shown"), "roles": list(ROLES)})).one_or_none()
    if found is None:
        return []
    said = f"everybody may call {found.name} and {found.many - 1} more functions of PostgreSQL that stop others or show when they work"
    if before := sorted((await tx.execute(_BEFORE)).scalars()):
        return [Difference(f"{said}: {', '.join(before)} of the release before still runs, and calls them", "")]
    administrator = (await tx.execute(text("SELECT quote_ident(current_user)"))).scalar_one()
    return [Difference(said, closing(administrator, ROLES))]


async def _closed_to_older(tx: AsyncConnection) -> list[Difference]:
    if not (await tx.execute(_REFUSED, {"pattern": pattern("closed", "shown"), "roles": list(LINE)})).scalar_one():
        return []
    remedy = _ALLOW.format(every=pattern("closed", "shown"), roles=", ".join(LINE))
    return [Difference("the release before may not call functions that it needs", remedy)]


_REFUSED = text(
    "SELECT EXISTS (SELECT FROM pg_proc p, unnest(CAST(:roles AS text[])) AS role WHERE p.pronamespace = 'pg_catalog'::regnamespace"
    " AND p.proname ~ :pattern AND NOT has_function_privilege(role, p.oid, 'EXECUTE'))"
)
_CLOSE = (
    "DO $$ DECLARE f regprocedure; who text; shown boolean; BEGIN FOR f, who, shown IN SELECT p.oid,"
    " CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, p.proname ~ '{shown}'"
    " FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
    " WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '{every}'"
    " AND (a.grantee = 0 OR a.grantee::regrole::text = ANY(string_to_array('{roles}', ' ')))"
    " LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM %s', f, who); EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {by}', f);"
    " IF shown THEN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {monitor}', f); END IF; END LOOP; END $$"
)


_ALLOW = (
    "DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
    " AND proname ~ '{every}' LOOP EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {roles}', f); END LOOP; END $$"
)
"""Opens the functions to our services; the next `prepare` closes them (`closing`)."""


def closing(by: str, roles: Iterable[str] = ()) -> str:
    """Return the statement that closes functions to everybody.

    by: the administrator, who keeps them: `prepare` takes an advisory lock. roles: those to which somebody may have given one.
    """
    every, shown = pattern("closed", "shown"), pattern("shown")
    return _CLOSE.format(by=by, every=every, shown=shown, roles=" ".join(roles), monitor=MONITOR)


def once(by: str) -> list[str]:
    """Return what a superuser runs once in a new database, so that its administrator, who is none, can set every bound. by: that one."""
    return [closing(by), *map(_SHUT.format, OTHERS.split()), *(f"GRANT SET ON PARAMETER {name} TO {by}" for name in _file()["settings"])]


_SHUT = (
    "DO $$ DECLARE r text; BEGIN REVOKE ALL ON DATABASE {0} FROM PUBLIC; FOR r IN SELECT quote_ident(rolname) FROM pg_roles"
    " WHERE rolreplication OR rolname = 'pg_monitor' LOOP EXECUTE 'GRANT CONNECT ON DATABASE {0} TO ' || r; END LOOP; END $$"
)
"""Shut a database to everybody but those who were made to read the whole server: archive, standbys, monitoring."""


async def _databases(tx: AsyncConnection) -> list[Difference]:
    names = (await tx.execute(_ENTERED, {"others": OTHERS.split()})).scalars()
    return [Difference(f"everybody may enter the database {name}", _SHUT.format(name)) for name in names]


async def _roles(tx: AsyncConnection) -> list[Difference]:
    found, most = [], (await tx.execute(_MOST)).scalar_one()
    settings = sorted(f"{name}={value}" for name, value in _file()["settings"].items())
    for row in await tx.execute(_ROLES, {"roles": list(ROLES)}):
        if row.connections != (limit := connections(row.role, most)):
            said = f"{row.role} may have {'any number of' if row.connections < 0 else row.connections} connections, not {limit}"
            found.append(Difference(said, f"ALTER ROLE {row.role} CONNECTION LIMIT {limit}", superuser=False))
        if list(row.settings) != settings:
            said = f"{row.role} has the settings {', '.join(row.settings) or 'none'}, not {', '.join(settings)}"
            anew = "".join(f"; ALTER ROLE {row.role} SET {name} = {value}" for name, value in _file()["settings"].items())
            here = "EXECUTE format('ALTER ROLE " + row.role + " IN DATABASE %I RESET ALL', current_database())"
            remedy = f"DO $$ BEGIN {here}; END $$; ALTER ROLE {row.role} RESET ALL{anew}"
            found.append(Difference(said, remedy, superuser=not row.able))
    return found
