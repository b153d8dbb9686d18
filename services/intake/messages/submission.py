"""Turn the body of a referral into the event that intake emits and the sections that stay at intake. Pure: HTTP and Kafka give the same
result."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from referral.domain.contradictions import contradictions
from referral.domain.entered_times import AHEAD, entered, is_possible
from referral.domain.events import ActorKind, Claim, Consent, ConsentState, Door, ReferralSubmitted, Traits
from referral.errors import Rejected
from referral.wire import codec, event_digest
from services.intake.messages import strict_json
from services.intake.messages.timestamps import micros
from services.intake.policy_view import Lists

NIL = "00000000-0000-0000-0000-000000000000"
UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
EXCLUDES = 32
"""Actors that one referral may exclude (ours): as many as one event lists candidates."""
LATER = " … [vijon më vonë · nastavak sledi kasnije · наставак следи касније · the rest comes later]"
"""Words that stand where only the beginning of a text was stored. The reader may know any of the languages."""
Id = Annotated[str, Meta(pattern=UUID, description="An id that this service gave, in lower case.")]


class TraitsBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The traits of a person that a procedure may look at. Codes only. times: code → when it was, e.g. held-since; leave out what is not
    know."""

    concern: str
    age: str
    found_in: str
    urgency: str
    age_band: str = "unknown"
    sex: str = "unknown"
    home: str = ""
    origin: str = "unknown"
    asylum: str = "unknown"
    languages: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    times: dict[str, Annotated[datetime, Meta(tz=True)]] = {}


class ConsentBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agreement: its giver, and its extent.

    state: GIVEN, REFUSED, WITHDRAWN or NOT_ASKED. Empty scope and recipients mean all that the procedure names.
    """

    state: str
    basis: str
    giver: str
    scope: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    until: Annotated[datetime, Meta(tz=True)] | None = None


class ReferralBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request for one person. case_id: only for a further referral of a case that you may see. drill: an exercise.
    file: the personal facts by section; they stay at intake, encrypted, and only what an offer names is ever shown.
    excludes: who must be kept away from the first moment, as kind:id: agency:csw-prizren, staff:<account id>, relation:parent."""

    traits: TraitsBody
    consent: ConsentBody | None = None
    case_id: Id | None = None
    drill: bool = False
    excludes: tuple[str, ...] = ()
    file: dict[str, dict[str, Any]] = {}


class Submission(Struct, frozen=True, kw_only=True):
    """A checked body. sections: (name, canonical bytes), sorted by name."""

    traits: Traits
    consent: Consent | None
    case_id: str | None
    drill: bool
    sections: tuple[tuple[str, bytes], ...]
    excludes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Submission({len(self.sections)} sections)"


def submission(data: bytes, lists: Lists) -> Submission:
    """Return the checked body of a referral. Rejected(code, JSON path, allowed values)."""
    return _checked(strict_json.parse(data, ReferralBody), lists)


def _checked(body: ReferralBody, lists: Lists) -> Submission:
    return Submission(
        traits=traits(body.traits, lists, "$.traits"),
        consent=consent(body.consent, lists, "$.consent") if body.consent else None,
        case_id=body.case_id,
        drill=body.drill,
        sections=tuple((name, section(name, body.file[name], lists, f"$.file.{_known(name)}")) for name in sorted(body.file)),
        excludes=excludes(body.excludes, lists, "$.excludes"),
    )


def excludes(actors: tuple[str, ...], lists: Lists, where: str) -> tuple[str, ...]:
    """Return the excluded actors, in the given order.

    Rejected: not kind:id, an unknown agency or relation, an invalid account id, an actor named twice, or so many desks that none is left.
    """
    listed = tuple(_actor(actor, lists, f"{where}[{i}]") for i, actor in enumerate(actors))
    if len(listed) > EXCLUDES:
        raise Rejected("out-of-range", where, f"name at most {EXCLUDES}")
    if len(set(listed)) != len(listed):
        raise Rejected("repeated-code", where, "name each once")
    if lists.country_desk != lists.oversight and {f"agency:{lists.country_desk}", f"agency:{lists.oversight}"} <= set(listed):
        raise Rejected("last-desk", where, "of the country's desk and oversight one must stay: exclude the member of staff instead")
    return listed


