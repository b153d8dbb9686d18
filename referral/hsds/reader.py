"""Import the directory from HSDS 3: build the agency files that a document describes. `policy.compile` checks their meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from referral.domain.policy.directory import LANGUAGES
from referral.domain.policy.reading.agencies import TELEPHONE
from referral.domain.policy.reading.reader import allowed
from referral.hsds.agency_yaml import holds, text_of
from referral.hsds.document import AREA, DAYS, KINDS, SCHEME, Row, Rows, rows_of

DAY_OF_CODE = {code: day for day, code in DAYS.items()}
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
OFFICE = re.compile(r"([a-z,]+) ([0-9:]+)-([0-9:]+)")


@dataclass(frozen=True, slots=True)
class Read:
    """Result of an import. files: path below policy/ → its bytes. faults: if there are any, files is empty."""

    files: Mapping[str, bytes]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Links:
    """The rows, grouped by the row that they belong to."""

    rows: Rows
    agencies: Mapping[str, str]
    services: Mapping[str, list[Row]]
    attributes: Mapping[str, list[tuple[str, str, Row]]]
    tables: Mapping[str, Mapping[str, list[Row]]]
    telephones: Mapping[str, list[Row]]
    homes: Set[str]

    def codes(self, key: str, kind: str) -> list[str]:
        return [code for of, code, _ in self.attributes.get(key, ()) if of == kind]

    def values(self, key: str, kind: str) -> dict[str, str]:
        return {code: row.text("value") for of, code, row in self.attributes.get(key, ()) if of == kind}


def imported(document: object, homes: Set[str]) -> Read:
    """Return the files of a document in the form that `exported` writes, or all of its faults at once. homes: roles of a house in which
    people are kept safe."""
    rows = rows_of(document)
    agencies: dict[str, str] = {}
    for row in rows.of("organization_identifier"):
        if row.text("identifier_scheme") != SCHEME or not SLUG.fullmatch(row.text("identifier")):
            rows.fault(
                f"{row.where}.identifier", f"an id of the scheme {SCHEME} is expected: small letters, digits and - as in csw-prizren"
            )
        elif row.text("identifier") in agencies.values() or row.text("organization_id") in agencies:
            rows.fault(f"{row.where}.identifier", "this agency stands here twice")
        agencies[row.text("organization_id")] = row.text("identifier")
    per_service = ("service_area", "schedule", "service_capacity", "language")
    tables = {table: rows.by(table, "service_id") for table in per_service}
    telephones = rows.by("phone", "organization_id")
    links = _Links(rows, agencies, rows.by("service", "organization_id"), _attributes(rows), tables, telephones, homes)
    _strangers(links)
    files: dict[str, bytes] = {}
    for row in rows.of("organization"):
        agency = _agency(row, links)
        if holds(agency):
            files[f"directory/{agency['agency']}.yaml"] = text_of(agency)
        else:
            rows.fault(row.where, "a name, a code or a description has signs that no file can hold")
    return Read({} if rows.faults else files, tuple(rows.faults))


def _attributes(rows: Rows) -> dict[str, list[tuple[str, str, Row]]]:
    """Return the values of attributes by the row that they belong to: kind, code and the row itself."""
    terms = {row.text("id"): row.text("code") for row in rows.of("taxonomy_term")}
    found: dict[str, list[tuple[str, str, Row]]] = {}
    for row in rows.of("attribute"):
        kinds = KINDS.get(row.text("link_entity"), ())
        kind, _, code = terms.get(row.text("taxonomy_term_id"), "").partition(":")
        if not kinds:
            rows.fault(f"{row.where}.link_entity", allowed(row.text("link_entity"), KINDS))
        elif row.text("link_type") not in kinds:
            rows.fault(f"{row.where}.link_type", allowed(row.text("link_type"), kinds))
        elif kind != row.text("link_type") or not code:
            rows.fault(f"{row.where}.taxonomy_term_id", f"no term {row.text('link_type')}:… of this document")
        else:
            found.setdefault(row.text("link_id"), []).append((kind, code, row))
    return found


def _strangers(links: _Links) -> None:
    """Report rows that belong to no row of the document; they would be lost without notice."""
    owners = {row.text("id") for row in links.rows.of("organization")}
    services = {row.text("id") for row in links.rows.of("service")}
    for table, link, known in (
        ("organization_identifier", "organization_id", owners),
        ("service", "organization_id", owners),
        ("phone", "organization_id", owners),
        *((table, "service_id", services) for table in links.tables),
        ("attribute", "link_id", owners | services),
    ):
        for row in links.rows.of(table):
            if row.text(link) not in known:
                links.rows.fault(f"{row.where}.{link}", "belongs to nothing in this document")


def _agency(row: Row, links: _Links) -> dict[str, Any]:
    key, fault = row.text("id"), links.rows.fault
    id, above = links.agencies.get(key, ""), links.agencies.get(row.text("parent_organization_id"), "")
    if not id:
        fault(f"{row.where}.id", "no organization_identifier gives this organization its id here")
    if row.text("parent_organization_id") and not above:
        fault(f"{row.where}.parent_organization_id", "no organization of this document")
    names = {**links.values(key, "name"), "en": row.text("name")}
    if set(names) != set(LANGUAGES):
        fault(f"{row.where}.name", f"a name in each of {', '.join(LANGUAGES)} is needed, by attributes name:…")
    services = [_service(service, id, links) for service in links.services.get(key, ())]
    place = links.codes(key, "municipality")
    if place and any(links.homes & set(service["roles"]) for service in services):
        fault(f"{row.where}.municipality", "where people are kept safe is never stored, not even the municipality; take it out")
    phones = links.telephones.get(key, [])
    if len(phones) > 1:
        fault(f"{phones[1].where}.organization_id", "an agency has one office telephone here")
    for phone in phones:
        if not TELEPHONE.fullmatch(phone.text("number")):
            fault(f"{phone.where}.number", "a number in international form is expected: +38338000111")
        elif any(links.homes & set(service["roles"]) for service in services):
            fault(phone.where, "where people are kept safe has no telephone here; take it out")
    return {
        "comment": row.text("description"),
        "agency": id,
        "names": {language: names.get(language, "") for language in LANGUAGES},
        "municipality": place[0] if place else "",
        "reach": next(iter(links.codes(key, "reach")), ""),
        "telephone": phones[0].text("number") if phones else "",
        "ladder": links.codes(key, "ladder"),
        "desk": "true" if links.codes(key, "desk") else "",
        "unverified": "true" if links.codes(key, "unverified") else "",
        "above": above,
        "services": services,
        **_times(row, links),
    }


def _times(row: Row, links: _Links) -> dict[str, Any]:
    """Return languages and hours, which HSDS stores for services and we store for agencies: all services must have the same."""
    key = row.text("id")
    own = [service.text("id") for service in links.services.get(key, ())]
    spoken = [[line.text("note") for line in links.tables["language"].get(service, ())] for service in own]
    opened = [[_hours(line, links.rows) for line in links.tables["schedule"].get(service, ())] for service in own]
    for name, differ in (("language", any(one != spoken[0] for one in spoken)), ("schedule", any(one != opened[0] for one in opened))):
        if differ:
            links.rows.fault(f"{row.where}.{name}", "must be the same for every service of an agency")
    if any(len(lines) > 1 for lines in opened):
        links.rows.fault(f"{row.where}.schedule", "an agency has one line of hours here")
    if own:
        return {"languages": spoken[0], "hours": opened[0][0] if opened[0] else None}
    office = OFFICE.fullmatch(links.values(key, "hours").get("office", ""))
    hours: dict[str, Any] | None = {"days": office[1].split(","), "from": office[2], "to": office[3]} if office else None
    return {"languages": links.codes(key, "language"), "hours": hours}


def _hours(row: Row, rows: Rows) -> dict[str, Any]:
    days = row.text("byday").split(",")
    if row.text("freq") != "WEEKLY" or any(day not in DAY_OF_CODE for day in days):
        rows.fault(f"{row.where}.byday", f"weekly hours are expected, on days of {', '.join(DAY_OF_CODE)}")
    return {"days": [DAY_OF_CODE.get(day, "") for day in days], "from": row.text("opens_at"), "to": row.text("closes_at")}


def _service(row: Row, agency: str, links: _Links) -> dict[str, Any]:
    key, fault = row.text("id"), links.rows.fault
    if row.text("status") != "active":
        fault(f"{row.where}.status", "only what is active is in a directory; take the service out")
    areas = links.tables["service_area"].get(key, [])
    for area in areas:
        if not area.text("uri").startswith(AREA):
            fault(f"{area.where}.uri", f"{AREA} and a municipality, an area such as region:…, or country is expected")
    service: dict[str, Any] = {"id": row.text("alternate_name"), "covers": [area.text("uri").removeprefix(AREA) for area in areas]}
    service.update({name: links.codes(key, kind) for name, kind in (("roles", "role"), ("tags", "tag"), ("sexes", "sex"))})
    ages = [row.text(name) for name in ("minimum_age", "maximum_age") if name in row.says]
    if len(ages) == 1:
        fault(f"{row.where}.minimum_age", "the youngest and the oldest are needed, or neither")
    service["ages"] = ages
    places = links.tables["service_capacity"].get(key, [])
    if len(places) > 1:
        fault(f"{places[1].where}.service_id", "a service has one number of places")
    return {**service, "places": places[0].text("maximum")} if places else service
