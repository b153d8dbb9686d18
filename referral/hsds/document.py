"""Split an HSDS document into rows, each with its position in the document. Reports every table and field that we do not import, with its
position."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from referral.domain.policy.reading.agencies import PERSONAL
from referral.domain.policy.reading.reader import allowed

NAMESPACE = uuid.UUID("6ba7b814-9dad-11d1-80b4-00c04fd430c8")
"""Namespace of the ids of all rows: the same agency has the same id in every export."""
SCHEME, AREA = "referral", "urn:referral:area:"
"""SCHEME names our ids and codes; AREA and a word of `covers` is the uri of a service area."""
KEPT: Mapping[str, tuple[str, ...]] = {
    "organization": ("id", "name", "description", "parent_organization_id"),
    "organization_identifier": ("id", "organization_id", "identifier_scheme", "identifier_type", "identifier"),
    "service": ("id", "organization_id", "name", "alternate_name", "status", "minimum_age", "maximum_age"),
    "phone": ("id", "organization_id", "number"),
    "service_area": ("id", "service_id", "name", "uri"),
    "schedule": ("id", "service_id", "freq", "byday", "opens_at", "closes_at", "description"),
    "service_capacity": ("id", "service_id", "unit_id", "available", "maximum", "updated"),
    "unit": ("id", "name"),
    "language": ("id", "service_id", "name", "code", "note"),
    "attribute": ("id", "link_id", "link_entity", "link_type", "taxonomy_term_id", "value"),
    "taxonomy": ("id", "name", "description"),
    "taxonomy_term": ("id", "code", "name", "description", "taxonomy_id"),
}
"""Tables in the order of the export, and the fields of each; tests compare them with the published schema."""
NUMBERS = ("minimum_age", "maximum_age", "available", "maximum")
OPTIONAL = ("parent_organization_id", "minimum_age", "maximum_age", "value")
PERSONS: Mapping[str, str] = {
    "address": "no address is ever stored",
    "location": "no location is ever stored",
    "service_at_location": "no location is ever stored",
    "accessibility": "it describes a location, and none is ever stored",
    "contact": "no person is ever stored; `referral duty show` lists the shifts",
    "email": "no e-mail address is ever stored in the directory",
    "assurer_email": "no e-mail address is ever stored in the directory",
    "website": "no address is ever stored, also none of the web",
    "url": "no address is ever stored, also none of the web",
    "logo": "no address is ever stored, also none of the web",
    "extent": "no shape on a map is ever stored",
}
"""Tables and fields that may contain a location or a person, and the text of the fault about each."""
DAYS: Mapping[str, str] = {"mon": "MO", "tue": "TU", "wed": "WE", "thu": "TH", "fri": "FR", "sat": "SA", "sun": "SU"}
KINDS: Mapping[str, tuple[str, ...]] = {
    "organization": ("name", "municipality", "reach", "language", "ladder", "hours", "desk", "unverified"),
    "service": ("role", "tag", "sex"),
}
"""Kinds of attributes (their link_type), by the table that they link to."""


def row_id(*parts: str) -> str:
    """Return the id of a row, from its table and the words that name it there."""
    return str(uuid.uuid5(NAMESPACE, ":".join(parts)))


def iso(language: str) -> str:
    """Return the ISO 639 code of one of our language codes; `mis` is ISO's word for a language without a code."""
    return "mis" if language == "other" else language.partition("-")[0]


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
