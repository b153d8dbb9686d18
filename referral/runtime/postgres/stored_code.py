"""Programs that the database runs by itself: functions, triggers and rules in our schemas, held against rights.yaml.

A trigger runs with every statement of a service or a command, and answers in the place of whoever should have: one on `audit.reading` said
that a reading was logged. So the database may hold those of the migrations, as they wrote them, and no other.
"""

from __future__ import annotations

from functools import cache

import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.postgres.rights import FILE, SCHEMAS

HEX = 16
"""Hexadecimal digits of a function's digest in the file (ours): 64 bits, and whoever writes both at will may edit the file as well."""
_THERE = text(
    "SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,"
    " left(encode(sha256(convert_to(concat_ws(E'\\n', p.prosrc, l.lanname, p.prosecdef, array_to_string(p.proconfig, ',')), 'UTF8')),"
    " 'hex'), :hex) AS code FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang"
    " WHERE n.nspname = ANY(:schemas)"
    " UNION ALL SELECT 'trigger ' || t.tgname || ' on ' || n.nspname || '.' || c.relname,"
    " concat_ws(' ', f.nspname || '.' || p.proname, t.tgtype, t.tgenabled) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace"
    " WHERE n.nspname = ANY(:schemas) AND NOT t.tgisinternal"
    " UNION ALL SELECT 'rule ' || r.rulename || ' on ' || n.nspname || '.' || c.relname, concat_ws(' ', r.ev_type, r.ev_enabled)"
    " FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ANY(:schemas) AND NOT (c.relkind = 'v' AND r.rulename = '_RETURN')"
)


@cache
def wanted() -> dict[str, str]:
    """Return what the migrations make: name → digest of a function, or a trigger's function, kind and state."""
    found: dict[str, str] = yaml.safe_load(FILE.read_text("utf-8"))["code"]
    return found


async def there(tx: AsyncConnection) -> dict[str, str]:
    """Return what this database has, in the same form."""
    return {row.name: row.code for row in await tx.execute(_THERE, {"schemas": list(SCHEMAS), "hex": HEX})}


async def differences(tx: AsyncConnection) -> list[str]:
    """Return in words where the database differs from the file."""
    has, right = await there(tx), wanted()
    foreign = [f"{name}: no migration made it" for name in sorted(has.keys() - right.keys())]
    other = [
        f"{name}: not as the migration made it, or switched off" for name in sorted(has.keys() & right.keys()) if has[name] != right[name]
    ]
    return [*foreign, *other, *(f"{name}: missing" for name in sorted(right.keys() - has.keys()))]
