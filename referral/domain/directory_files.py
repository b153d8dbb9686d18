"""Read all policy files but the procedures: codes.yaml, casefile.yaml, municipalities.yaml, calendars/*.yaml, directory/*.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from referral.domain.deadline import MINUTE, Calendar, Limit
from referral.domain.directory import LANGUAGES, Agency, Hours, Municipality, Names, Section, Service
from referral.domain.events import Reach
from referral.domain.language import Node, Reader
from referral.domain.procedure_words import OWN_LISTS, TAGS

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)?")
REACHES = {reach.value: reach for reach in Reach if reach is not Reach.UNKNOWN}
NEEDED = ("about", "decision", "language", "need", "pathway", "reason", "role", "rung", "sex", "step", "basis", "feed", "rule")
"""Code lists that procedures and agencies are read with."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EPOCH = date(1970, 1, 1)
Labels = Mapping[str, Mapping[str, Names]]


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything but the procedures."""

    codes: Mapping[str, tuple[str, ...]]
    labels: Labels
    sections: Mapping[str, Section]
    municipalities: Mapping[str, Municipality]
    agencies: Mapping[str, Agency]
    services: Mapping[str, Service]
    calendar: Calendar
    country_desk: str
    oversight: str
    repeat: Limit
    stopped: Limit


def read_directory(reader: Reader) -> Whole:
    """The whole directory; what is wrong is noted in the reader."""
    codes, labels = _codes(reader.open("codes.yaml"))
    for path in sorted(p for p in reader.files if p.startswith("pathways/")):
        _own_words(reader.open(path), codes, labels)
    top = reader.open("municipalities.yaml").fields(("desks", "regions", "municipalities"))
    municipalities, desks = _municipalities(top), top["desks"].fields(("country", "oversight", "repeat", "stopped"))
    agencies: dict[str, Agency] = {}
    services: dict[str, Service] = {}
    for path in sorted(p for p in reader.files if p.startswith("directory/")):
        _agency(reader.open(path), path, codes, municipalities, agencies, services)
    sections = {name: _section(name, node) for name, node in reader.open("casefile.yaml").fields(("sections",))["sections"].items()}
    for place, node in top["municipalities"].items():
        _answers_for(municipalities.get(place), node, agencies)
    for name in ("country", "oversight"):
        if desks[name].word(agencies, "agency") in agencies and not agencies[desks[name].word()].desk:
            desks[name].error(f"{desks[name].word()} is no desk; write desk: true in its file")
    calendars = [path for path in sorted(reader.files) if path.startswith("calendars/")]
    if calendars != ["calendars/XK.yaml"]:
        reader.error("calendars/", 0, "one calendar is expected here: XK.yaml")
    return Whole(
        codes={**codes, "section": tuple(sections), "municipality": ("", *municipalities), "agency": tuple(agencies)},
        labels=labels,
        sections=sections,
        municipalities=municipalities,
        agencies=agencies,
        services=services,
        calendar=_calendar(reader.open("calendars/XK.yaml")),
        country_desk=desks["country"].word(),
        oversight=desks["oversight"].word(),
        repeat=desks["repeat"].limit(),
        stopped=desks["stopped"].limit(),
    )


def names(node: Node) -> Names:
    """A name in each of the four languages."""
    return {language: value.word() for language, value in node.fields(LANGUAGES).items()}


def slug(value: str, node: Node) -> str:
    if not SLUG.fullmatch(value):
        node.error(f"{value} is no id; allowed: small letters, digits and - as in csw-prizren")
    return value


def _codes(root: Node) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, Names]]]:
    """A list is either a list of bare codes, which only programs see, or a mapping from each code to its names."""
    codes: dict[str, tuple[str, ...]] = {}
    labels: dict[str, dict[str, Names]] = {}
    for name, node in root.items():
        if node.node is not None and node.node.id == "sequence":
            codes[name] = node.words()
        else:
            labels[name] = {code: names(value) for code, value in node.items()}
            codes[name] = tuple(labels[name])
        if len(set(codes[name])) != len(codes[name]) or not codes[name]:
            node.error(f"{name} is empty or has a code twice")
    for name in NEEDED:
        if name not in codes:
            root.error(f"list {name} is missing")
    return codes, labels


def _own_words(root: Node, codes: dict[str, tuple[str, ...]], labels: dict[str, dict[str, Names]]) -> None:
    """The codes that a procedure brings with it (`words`) are codes like all others; which of two files names one must be plain."""
    for name, node in (item for key, value in root.items() if key == "words" for item in value.items()):
        if name not in OWN_LISTS:
            node.key_error(f"words may name codes of {', '.join(OWN_LISTS)}, not of {name}")
            continue
        for code, value in node.items():
            if code in codes.get(name, ()):
                value.key_error(f"{name} {code} has its names already, in codes.yaml or another procedure; leave it out here")
            else:
                labels.setdefault(name, {})[slug(code, value)] = names(value)
                codes[name] = (*codes.get(name, ()), code)


def _section(name: str, node: Node) -> Section:
    fields = node.fields(("personal", "names"))
    return Section(id=slug(name, node), personal=fields["personal"].yes(), names=names(fields["names"]))


def _municipalities(top: Mapping[str, Node]) -> dict[str, Municipality]:
    found: dict[str, Municipality] = {}
    regions, known = top["regions"].words(), [name for name, _ in top["municipalities"].items()]
    for id, node in top["municipalities"].items():
        fields = node.fields(("names", "region", "neighbours", "desk", "coordinator"))
        found[slug(id, node)] = Municipality(
            id=id,
            names=names(fields["names"]),
            region=fields["region"].word(regions, "region"),
            neighbours=fields["neighbours"].words(known, "municipality"),
            desk=fields["desk"].word(),
            coordinator=fields["coordinator"].word(),
        )
    return found


def _answers_for(place: Municipality | None, node: Node, agencies: Mapping[str, Agency]) -> None:
    """A municipality without a desk is refused: what no rule can place would stand nowhere."""
    if place is None:
        return
    if place.desk not in agencies or not agencies[place.desk].desk:
        node.error(f"desk of {place.id} must be an agency with desk: true; allowed: {', '.join(a for a in agencies if agencies[a].desk)}")
    if place.coordinator and place.coordinator not in agencies:
        node.error(f"coordinator of {place.id} must be an agency, or null where there is none")


def _agency(
    root: Node,
    path: str,
    codes: Mapping[str, tuple[str, ...]],
    places: Mapping[str, Municipality],
    agencies: dict[str, Agency],
    services: dict[str, Service],
) -> None:
    fields = root.fields(("agency", "names", "municipality", "reach", "languages", "ladder", "services"), ("desk", "above", "hours"))
    id = slug(fields["agency"].word(), root)
    if path != f"directory/{id}.yaml":
        root.error(f"agency {id} belongs into directory/{id}.yaml")
    agencies[id] = Agency(
        id=id,
        names=names(fields["names"]),
        municipality=fields["municipality"].word(("", *places), "municipality"),
        reach=REACHES.get(fields["reach"].word(REACHES, "reach"), Reach.UNKNOWN),
        ladder=fields["ladder"].words(codes.get("rung", ()), "rung"),
        languages=fields["languages"].words(codes.get("language", ()), "language"),
        desk=fields["desk"].yes(),
        above=fields["above"].word(),
        hours=_hours(fields["hours"]) if "hours" in fields else None,
    )
    if len(agencies[id].ladder) < 2:
        fields["ladder"].error("two rungs at least: a focal point and a back-up (SOP 2004)")
    if (above := agencies[id].above) and f"directory/{above}.yaml" not in root.reader.files:
        fields["above"].error(f"{above} is no agency of this directory")
    for node in fields["services"].each():
        service = _service(node, id, codes, places)
        if service.id in services:
            node.error(f"service {service.id} is there twice")
        services[service.id] = service


def _hours(node: Node) -> Hours:
    """Local time of the calendar; an agency without hours is there day and night."""
    fields = node.fields(("days", "from", "to"))
    found = Hours(
        days=tuple(sorted(DAYS.index(day) for day in fields["days"].words(DAYS, "day") if day in DAYS)),
        opens=_of_day(fields["from"]),
        closes=_of_day(fields["to"]),
    )
    if not found.days:
        fields["days"].error("an agency is open on one day at least; leave hours out for day and night")
    if found.opens >= found.closes:
        fields["to"].error("it closes later than it opens, on the same day, at 24:00 at the latest")
    return found


def _of_day(node: Node) -> int:
    match = re.fullmatch(r"([01][0-9]|2[0-4]):([0-5][0-9])", node.word())
    if match is None or (match[1] == "24" and match[2] != "00"):
        node.error('a time of day is written "08:00", between quotes')
        return 0
    return (int(match[1]) * 60 + int(match[2])) * MINUTE


def _service(node: Node, agency: str, codes: Mapping[str, tuple[str, ...]], places: Mapping[str, Municipality]) -> Service:
    fields = node.fields(("id", "roles", "covers"), ("tags", "ages", "sexes", "places"))
    id = slug(fields["id"].word(), node)
    if not id.startswith(f"{agency}."):
        node.error(f"the id of a service begins with its agency: {agency}.…")
    regions = {f"region:{place.region}" for place in places.values()}
    ages = [age.number(0, 120) for age in fields["ages"].each()] or [0, 120]
    if len(ages) != 2 or ages[0] > ages[1]:
        fields["ages"].error("ages are two numbers, youngest and oldest, e.g. [0, 17]")
    return Service(
        id=id,
        agency=agency,
        roles=frozenset(fields["roles"].words(codes.get("role", ()), "role")),
        tags=frozenset(fields["tags"].words(TAGS, "tag")),
        covers=frozenset(fields["covers"].words((*places, *sorted(regions), "country"), "area")),
        ages=(ages[0], ages[-1]),
        sexes=frozenset(fields["sexes"].words(codes.get("sex", ()), "sex")),
        places=fields["places"].number(0, 10_000) if fields["places"].there() else None,
    )


def _calendar(root: Node) -> Calendar:
    """Holidays and clock changes are a snapshot: a decision must come out the same on every machine, for ever."""
    fields = root.fields(("calendar", "zone", "source", "clock_changes", "holidays"))
    days, changes = [], []
    for node in fields["holidays"].each():
        item = node.fields(("day", "name"))
        days.append(_day(item["day"]))
    for node in fields["clock_changes"].each():
        item = node.fields(("at", "offset"))
        changes.append((_instant(item["at"]), item["offset"].number(0, 840) * MINUTE))
    if not changes or changes != sorted(changes):
        fields["clock_changes"].error("clock changes are needed, in order of time")
        changes = [(0, 0)]
    return Calendar(
        id=fields["calendar"].word(), holidays=frozenset(days), changes=tuple(at for at, _ in changes), offsets=tuple(o for _, o in changes)
    )


def _day(node: Node) -> int:
    try:
        return (date.fromisoformat(node.word()) - EPOCH).days
    except ValueError:
        node.error("a day is written 2026-02-17")
        return 0


def _instant(node: Node) -> int:
    try:
        moment = datetime.fromisoformat(node.word())
        return (moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(microseconds=1)
    except (ValueError, TypeError):
        node.error("an instant is written 2026-03-29T01:00:00+00:00")
        return 0
