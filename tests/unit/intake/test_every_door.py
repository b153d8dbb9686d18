"""Every field of a referral by every door: the same submission arrives, or the door says that it has no such field.

The fields are read from the structs of the API and from the Avro schema, so a new field turns this red until each door says what it
does with it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import structs

from referral import client
from referral.cli.agency.submit import read as lines_of
from referral.domain import events as e
from referral.domain.inputs import Raw
from referral.domain.policy.directory import Signing
from referral.domain.policy.reading.agencies import signing_key
from referral.errors import Rejected
from referral.runtime.keys.case_keys import Keys
from referral.runtime.settings import CHECKOUT
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import codec, event_digest
from referral.wire import hpke as envelope
from referral.wire.schema import load
from referral.wire.signed import agency_keys
from services.intake.commands import ingress
from services.intake.commands.accept_referrals import Posting
from services.intake.htcds import reader
from services.intake.htcds import record as htcds
from services.intake.messages import strict_json, submission
from tests.harness.htcds_values import shipped, table

PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = Keys(bytes(32))
AGENCY, DAY = "school-drita", date(2026, 11, 27)
NIL = submission.NIL
CASE = "0b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11"
BASE: dict[str, Any] = {"traits": {"concern": "trafficking", "age": "uncertain", "found_in": "prizren", "urgency": "urgent"}}
CONSENT: dict[str, Any] = {"state": "GIVEN", "basis": "consent", "giver": "person"}
FIELDS: dict[str, Any] = {
    "traits.concern": "child-labour",
    "traits.age": "child",
    "traits.found_in": "peje",
    "traits.urgency": "emergency",
    "traits.age_band": "12-14",
    "traits.sex": "female",
    "traits.home": "peje",
    "traits.origin": "foreign",
    "traits.asylum": "claimed",
    "traits.languages": ["sq", "rom"],
    "traits.flags": ["unaccompanied", "siblings"],
    "traits.times": {"held-since": "2026-11-27T21:10:00+01:00"},
    "consent": CONSENT,
    "consent.state": "NOT_ASKED",
    "consent.basis": "duty-to-report",
    "consent.giver": "guardian",
    "consent.scope": ["identity"],
    "consent.recipients": ["police-prizren"],
    "consent.until": "2027-06-30T00:00:00Z",
    "case_id": CASE,
    "drill": True,
    "excludes": ["agency:police-prizren", "relation:parent"],
    "file": {"identity": {"name": "Testa Shembull (made up)"}},
}
"""Each field of the API with a value that it does not have by itself."""
HTCDS: dict[str, dict[str, str] | None] = {
    "traits.concern": {"ref_Concern": "child-labour"},
    "traits.age": {"ref_Age": "child"},
    "traits.found_in": {"ref_FoundIn": "peje"},
    "traits.urgency": {"ref_Urgency": "emergency"},
    "traits.age_band": None,  # told from prs_Birthdate alone
    "traits.sex": {"prs_Gender": "Feminine"},
    "traits.home": {"prs_MailingCity": "peje"},
    "traits.origin": {"prs_Citizenship": "AL"},
    "traits.asylum": {"ref_Asylum": "claimed"},
    "traits.languages": {"prs_PrimaryLanguage": "alb", "prs_SecondaryLanguage": "rom"},
    "traits.flags": {"ref_Flags": "unaccompanied;siblings"},
    "traits.times": None,
    "consent": {"con_Consent": "true", "ref_ConsentGiver": "person"},
    "consent.state": None,
    "consent.basis": None,
    "consent.giver": {"con_Consent": "true", "ref_ConsentGiver": "guardian"},
    "consent.scope": None,
    "consent.recipients": None,
    "consent.until": None,
    "case_id": None,
    "drill": {"ref_Drill": "true"},
    "excludes": {"ref_Excludes": "agency:police-prizren;relation:parent"},
    "file": {"prs_FirstName": "Testa Shembull (made up)"},
}
"""The columns that carry a field; None: HTCDS has none, and a column with that name is told as ignored."""
OURS = ("referral_id", "agency", "door", "received_at", "claim", "signed")
"""Fields of the event that the door itself fills, whoever sent it; `agency` must be the topic's own."""
AVRO = {"opens": "case_id", "sections": "file"}
"""Fields of the event under another name than the API's."""


