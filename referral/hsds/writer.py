"""Export the directory as Open Referral HSDS 3 in its tabular JSON form, for other people's tools. Never an address, a person or a
location; the one telephone number is that of an office."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from referral.domain.policy import Policy
from referral.hsds.agency_yaml import facts
from referral.hsds.document import AREA, DAYS, KEPT, SCHEME, iso, row_id

Row = dict[str, Any]
Tables = dict[str, list[Row]]
Say = Callable[[str, str], str]
UNIT, TAXONOMY = row_id("unit", "place"), row_id("taxonomy", SCHEME)
LISTS = {"ladder": "rung", "name": "language"}
"""The code list of an attribute, where its name differs."""
LOCAL = "Local time of Europe/Belgrade; closed on the holidays of the policy's calendar."


def exported(files: Mapping[str, bytes], policy: Policy, updated: str) -> Tables:
    """Return every agency of a policy that was compiled from these files, table by table, in order of the agencies' ids.

    updated: RFC 3339, when the numbers of places were recorded; only routing has the number of free places.
    """
    tables: Tables = {name: [] for name in KEPT}
    terms: dict[str, str] = {}

    def say(kind: str, code: str) -> str:
        """Return the English name of a code, and record its use."""
        known = policy.names(LISTS.get(kind, kind), code, "en")
        terms[f"{kind}:{code}"] = known
        return known

    for path in sorted(path for path in files if path.startswith("directory/")):
        _organization(tables, facts(files[path]), say, updated)
    tables["unit"].append({"id": UNIT, "name": "Place"})
    tables["taxonomy"].append({"id": TAXONOMY, "name": SCHEME, "description": "Codes of the referral pipeline (policy/codes.yaml)"})
    for code, name in sorted(terms.items()):
        term = {"code": code, "name": name, "description": f"{code.partition(':')[0]}: {name}"}
        tables["taxonomy_term"].append({"id": row_id("term", code), **term, "taxonomy_id": TAXONOMY})
    return tables


def _organization(tables: Tables, agency: Mapping[str, Any], say: Say, updated: str) -> None:
    id = agency["agency"]
    key = row_id("organization", id)
    row = {"id": key, "name": agency["names"]["en"], "description": agency["comment"]}
    if agency.get("above"):
        row["parent_organization_id"] = row_id("organization", agency["above"])
    tables["organization"].append(row)
    own = {"organization_id": key, "identifier_scheme": SCHEME, "identifier_type": "agency", "identifier": id}
    tables["organization_identifier"].append({"id": row_id("identifier", id), **own})
    if agency.get("telephone"):
        tables["phone"].append({"id": row_id("phone", id), "organization_id": key, "number": agency["telephone"]})
    links: list[tuple[str, str, str]] = [("name", lang, name) for lang, name in agency["names"].items() if lang != "en"]
    if agency.get("municipality", "null") not in ("", "null", "~"):
        links.append(("municipality", agency["municipality"], ""))
    links += [("reach", agency["reach"], ""), *(("ladder", rung, "") for rung in agency["ladder"])]
    if agency.get("desk") == "true":
        links.append(("desk", "true", ""))
    if agency.get("unverified") == "true":
        links.append(("unverified", "true", ""))
    hours = agency.get("hours")
    if not agency["services"]:  # HSDS stores languages and hours for services only
        links += [("language", language, "") for language in agency["languages"]]
        if hours:
            links.append(("hours", "office", f"{','.join(hours['days'])} {hours['from']}-{hours['to']}"))
    _attributes(tables, "organization", id, key, links, say)
    for service in agency["services"]:
        _service(tables, agency, key, service, say, updated)


def _service(tables: Tables, agency: Mapping[str, Any], owner: str, service: Mapping[str, Any], say: Say, updated: str) -> None:
    id = service["id"]
    key = row_id("service", id)
    name = f"{agency['names']['en']}: {', '.join(say('role', role) for role in service['roles'])}"
    row: Row = {"id": key, "organization_id": owner, "name": name, "alternate_name": id, "status": "active"}
    if service.get("ages"):
        row |= {"minimum_age": int(service["ages"][0]), "maximum_age": int(service["ages"][1])}
    tables["service"].append(row)
    for area in service["covers"]:
        kind, _, where = area.rpartition(":")
        place = say("municipality", where) if area != "country" else "The whole country"
        shown = f"{kind.replace('-', ' ').capitalize()} of {place}" if kind else place
        tables["service_area"].append({"id": row_id("area", id, area), "service_id": key, "name": shown, "uri": AREA + area})
    if hours := agency.get("hours"):
        when = {"byday": ",".join(DAYS[day] for day in hours["days"]), "opens_at": hours["from"], "closes_at": hours["to"]}
        tables["schedule"].append({"id": row_id("schedule", id), "service_id": key, "freq": "WEEKLY", **when, "description": LOCAL})
    if "places" in service:
        count = int(service["places"])
        held = {"unit_id": UNIT, "available": count, "maximum": count, "updated": updated}
        tables["service_capacity"].append({"id": row_id("capacity", id), "service_id": key, **held})
    for language in agency["languages"]:
        spoken = {"name": say("language", language), "code": iso(language), "note": language}
        tables["language"].append({"id": row_id("language", id, language), "service_id": key, **spoken})
    words = {"role": service["roles"], "tag": service.get("tags", ()), "sex": service.get("sexes", ())}
    _attributes(tables, "service", id, key, [(kind, code, "") for kind, codes in words.items() for code in codes], say)


def _attributes(tables: Tables, entity: str, id: str, key: str, links: list[tuple[str, str, str]], say: Say) -> None:
    for kind, code, value in links:
        say(kind, code)
        row = {"id": row_id("attribute", id, kind, code), "link_id": key, "link_entity": entity, "link_type": kind}
        row["taxonomy_term_id"] = row_id("term", f"{kind}:{code}")
        tables["attribute"].append({**row, "value": value} if value else row)
