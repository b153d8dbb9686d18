"""Check that a service's tables are those of this release, or of a later one: migrations only add, so an older program can use them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Unavailable
from referral.runtime.settings import CHECKOUT, LINE

RUNTIME = Path(__file__).parent.parent / "migrations"
"""Migrations of the consumer loop's tables, which each service of the line has in its own schema."""
_VERSION = {
    "runtime_version": text("SELECT max(version_num) FROM runtime_version"),
    "version": text("SELECT max(version_num) FROM version"),
}
"""Alembic's tables, in the schema of the service, which its search path begins with."""
_THERE = text("SELECT to_regclass(:table) IS NOT NULL AND has_table_privilege(:table, 'SELECT')")


class OlderSchema(Unavailable):
    """This release's tables are not made yet. Run `referral prepare` of this release. Services resume on their own."""

    def __init__(self, table: str, stored: str, needed: str) -> None:
        super().__init__(f"the tables of this release ({table} is {stored or 'not there'}, {needed} is needed; run its `referral prepare`)")


def folders(service: str) -> dict[str, Path]:
    """Return the folders of a service's migrations: the table that stores the version → folder, in the order in which they run."""
    own = CHECKOUT / "services" / service / "migrations"
    loop = {"runtime_version": RUNTIME} if service in LINE else {}
    return loop | ({"version": own} if (own / "versions").is_dir() else {})


@cache
def needed(folder: Path) -> str:
    """Return the revision that a folder's migrations end with: files are called NNNN_title.py, NNNN is the revision."""
    return max(file.name[:4] for file in (folder / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


async def check(tx: AsyncConnection, service: str) -> None:
    """Check the version of a service's tables. OlderSchema: this release's migrations have not run. A later version is no fault."""
    for name, folder in folders(service).items():
        table = f"{service}.{name}"
        stored = ""
        if (await tx.execute(_THERE, {"table": table})).scalar_one():
            stored = (await tx.execute(_VERSION[name])).scalar() or ""
        if stored < needed(folder):
            raise OlderSchema(table, stored, needed(folder))
