"""A process that tries to get as far into the database as its environment lets it: `python -m tests.harness.reached`, its finds as JSON.

It holds what a service's process holds, and nothing else: somebody took the service over, and runs code of their own there.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from referral.runtime.postgres.rights import OWNERS, ROLES

DATABASES = ("", "postgres", "template1")
"""Databases to try: the one of the address, and those that every server has."""


async def reached(environment: dict[str, str]) -> dict[str, list[str]]:
    """Every `role@database` that lets this process in, and every table that it reads there or may write to."""
    url = make_url(environment["REFERRAL_DATABASE"])
    file = environment.get("REFERRAL_DATABASE_PASSWORD_FILE")
    secrets = {url.password, Path(file).read_text().strip() if file else None, "", "postgres"}
    doors, tables = set(), set()
    for role, database, secret in itertools.product((*ROLES, *OWNERS, "postgres"), DATABASES, secrets):
        words: dict[str, Any] = {"host": url.host, "port": url.port, **url.query, "user": role, "password": secret}
        words["database"] = database or url.database
        try:
            line = await asyncpg.connect(**{word: value for word, value in words.items() if value is not None}, timeout=10)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            continue
        try:
            doors.add(f"{role}@{database or 'referral'}")
            tables |= {row[0] for row in await line.fetch(MAY)}
        finally:
            await line.close()
    return {"doors": sorted(doors), "tables": sorted(tables)}


MAY = (
    "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND has_schema_privilege(n.oid, 'USAGE')"
    " AND (has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(c.oid, 'DELETE, TRUNCATE, TRIGGER'))"
)

if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(reached(dict(os.environ)))))
