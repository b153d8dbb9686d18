"""Words and digits that nobody else writes, the usual codings in which they could leave, and where to look for them."""

from __future__ import annotations

import json
import urllib.parse
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LEAST = 1_000_000
"""Least bytes in the folder of a stack that has run (ours): a broker's and a database's files alone are more."""
_TABLES = text(
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
    " AND has_table_privilege(format('%I.%I', table_schema, table_name), 'SELECT') ORDER BY 1, 2"
)


def codings(said: str) -> list[bytes]:
    """Return a text as it is, as JSON escapes it, as an address or a mail would, in UTF-16, in hexadecimal, and inside of base64."""
    plain = said.encode()
    escaped = json.dumps(said)[1:-1].encode()
    wide = [said.encode("utf-16-le"), said.encode("utf-16-be")]
    return [plain, escaped, urllib.parse.quote(said).encode(), *wide, plain.hex().encode(), *_inside(plain)]


def _inside(plain: bytes) -> list[bytes]:
    """Return its base64 for each of the three places at which it can begin, without the signs that depend on what stands beside it.

    A sign holds six bits. Fewer of them would be found by chance.
    """
    return [b64encode(bytes(before) + plain + bytes(2))[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6] for before in range(3)]


def in_files(folder: Path, *texts: str) -> list[str]:
    """Return the files below a stack's folder (broker, database with its log, logs, mails) that hold one of these texts, in any coding.

    AssertionError: there was hardly anything to search.
    """
    forms, looked, found = _forms(texts), 0, []
    for file in (one for one in folder.rglob("*") if one.is_file()):
        held = file.read_bytes()
        looked += len(held)
        if any(form in held for form in forms):
            found.append(str(file.relative_to(folder)))
    assert looked > LEAST, f"{looked} bytes in {folder}"
    return found


async def in_tables(tx: AsyncConnection, *texts: str) -> list[str]:
    """Return the tables that hold one of these texts, in any coding, also within bytes; of all tables that this role may read.

    AssertionError: there was no row to search.
    """
    forms, looked, found = _forms(texts), 0, []
    for schema, name in (await tx.execute(_TABLES)).all():
        rows = (await tx.execute(text(f'SELECT t::text FROM {schema}."{name}" t'))).scalars().all()
        held = "\n".join(rows).replace("\\\\", "\\").encode()
        looked += len(rows)
        if any(form in held or form.hex().encode() in held for form in forms):
            found.append(f"{schema}.{name}")
    assert looked, "no table has a row"
    return found


def _forms(texts: Iterable[str]) -> set[bytes]:
    return {form for one in texts for form in codings(one)}
