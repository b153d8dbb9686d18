"""Read the file of one agency: the agency, its services and its signing keys.

A signing key is listed as `name+id+base64(1 and public key)` (C2SP signed-note). Activating a policy bundle registers, rotates and revokes
keys: the log holds the exact bytes of the bundle.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping

from referral.domain.durations import MINUTE_US
from referral.domain.events import Reach
from referral.domain.policy.directory import HOME, Agency, Hours, Municipality, Names, Service, Signing, SigningKey
from referral.domain.policy.reading.code_lists import id_of, names
from referral.domain.policy.reading.reader import Node
from referral.domain.policy.reading.vocabulary import TAGS

REACHES = {reach.value: reach for reach in Reach if reach is not Reach.UNKNOWN}
PERSONAL = re.compile(r"@|https?://|[+0-9][0-9 ()/-]{6,}")
"""An e-mail address, a link or a telephone number, which no name of an agency may contain."""
NO_PERSON = "no address, e-mail, location, or name or number of a person is ever stored here"
TELEPHONE = re.compile(r"\+[1-9][0-9]{6,14}")
"""A number in international form (ITU-T E.164: at most 15 digits)."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read_agency(
    root: Node,
    path: str,
    codes: Mapping[str, tuple[str, ...]],
    places: Mapping[str, Municipality],
    properties: Mapping[str, frozenset[str]],
) -> tuple[Agency, tuple[Service, ...]]:
    """Return the agency and its services; errors are reported to the reader."""
    must = ("agency", "names", "municipality", "reach", "languages", "ladder", "services")
    may = ("telephone", "desk", "above", "hours", "signing", "unverified")
    fields = root.fields(must, may, why=NO_PERSON)
    id = id_of(fields["agency"])
    if path != f"directory/{id}.yaml":
        fields["agency"].error(f"agency {id} belongs into directory/{id}.yaml")
    ladder = fields["ladder"].words(codes.get("rung", ()), "rung")
    if len(ladder) < 2:
        fields["ladder"].error("two rungs at least: a focal point and a back-up (SOP 2004)")
    above = fields["above"].word()
    if above and f"directory/{above}.yaml" not in root.reader.files:
        fields["above"].error(f"{above} is no agency of this directory")
    areas = {cover for place in places.values() for cover in place.covers}
    services: dict[str, Service] = {}
    for node in fields["services"].each():
        service = _service(node, id, codes, (*places, *sorted(areas), "country"))
        if service.id in services:
            node.error(f"service {service.id} is there twice")
        services[service.id] = service
    home = any(service.roles & properties.get(HOME, frozenset()) for service in services.values())
    agency = Agency(
        id=id,
        names=_names(fields["names"]),
        municipality=fields["municipality"].word(("", *places), "municipality"),
        reach=REACHES.get(fields["reach"].word(REACHES, "reach"), Reach.UNKNOWN),
        ladder=ladder,
        languages=fields["languages"].words(codes.get("language", ()), "language"),
        desk=fields["desk"].yes(),
        above=above,
        hours=_hours(fields["hours"]) if "hours" in fields else None,
        signing=read_signing(fields["signing"], id),
        unverified=fields["unverified"].yes(),
        telephone=_telephone(fields["telephone"], home) if "telephone" in fields else "",
    )
    return agency, tuple(services.values())


def _telephone(node: Node, home: bool) -> str:
    """Read the number of an office. Where people are kept safe there is none: its first digits would tell where that is."""
    number = node.word()
    if not TELEPHONE.fullmatch(number):
        node.error('the number of an office is written "+38338000111", between quotes')
    if home:
        node.error("where people are kept safe has no telephone here; its desk keeps the number")
    return number


def _names(node: Node) -> Names:
    found = names(node)
    for language, value in node.items():
        if PERSONAL.search(found.get(language, "")):
            value.error(f"this looks like an address or a telephone number; {NO_PERSON}")
    return found


def _service(node: Node, agency: str, codes: Mapping[str, tuple[str, ...]], areas: tuple[str, ...]) -> Service:
    fields = node.fields(("id", "roles", "covers"), ("tags", "ages", "sexes", "places"), why=NO_PERSON)
    id = id_of(fields["id"])
    if not id.startswith(f"{agency}."):
        fields["id"].error(f"the id of a service begins with its agency: {agency}.…")
    ages = [age.number(0, 120) for age in fields["ages"].each()] or [0, 120]
    if len(ages) != 2 or ages[0] > ages[1]:
        fields["ages"].error("ages are two numbers, youngest and oldest, e.g. [0, 17]")
    return Service(
        id=id,
        agency=agency,
        roles=frozenset(fields["roles"].words(codes.get("role", ()), "role", least=1)),
        tags=frozenset(fields["tags"].words(TAGS, "tag")),
        covers=frozenset(fields["covers"].words(areas, "area", least=1)),
        ages=(ages[0], ages[-1]),
        sexes=frozenset(fields["sexes"].words(codes.get("sex", ()), "sex")),
        places=fields["places"].number(0, 10_000) if fields["places"].there() else None,
    )


def _hours(node: Node) -> Hours:
    """Read office hours, in local time of the calendar. An agency without hours is open day and night."""
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
    return (int(match[1]) * 60 + int(match[2])) * MINUTE_US


ED25519 = b"\x01"
SIGNATURE = 64
"""Bytes of an Ed25519 signature (RFC 8032)."""
KEYS = 8
"""Keys that an agency may have at once (ours): two systems, each with an old and a new key during a change, and as many again."""


def read_signing(node: Node, agency: str) -> Signing:
    """Read `signing: {must: true, keys: [...], vouched: [...]}`; errors are reported to the reader."""
    if not node.there():
        return Signing()
    fields = node.fields(("keys",), ("must", "vouched"))
    found: list[SigningKey] = []
    for item in fields["keys"].each():
        key = signing_key(word := item.word(what="key"))
        if key is None:
            item.error("a key is name+id+base64, as `referral agency key` prints it")
        elif word.partition("+")[0] != agency:
            item.error(f"a key of {agency} has the name {agency}")
        elif any(key.id == other.id for other in found):
            item.error(f"key {key.id} stands here twice")
        else:
            found.append(key)
    if fields["keys"].is_list() and len(fields["keys"].each()) > KEYS:
        fields["keys"].error(f"an agency has at most {KEYS} keys at once")
    if (must := fields["must"].yes()) and not found:
        fields["must"].error("who must sign needs a key")
    vouched = [_signature(item) for item in fields["vouched"].each()]
    return Signing(must=must, keys=tuple(found), vouched=tuple(vouched))


def _signature(node: Node) -> bytes:
    try:
        value = b64decode(node.word(what="signature"), validate=True)
    except ValueError:
        value = b""
    if len(value) != SIGNATURE:
        node.error("an older key's signature of a new one is base64 of 64 bytes, as `referral agency key --old` prints it")
    return value


def signing_key(word: str) -> SigningKey | None:
    """Return a key from its one written form; None for everything else, also for a key of another kind."""
    name, _, rest = word.partition("+")
    try:
        data = b64decode(rest.partition("+")[2], validate=True)
    except (Error, ValueError):
        return None
    if len(data) != 33 or data[:1] != ED25519 or not name:
        return None
    digits = hashlib.sha256(f"{name}\n".encode() + data).hexdigest()[:8]
    if word != f"{name}+{digits}+{b64encode(data).decode()}":
        return None
    return SigningKey(id=f"{name}+{digits}", public=data[1:])
