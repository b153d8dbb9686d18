"""Insert many rows of several tables with one statement: one array per column, one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, Any]


class Table:
    """The columns of a table that are inserted together.

    name: the table's name.
    columns: name → SQL type.
    conflict: the statement's ON CONFLICT clause, or empty.
    """

    def __init__(self, name: str, columns: Mapping[str, str], conflict: str = "") -> None:
        self.name, self.columns, self.conflict = name, dict(columns), conflict

    @property
    def sql(self) -> str:
        """Return the INSERT. A parameter is named after table and column, so that several statements can be joined."""
        arrays = ", ".join(f"CAST(:{self.parameter(column)} AS {kind}[])" for column, kind in self.columns.items())
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) SELECT * FROM unnest({arrays}) {self.conflict}"  # noqa: S608

    def parameter(self, column: str) -> str:
        """Return the name of a column's parameter."""
        return f"{self.name.replace('.', '_')}_{column}"

    def values(self, rows: Sequence[Row]) -> dict[str, list[Any]]:
        """Return the parameters: for each column its values, in the order of the rows."""
        return {self.parameter(column): [row[column] for row in rows] for column in self.columns}


async def write(tx: AsyncConnection, wanted: Mapping[Table, Sequence[Row]]) -> None:
    """Insert the rows of each table; a table may have none. No table may refer to another one of the same call."""
    values: dict[str, list[Any]] = {}
    for table, rows in wanted.items():
        values |= table.values(rows)
    await tx.execute(_statement(tuple(wanted)), values)


@cache
def _statement(tables: tuple[Table, ...]) -> TextClause:
    *others, last = (table.sql for table in tables)
    before = ", ".join(f"t{number} AS ({sql})" for number, sql in enumerate(others))
    return text(f"WITH {before} {last}" if others else last)
