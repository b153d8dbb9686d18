"""Split an HSDS document into rows, each with its position in the document. Reports every table and field that we do not import, with its
position."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from referral.domain.policy.reading.agencies import PERSONAL
from referral.domain.policy.reading.reader import allowed
from referral.hsds.vocabulary import KEPT, NUMBERS, OPTIONAL, PERSONS

MOST = 500
"""Faults reported at most: nobody reads more."""
UNREAD = re.compile(r"(.*_)?id|uri|updated|number")
"""Fields that are ids or times, in which digits are no telephone number, and the one that is the office's."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a table. where: its position in the document, as `service[3]`."""

    where: str
    says: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return a field as text; empty where it is absent."""
        return str(self.says.get(name, ""))


@dataclass(slots=True)
class Rows:
    """All tables, and the faults found so far: one line each, `table[n].field: what; what to do`."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault(self, where: str, what: str) -> None:
        """Add a fault, up to MOST of them."""
        if len(self.faults) < MOST:
            self.faults.append(f"{where}: {what}")

    def of(self, table: str, link: str = "", key: str = "") -> list[Row]:
        """Return the rows of a table; with link and key only those whose field `link` is `key`, in their order."""
        rows = self.tables.get(table, [])
        return [row for row in rows if row.text(link) == key] if link else rows

    def by(self, table: str, link: str) -> dict[str, list[Row]]:
        """Return the rows of a table by the value of a field, each list in the order of the document."""
        found: dict[str, list[Row]] = {}
        for row in self.of(table):
            found.setdefault(row.text(link), []).append(row)
        return found


def rows_of(document: object) -> Rows:
    """Return the rows of a document. Never raises: errors are in `faults`."""
    rows = Rows()
    if not isinstance(document, Mapping):
        rows.fault("document", "an object of tables is expected, as `referral policy directory export` writes it")
        return rows
    for table, listed in document.items():
        if table not in KEPT:
            if listed:
                rows.fault(f"{table}[0]" if isinstance(listed, list) else str(table), _why(str(table), tuple(KEPT)))
        elif not isinstance(listed, Sequence) or isinstance(listed, str):
            rows.fault(str(table), "a list of objects is expected")
        else:
            rows.tables[str(table)] = list(_rows(rows, str(table), listed))
    return rows


def _rows(rows: Rows, table: str, listed: Sequence[object]) -> Iterator[Row]:
    seen: set[str] = set()
    for n, item in enumerate(listed):
        where = f"{table}[{n}]"
        if not isinstance(item, Mapping):
            rows.fault(where, "an object is expected")
            continue
        for name, value in item.items():
            _field(rows, f"{where}.{name}", table, str(name), value)
        for name in KEPT[table]:
            if name not in item and name not in OPTIONAL:
                rows.fault(f"{where}.{name}", "is missing")
        row = Row(where, item)
        if row.text("id") in seen:
            rows.fault(f"{where}.id", "stands in this table twice")
        seen.add(row.text("id"))
        yield row


def _field(rows: Rows, where: str, table: str, name: str, value: object) -> None:
    if name not in KEPT[table]:
        if value not in (None, "", [], {}):
            rows.fault(where, _why(name, KEPT[table]))
    elif name in NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000:
            rows.fault(where, "a whole number from 0 to 10000 is expected")
    elif not isinstance(value, str):
        rows.fault(where, "text is expected")
    elif not UNREAD.fullmatch(name) and PERSONAL.search(value):
        rows.fault(where, "this looks like an address or a telephone number; none is ever stored, take it out")


def _why(name: str, known: tuple[str, ...]) -> str:
    for word in (name, name.removesuffix("es"), name.removesuffix("s")):
        if word in PERSONS:
            return f"{PERSONS[word]}; take it out"
    return f"is not kept here; take it out, or {allowed(name, known)}"
