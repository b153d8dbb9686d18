"""Read all policy files but the procedures: codes.yaml, casefile.yaml, municipalities.yaml, calendars/*.yaml, directory/*.yaml, guidance/*.

Holidays and clock changes are a snapshot in a file: a decision must come out the same on every machine, for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from referral.domain.durations import MINUTE_US
from referral.domain.policy.directory import HOME, HOMES_BEFORE, Agency, Municipality, Names, Section, Service
from referral.domain.policy.limits import Calendar, Limit
from referral.domain.policy.procedure import Ban
from referral.domain.policy.questions import Questions
from referral.domain.policy.reading.agencies import read_agency
from referral.domain.policy.reading.bans import read_bans
from referral.domain.policy.reading.casefile import read_sections
from referral.domain.policy.reading.code_lists import as_id, code_lists, names, own_words, properties
from referral.domain.policy.reading.guidance import Texts, is_text, read_guidance
from referral.domain.policy.reading.numbers import Numbers, read_numbers
from referral.domain.policy.reading.questions import read_questions
from referral.domain.policy.reading.reader import Node, Reader, allowed
from referral.domain.policy.reading.reviews import read_reviews
from referral.domain.policy.reading.vocabulary import AREAS, OF_HOME, OTHER, UNVERIFIED, of_kinds
from referral.domain.policy.reviews import Review

CALENDAR = "calendars/XK.yaml"
COMMON = ("codes.yaml", "municipalities.yaml", "casefile.yaml")


@dataclass(frozen=True, slots=True)
class Directory:
    """The policy without its procedures."""

    codes: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Mapping[str, Names]]
    sections: Mapping[str, Section]
    municipalities: Mapping[str, Municipality]
    areas: Mapping[str, tuple[str, ...]]
    agencies: Mapping[str, Agency]
    services: Mapping[str, Service]
    calendar: Calendar
    country_desk: str
    oversight: str
    repeat: Limit
    stopped: Limit
    guidance: Texts
    reviews: Mapping[str, Review]
    numbers: Numbers
    bans: Mapping[str, Ban]
    properties: Mapping[str, frozenset[str]]
    questions: Questions


def read_directory(reader: Reader) -> Directory:
    """Read the whole directory; errors are reported to the reader.

    Raises PolicyErrors where a file that defines names for all others cannot be read: each use of these names would be reported as unknown.
    """
    for path in (*COMMON, *(path for path in reader.files if not is_text(path))):
        reader.open(path)
    if reader.broken.intersection(COMMON):
        reader.finish()
    codes, labels = code_lists(reader.open("codes.yaml"))
    own: dict[str, tuple[str, ...]] = {}
    for path in sorted(p for p in reader.files if p.startswith(("pathways/", UNVERIFIED))):
        own_words(reader.open(path), codes, labels)
        for concern, flags in _own_flags(reader.open(path)).items():
            own[concern] = (*own.get(concern, ()), *flags)
    reviews, numbers = read_reviews(reader), read_numbers(reader.open("codes.yaml"))
    bans, marked = read_bans(reader.open("codes.yaml"), codes), properties_of(reader)
    top = reader.open("municipalities.yaml").fields(("desks", "regions", "municipalities"), ("areas",))
    kinds = _kinds(top["areas"])
    municipalities, desks = _municipalities(top, kinds), top["desks"].fields(("country", "oversight", "repeat", "stopped"))
    agencies: dict[str, Agency] = {}
    services: dict[str, Service] = {}
    if "area" in codes and set(codes["area"]) != set(of_kinds(kinds)):
        reader.open("codes.yaml").error(f"area has a name for each of {', '.join(of_kinds(kinds))}, and for nothing else")
    codes["area"] = of_kinds(kinds)
    for path in sorted(p for p in reader.files if p.startswith("directory/")):
        agency, offered = read_agency(reader.open(path), path, codes, municipalities, marked)
        agencies[agency.id] = agency
        services.update({service.id: service for service in offered})
    places = {id: place.names for id, place in municipalities.items()}
    sections = read_sections(reader.open("casefile.yaml"), {**labels, "municipality": places})
    for place, node in top["municipalities"].items():
        _answers_for(municipalities.get(place), node, agencies)
    for name in ("country", "oversight"):
        if desks[name].word(agencies, "agency") in agencies and not agencies[desks[name].word()].desk:
            desks[name].error(f"{desks[name].word()} is not a desk; write desk: true in its file")
    calendars = [path for path in sorted(reader.files) if path.startswith("calendars/")]
    if calendars != [CALENDAR]:
        reader.error("calendars/", 0, "one calendar is expected here: XK.yaml")
    return Directory(
        codes={**codes, "section": tuple(sections), "municipality": ("", *municipalities), "agency": tuple(agencies)},
        labels=labels,
        sections=sections,
        municipalities=municipalities,
        areas={"region": tuple(sorted({place.region for place in municipalities.values()})), **kinds},
        agencies=agencies,
        services=services,
        calendar=read_calendar(reader.open(CALENDAR)),
        country_desk=desks["country"].word(),
        oversight=desks["oversight"].word(),
        repeat=desks["repeat"].limit(),
        stopped=desks["stopped"].limit(),
        guidance=read_guidance(reader, labels.get("guidance", {}), reviews, numbers),
        reviews=reviews,
        numbers=numbers,
        bans=bans,
        properties=marked,
        questions=read_questions(
            reader, codes, labels, {concern: flags for concern, flags in own.items() if concern in codes["concern"]}, numbers
        ),
    )


def _own_flags(root: Node) -> dict[str, tuple[str, ...]]:
    """Return concern → the flags that a procedure for it names among its own words."""
    top = dict(root.items())
    lists = dict(top["words"].items()) if "words" in top else {}
    flags = tuple(flag for flag, _ in lists["flag"].items()) if "flag" in lists else ()
    applies = dict(top["applies"].items()) if flags and "applies" in top else {}
    return dict.fromkeys(applies["concern"].words() if "concern" in applies else (), flags)


def properties_of(reader: Reader) -> dict[str, frozenset[str]]:
    """Return the properties of codes; in a bundle without a code list `ban`, which is older than they are, the homes of then."""
    root = reader.open("codes.yaml")
    if not root.has("ban"):
        return {HOME: HOMES_BEFORE}
    found = properties(root)
    for path in sorted(path for path in reader.files if path.startswith("pathways/")):
        for key, node in reader.open(path).items():
            if key == "words":
                found |= {name: found.get(name, frozenset()) | codes for name, codes in properties(node).items()}
    return found


def _kinds(node: Node) -> dict[str, tuple[str, ...]]:
    """Read the kinds of areas: kind → its areas. A bundle from before there were kinds has none."""
    taken = {*AREAS, "municipality"}
    found: dict[str, tuple[str, ...]] = {}
    for kind, areas in node.items():
        if as_id(kind, areas) in taken or kind.startswith((OTHER, OF_HOME)):
            areas.key_error(f"{kind} means something else already; take another word for this kind of area")
        found[kind] = areas.words(least=1)
    return found


def _municipalities(top: Mapping[str, Node], kinds: Mapping[str, tuple[str, ...]]) -> dict[str, Municipality]:
    found: dict[str, Municipality] = {}
    regions, known = top["regions"].words(), [name for name, _ in top["municipalities"].items()]
    for id, node in top["municipalities"].items():
        fields = node.fields(("names", "region", "neighbours", "desk", "coordinator", *(("areas",) if kinds else ())))
        areas = fields["areas"].fields(kinds)
        found[as_id(id, node)] = Municipality(
            id=id,
            names=names(fields["names"]),
            region=fields["region"].word(regions, "region"),
            neighbours=fields["neighbours"].words(known, "municipality"),
            desk=fields["desk"].word(),
            coordinator=fields["coordinator"].word(),
            areas={kind: areas[kind].word(kinds[kind], kind) for kind in kinds},
        )
    return found


def _answers_for(place: Municipality | None, node: Node, agencies: Mapping[str, Agency]) -> None:
    """Report a municipality without a desk: it would have no owner for the cases that no rule can place."""
    if place is None:
        return
    if place.desk not in agencies or not agencies[place.desk].desk:
        desks = [agency.id for agency in agencies.values() if agency.desk]
        node.error(f"desk of {place.id} must be an agency with desk: true; {allowed(place.desk, desks)}")
    if place.coordinator and place.coordinator not in agencies:
        node.error(f"coordinator of {place.id} must be an agency, or null where there is none")


EPOCH = date(1970, 1, 1)


def read_calendar(root: Node) -> Calendar:
    """Read the calendar. It ends with the year of its last holiday."""
    fields = root.fields(("calendar", "zone", "source", "clock_changes", "holidays"))
    days = [_day(node.fields(("day", "name"))["day"]) for node in fields["holidays"].each()]
    changes = []
    for node in fields["clock_changes"].each():
        item = node.fields(("at", "offset"))
        changes.append((_instant(item["at"]), item["offset"].number(0, 840) * MINUTE_US))
    if not changes or changes != sorted(changes):
        fields["clock_changes"].error("clock changes are needed, in order of time")
        changes = [(0, 0)]
    last = date.fromordinal(EPOCH.toordinal() + max(days, default=0))
    return Calendar(
        id=fields["calendar"].word(),
        holidays=frozenset(days),
        changes=tuple(at for at, _ in changes),
        offsets=tuple(offset for _, offset in changes),
        ends=(date(min(last.year, 9998) + 1, 1, 1) - EPOCH).days,
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
    except (ValueError, TypeError, OverflowError):
        node.error("an instant is written 2026-03-29T01:00:00+00:00")
        return 0