def fields(kind: Any = submission.ReferralBody, before: str = "") -> Iterable[str]:
    """The path of every field of the API's body."""
    for field in msgspec.structs.fields(kind):
        path = before + field.name
        inner = next((one for one in (field.type, *getattr(field.type, "__args__", ())) if hasattr(one, "__struct_fields__")), None)
        if inner is None or field.name == "consent":
            yield path
        if inner is not None:
            yield from fields(inner, path + ".")


def body(path: str) -> dict[str, Any]:
    """A referral with this field set."""
    made: dict[str, Any] = json.loads(json.dumps(BASE))
    if path.startswith("consent"):
        made["consent"] = dict(CONSENT)
    place, _, name = path.rpartition(".")
    (made[place] if place else made)[name] = FIELDS[path]
    return made


def by_http(made: dict[str, Any]) -> submission.Submission:
    return submission.submission(json.dumps(made).encode(), shipped())


def published(value: bytes, *headers: tuple[str, bytes]) -> submission.Submission:
    sealed = envelope.encrypt(PRIVATE.public_key(), f"ingress.{AGENCY}", value)
    raw = Raw(agency=AGENCY, key=None, value=sealed, headers=(("ce_id", b"our-1"), *headers))
    found = ingress.decode(raw, PRIVATE, KEYS, shipped())
    if not isinstance(found, Posting):
        raise found.why
    return found.referral


def by_json_on_kafka(made: dict[str, Any]) -> submission.Submission:
    return published(json.dumps(made).encode())


def by_avro_on_kafka(made: dict[str, Any]) -> submission.Submission:
    """As a sender writes the event: names as in the schema, what the schema has no field for as the page says."""
    blank = dict.fromkeys(("age_band", "sex", "origin", "asylum"), "unknown") | {"home": "", "languages": [], "flags": []}
    consent, times = made.get("consent"), made["traits"].get("times", {})
    if consent is not None:
        until = consent.get("until")
        consent = {"scope": [], "recipients": [], **consent, "until": micros_of(until) if until else None}
    plain = {
        "referral_id": NIL,
        "agency": AGENCY,
        "door": "KAFKA",
        "opens": "case_id" not in made,
        "traits": blank | made["traits"] | {"times": [{"code": code, "at": micros_of(at)} for code, at in times.items()]},
        "consent": consent,
        "sections": sorted(made.get("file", {})),
        "excludes": made.get("excludes", []),
        "received_at": 0,
        "claim": None,
    }
    type_, value = codec.encode_oldest(msgspec.convert(plain, e.ReferralSubmitted))
    drill = (("ce_drill", b"true"),) if made.get("drill") else ()
    return published(value, ("content-type", b"application/avro"), ("ce_type", f"referral.{type_}".encode()), *drill)


def micros_of(at: str) -> int:
    return int(datetime.fromisoformat(at).astimezone(UTC).timestamp()) * 1_000_000


def by_command(made: dict[str, Any]) -> submission.Submission:
    """A line of a .jsonl file, as `referral submit` posts it."""
    [line] = lines_of(Path("week.jsonl"), json.dumps({**made, "key": "our-1"}).encode())
    return submission.submission(line.body, shipped())


DOORS: dict[str, tuple[Callable[[dict[str, Any]], submission.Submission], dict[str, tuple[str, str]]]] = {
    "JSON on Kafka": (by_json_on_kafka, {"file": ("personal-facts", "$.file")}),
    "Avro on Kafka": (by_avro_on_kafka, {"file": ("personal-facts", "sections"), "case_id": ("unknown-case", "opens")}),
    "a line of a file": (by_command, {}),
}
"""Door → how it is sent there, and the fields that this door says it does not take, each with its refusal."""


def test_every_field_of_the_api_is_tried() -> None:
    assert set(fields()) == set(FIELDS) == set(HTCDS)
    assert all(by_http(body(path)) != by_http(body("consent") if path.startswith("consent.") else BASE) for path in FIELDS)


def named(type_: str) -> list[str]:
    """The fields of a schema, by name."""
    return [str(field["name"]) for field in load.load(CHECKOUT / "schemas/avro").by_type[type_].definition["fields"]]