def _actor(text: str, lists: Lists, where: str) -> str:
    kind, colon, actor = text.partition(":")
    if not colon or kind.upper() not in tuple(ActorKind)[1:]:
        raise Rejected("unknown-code", where, "write agency:<id>, staff:<account id> or relation:<word>")
    return f"{kind.lower()}:{excluded(ActorKind(kind.upper()), actor, lists, where)}"


def excluded(kind: ActorKind, actor: str, lists: Lists, where: str) -> str:
    """Return the id of an excluded actor. Rejected: no such agency or relation, or an invalid account id."""
    if kind is ActorKind.STAFF:
        if not is_id(actor):
            raise Rejected("unknown-code", where, "name a member of staff by account id")
        return actor
    return lists.word("agency" if kind is ActorKind.AGENCY else "relation", actor, where)


class RecordBody(ReferralBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A referral as a record holds it. event_salt: of the digest of its words, where its signature covers one."""

    event_salt: Annotated[str, Meta(pattern=rf"^{event_digest.SALT.pattern}$")] = ""


def salt(data: bytes) -> str:
    """Return the salt in the body of a record whose signature covers its words. Rejected: it has none."""
    found = strict_json.parse(data, RecordBody).event_salt
    if not found:
        raise Rejected("missing-field", f"$.{event_digest.SALT_MEMBER}", "send the salt that the signature covers")
    return found


def codes_only(data: bytes, lists: Lists) -> Submission:
    """Return the checked body of a Kafka record. Rejected(personal-facts): the case file never travels on Kafka, encrypted or not."""
    submitted = _checked(strict_json.parse(data, RecordBody), lists)
    if submitted.sections:
        hint = "leave file out here; publish the codes, then PUT /v1/cases/{case_id}/file/{section} over HTTPS"
        raise Rejected("personal-facts", "$.file", hint)
    return submitted


def traits(body: TraitsBody, lists: Lists, where: str) -> Traits:
    """Return all traits of a case, each a word of its list. Rejected(contradiction): two traits that cannot both hold."""
    checked = Traits(
        concern=lists.word("concern", body.concern, f"{where}.concern"),
        age=lists.word("age", body.age, f"{where}.age"),
        age_band=lists.word("age-band", body.age_band, f"{where}.age_band"),
        sex=lists.word("sex", body.sex, f"{where}.sex"),
        found_in=lists.word("municipality", body.found_in, f"{where}.found_in"),
        home=lists.word("municipality", body.home, f"{where}.home", empty=True),
        urgency=lists.word("urgency", body.urgency, f"{where}.urgency"),
        origin=lists.word("origin", body.origin, f"{where}.origin"),
        asylum=lists.word("asylum", body.asylum, f"{where}.asylum"),
        languages=lists.words("language", body.languages, f"{where}.languages"),
        flags=lists.words("flag", body.flags, f"{where}.flags"),
        times=entered({lists.word("time", code, f"{where}.times"): micros(at) for code, at in body.times.items()}),
    )
    for clash in contradictions(checked):
        raise contradiction(f"{where}.{clash.one}", f"{where}.{clash.other}", clash.why)
    return checked


def check_times(said: Traits, where: str, now: int) -> None:
    """Refuse a time that cannot be meant. now: µs UTC, when the door took it. Rejected(out-of-range)."""
    for one in said.times:
        if not is_possible(one.code, one.at, now):
            hint = "the end of an order lies at most 20 years ahead" if one.code in AHEAD else "a time that has been is not later than now"
            raise Rejected("out-of-range", f"{where}.times.{one.code}", f"{hint}, and no time lies before the year 2000")


def contradiction(one: str, other: str, why: str) -> Rejected:
    """Return the refusal of two fields that contradict each other. Only the sender knows which of them is right."""
    return Rejected(
        "contradiction", one, f"{one} and {other} cannot both hold: {why}; correct the wrong one, and send unknown where it is not known"
    )


def consent(body: ConsentBody, lists: Lists, where: str) -> Consent:
    """Return a consent, each word checked against its list."""
    if body.state not in list(ConsentState)[1:]:
        raise Rejected("unknown-code", f"{where}.state", f"use one of: {', '.join(list(ConsentState)[1:])}")
    return Consent(
        state=ConsentState(body.state),
        basis=lists.word("basis", body.basis, f"{where}.basis"),
        giver=lists.word("giver", body.giver, f"{where}.giver"),
        scope=lists.words("section", body.scope, f"{where}.scope"),
        recipients=lists.words("agency", body.recipients, f"{where}.recipients"),
        until=micros(body.until) if body.until else None,
    )


def until(agreed: Consent, end: int | None) -> Consent:
    """Return the same consent with this end, µs UTC."""
    return structs.replace(agreed, until=end)


def section(name: str, content: dict[str, Any], lists: Lists, where: str) -> bytes:
    """Return the canonical bytes of one section. Rejected: agencies do not write this section, or it is empty."""
    lists.word("written", name, where)
    if not content:
        raise Rejected("empty-section", where, "leave an empty section out")
    return strict_json.canonical(content)


def event(
    submitted: Submission, *, referral_id: str, agency: str, door: Door, received_at: int, claim: Claim | None = None
) -> ReferralSubmitted:
    """Return the event. Its `sections` are the names of the sections that were filled, never their content."""
    return ReferralSubmitted(
        referral_id=referral_id,
        agency=agency,
        door=door,
        opens=submitted.case_id is None,
        traits=submitted.traits,
        consent=submitted.consent,
        sections=tuple(name for name, _ in submitted.sections),
        excludes=submitted.excludes,
        received_at=received_at,
        claim=claim,
    )


def recorded(submitted: Submission, agency: str) -> dict[str, Any]:
    """Return the words that the event of this submission records (docs/record-signature.md)."""
    body = event(submitted, referral_id=NIL, agency=agency, door=Door.UNKNOWN, received_at=0)
    return event_digest.words_of_event(body, submitted.case_id or "", drill=submitted.drill)


def beginning(submitted: Submission, most: int) -> Submission:
    """Return the submission with the first `most` bytes of its file: whole sections, the shortest first, then as much of each text as there
    is room for. LATER stands where something is left out, so that every reader knows it."""
    left = most
    kept: list[tuple[str, bytes]] = []
    for name, content in sorted(submitted.sections, key=lambda one: (len(one[1]), one[0])):
        if len(content) <= left:
            left -= len(content)
        else:
            content, left = _shortened(msgspec.json.decode(content, type=dict[str, Any]), left), 0
        kept.append((name, content))
    return structs.replace(submitted, sections=tuple(sorted(kept)))


def _shortened(content: dict[str, Any], most: int) -> bytes:
    """Return the canonical bytes of a section: the beginning of its texts, the shortest first, and LATER."""
    texts = sorted(((name, text) for name, text in content.items() if isinstance(text, str)), key=lambda one: len(one[1]))
    kept: dict[str, Any] = {}
    for name, text in texts:
        whole, room = text.encode(), most - len(name.encode())
        if room <= 0:
            continue
        kept[name] = text if len(whole) <= room else whole[:room].decode("utf-8", "ignore") + LATER
        most = room - len(whole)
    if not any(text.endswith(LATER) for text in kept.values()):
        kept["text"] = kept.get("text", "") + LATER
    return strict_json.canonical(kept)


def sameness(submitted: Submission, agency: str) -> tuple[bytes, ...]:
    """Return bytes that are equal for two equal bodies: the event without what intake adds, the case named, and the content of each
    section."""
    _, body = codec.encode_oldest(event(submitted, referral_id=NIL, agency=agency, door=Door.UNKNOWN, received_at=0))
    flat = tuple(part for name, content in submitted.sections for part in (name.encode(), content))
    return (b"referral", body, (submitted.case_id or "").encode(), bytes([submitted.drill]), *flat)


def is_id(value: str) -> bool:
    """Return True if this is an id in the form that this service writes."""
    return re.fullmatch(UUID, value) is not None


def _known(name: str) -> str:
    """Return a section's name for an error text; `*` for a text that cannot be a name, because it may be about a person."""
    return name if len(name) <= 40 and name.isascii() and name.replace("-", "").islower() else "*"