@pytest.mark.parametrize("name", named(e.ReferralSubmitted.TYPE))
def test_every_field_of_the_event_is_the_sender_s_or_the_door_s(name: str) -> None:
    assert (name in OURS) != (AVRO.get(name, name) in submission.ReferralBody.__struct_fields__)


@pytest.mark.parametrize("shared", ["traits.v2", "consent.v1"])
def test_what_is_shared_has_the_same_fields_in_the_api_and_in_the_schema(shared: str) -> None:
    kind = {"traits.v2": submission.TraitsBody, "consent.v1": submission.ConsentBody}[shared]
    assert set(named(shared)) == set(kind.__struct_fields__)


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("door", DOORS)
def test_a_field_arrives_by_this_door_or_the_door_says_that_it_does_not_take_it(door: str, path: str) -> None:
    send, refuses = DOORS[door]
    if path not in refuses:
        assert send(body(path)) == by_http(body(path))
        return
    with pytest.raises(Rejected) as refused:
        send(body(path))
    assert (refused.value.code, refused.value.where) == refuses[path] and refused.value.hint


def rows(cells: dict[str, str]) -> tuple[bytes, bytes]:
    """The same record as a CSV and as JSON."""
    text = io.StringIO()
    csv.writer(text).writerows([list(cells), list(cells.values())])
    return text.getvalue().encode(), json.dumps([cells]).encode()


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_arrives_by_a_file_of_htcds_or_the_file_s_answer_says_that_it_has_none(path: str) -> None:
    cells = HTCDS[path]
    base = {"ref_FoundIn": "prizren", "ref_Urgency": "urgent"}
    for read, data in zip((reader.from_csv, reader.from_json), rows(base | (cells or {f"ref_{path.title()}": "x"})), strict=True):
        sheet = read(data, table())
        [record] = sheet.records
        if cells is None:
            assert [note.hint for note in sheet.ignored] == [reader.UNNAMED]
            continue
        assert sheet.ignored == ()
        found = htcds.read(record, table(), shipped(), DAY)
        assert isinstance(found, htcds.ValidRecord)
        wanted = by_http(body(path))
        assert place(found.submission, path) == place(wanted, path)


def place(found: submission.Submission, path: str) -> Any:
    """What arrived in a field."""
    name, _, inner = path.partition(".")
    if name == "file":
        return {section: sorted(strict_json.read(content).values()) for section, content in found.sections}["identity"]
    value = getattr(found, name)
    if path == "consent":
        return value.state, value.giver
    return getattr(value, inner) if inner else value


@pytest.mark.parametrize(("said", "drill"), [(b"true", True), (b"false", False)])
def test_an_avro_record_says_in_a_header_whether_it_is_an_exercise(said: bytes, drill: bool) -> None:
    value = codec.encode_oldest(avro())[1]
    assert published(value, ("content-type", b"application/avro"), ("ce_drill", said)).drill is drill


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ((("content-type", b"application/avro"), ("ce_drill", b"yes")), "wrong-type"),
        ((("content-type", b"application/avro"), ("ce_drill", b"")), "wrong-type"),
        ((("ce_drill", b"true"),), "not-asked"),
    ],
)
def test_a_header_that_says_neither_or_stands_beside_json_is_refused(headers: tuple[tuple[str, bytes], ...], code: str) -> None:
    value = codec.encode_oldest(avro())[1] if len(headers) == 2 else json.dumps(BASE).encode()
    with pytest.raises(Rejected) as refused:
        published(value, *headers)
    assert (refused.value.code, refused.value.where) == (code, "ce_drill")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda value: b"\0" + value[37:], "an id is a UUID in lower case"),
        (lambda value: b"\0\0\0\0\7" + value, "a schema registry's magic byte"),
        (lambda value: b"\xc3\1" + bytes(8) + value, "a single object"),
        (lambda value: b"\0\0\0\0\7", "an id is a UUID in lower case"),
        (lambda value: value[:-1], "truncated"),
        (lambda value: value[:37] + b"\xff" + value[38:], "send the bare Avro body"),
    ],
    ids=["empty id", "registry", "single object", "frame of nothing", "cut", "garbage"],
)
def test_a_refused_avro_body_is_said_to_be_framed_only_if_it_is(broken: Callable[[bytes], bytes], says: str) -> None:
    """An empty `referral_id` begins with 0x00, its length: the hint named a frame that was not there."""
    with pytest.raises(Rejected) as refused:
        published(broken(codec.encode_oldest(avro())[1]), ("content-type", b"application/avro"))
    assert refused.value.code == "body" and says in refused.value.hint
    assert ("begins with" in refused.value.hint) == ("magic" in says or "object" in says)


def avro() -> e.ReferralSubmitted:
    """The body of an event with nothing in it but what must be."""
    return submission.event(by_http(BASE), referral_id=NIL, agency=AGENCY, door=e.Door.KAFKA, received_at=0)


SALT = "c2FsdC1vZi1hLXZlY3Rvcg-1"
NOTE_KEY = SignerKey(AGENCY, ED25519, bytes(32))
LISTED = signing_key(NOTE_KEY.verifier.encode().decode())


def record(made: dict[str, Any], said: dict[str, Any] | None = None, **headers: bytes | None) -> Posting | ingress.Unreadable:
    """A signed record of this body, whose signature covers the words of `said`. headers: changed; None takes one away."""
    assert LISTED is not None
    lists = structs.replace(shipped(), signing=agency_keys.after({}, {AGENCY: Signing(must=True, keys=(LISTED,))}, 0))
    value = envelope.encrypt(PRIVATE.public_key(), f"ingress.{AGENCY}", json.dumps(made).encode())
    signer = client.SigningKey(NOTE_KEY.encode().decode())
    covered = json.dumps(made if said is None else said).encode()
    sent = dict(client.sign_record(signer, f"ingress.{AGENCY}", value, id="our-1", sequence=1, body=covered))
    named = {name: given for name, given in {**sent, **headers}.items() if given is not None}
    return ingress.decode(Raw(agency=AGENCY, key=None, value=value, headers=tuple(named.items())), PRIVATE, KEYS, lists)


def test_a_record_binds_its_words_and_the_salt_is_in_no_header() -> None:
    made = {**BASE, "event_salt": SALT}
    found = record(made)
    assert isinstance(found, Posting) and found.signed is not None
    claimed = event_digest.claimed(found.signed)
    assert claimed is not None and claimed.holds(submission.recorded(found.referral, AGENCY))
    value, signer = b"x", client.SigningKey(NOTE_KEY.encode().decode())
    sent = client.sign_record(signer, f"ingress.{AGENCY}", value, id="our-1", sequence=1, body=json.dumps(made).encode())
    assert not any(SALT.encode() in text for _, text in sent)


@pytest.mark.parametrize(
    ("made", "said", "headers", "code"),
    [
        ({"event_salt": SALT}, {"drill": True, "event_salt": SALT}, {}, "event-digest-differs"),
        ({"event_salt": SALT}, {"event_salt": f"{SALT}x"}, {}, "wrong-signature"),
        ({}, {"event_salt": SALT}, {}, "missing-field"),
        ({"event_salt": "short"}, {"event_salt": SALT}, {}, "wrong-type"),
        ({"event_salt": SALT}, None, {"ce_eventdigest": None}, "wrong-signature"),
        ({"event_salt": SALT}, None, {"ce_eventsalt": SALT.encode()}, "bad-signature"),
        ({"event_salt": SALT}, None, {"ce_signedextattrs": b"topic,key,sequence,eventdigest"}, "bad-signature"),
    ],
)
def test_a_record_whose_words_are_not_those_that_it_signed_is_refused(
    made: dict[str, Any], said: dict[str, Any] | None, headers: dict[str, bytes | None], code: str
) -> None:
    found = record({**BASE, **made}, {**BASE, **said} if said else None, **headers)
    assert isinstance(found, ingress.Unreadable) and (found.why.code, bool(found.why.hint)) == (code, True)


def test_a_record_signed_as_before_is_taken_with_or_without_a_salt() -> None:
    for made in (BASE, {**BASE, "event_salt": SALT}):
        found = record(made, {})
        assert isinstance(found, Posting) and found.signed is not None and event_digest.claimed(found.signed) is None
