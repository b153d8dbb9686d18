"""Vectors of the values that audit itself writes, of operators' acts, and of sealed security events (sections 9, 12.4 and 16)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from msgspec import UNSET, DecodeError, Struct, json, structs

from referral.errors import Malformed
from referral.proof import act, cover, heartbeat, reading, security
from referral.proof.act import Act, State
from referral.proof.entry import Entry, Gap, Kind
from referral.proof.heartbeat import Heartbeat
from referral.proof.reading import How, Reading
from referral.tlog import merkle
from referral.wire.act_table import BY_TWO, MAY_END
from referral.wire.security_event import Kind as EventKind
from referral.wire.security_event import Row
from referral.wire.signed import operator_word, statements
from referral.wire.signed.operator_word import ENDED, Operators, Word
from tests.vectors.form import Vector, VectorFile, bad, each_field, good, plain, public, secret
from tests.vectors.leaves import AT, CASE

FIRST, SECOND = "operator/one", "operator/two"
OPERATORS = Operators({FIRST: public(0x31), SECOND: public(0x32)})
BEAT = Heartbeat(ends={"referral-policy": [1], "referral-intake": [0] * 11 + [9]}, unread={}, drill=False, salt="5a" * 16)
BEATS: dict[str, Any] = {
    "ends": None,
    "unread": {"referral-intake/11": 8},
    "drill": True,
    "events": 2,
    "seal": "ab" * 32,
    "salt": "",
}
READING = Reading(reader="operator", how=How.EXPORT, cases=(CASE,), lent="cd" * 32)
READINGS: dict[str, Any] = {"reader": "ombudsperson", "how": How.PAGE, "cases": (), "lent": "", "token": "token:0123456789abcdef"}
GAP = Gap(topic="referral-intake", case_id=CASE, expected=2, came=4)
GAPS: dict[str, Any] = {"topic": "referral-routing", "case_id": "00000000-0000-4000-8000-00000000000f", "expected": 1, "came": 3}
COMMAND, NOW, SALT = "staff password", AT // 1_000_000, bytes([0x53]) * 16
DIGEST = sha256(SALT + b"the exact command").hexdigest()


def word(to: str = FIRST, command: str = COMMAND, by: str = SECOND, key: int = 0x32, until: int = NOW + 3600, digest: str = DIGEST) -> Word:
    return Word(by=by, digest=digest, until=until, signature=secret(key).sign(operator_word.statement(to, command, digest, until)))


PLAIN = Act(id="0a" * 16, command=COMMAND, state=State.DONE, by=FIRST, at=AT, arguments="0b" * 32, about=("account:a1",), second=word())
ACT = PLAIN.signed(secret(0x31))
ACTS: dict[str, Any] = {
    "id": "0c" * 16,
    "command": "staff disable",
    "state": State.BEGUN,
    "by": SECOND,
    "at": AT + 1,
    "arguments": "0d" * 32,
    "about": (),
    "second": word(command="staff enable"),
    "signature": bytes(64),
}


def own() -> VectorFile:
    """Each value with each of its fields changed, and values that no reader takes."""
    found = [*_fields("HEARTBEAT", BEAT, BEATS), *_fields("READING", READING, READINGS), *_fields("GAP", GAP, GAPS)]
    found += _fields("ADMINISTRATION", ACT, ACTS)
    found += [good(f"READING how {how}", **_value("READING", structs.replace(READING, how=how))) for how in How]
    found += [good(f"ADMINISTRATION state {state}", **_value("ADMINISTRATION", structs.replace(ACT, state=state))) for state in State]
    bare = structs.replace(ACT, second=UNSET, signature=UNSET)
    found.append(good("ADMINISTRATION without second and signature", **_value("ADMINISTRATION", bare)))
    found.append(good("COVER", kind=Kind.COVER, value=bytes([0xC0]) * cover.BYTES))
    assert not cover.fits(bytes(15))
    found.append(bad("COVER of 15 bytes", "nothing hides in cover", "COVER", kind=Kind.COVER, value=bytes([0xC0]) * 15))
    return VectorFile("9", [*found, *_refused()])


def _fields(kind: str, base: Any, others: dict[str, Any]) -> Iterator[Vector]:
    yield good(kind, **_value(kind, base))
    for name, changed in each_field(base, others):
        yield good(f"{kind} field {name}", **_value(kind, changed))


def _value(kind: str, value: Any) -> dict[str, Any]:
    data: bytes = value.encode()
    assert READ[kind](data) == value
    return {"kind": kind, "value_text": data.decode(), "value": data}


def _beat(value: bytes) -> Struct:
    place: dict[str, Any] = {"topic": "", "partition": -1, "offset": -1, "kafka_time": 0, "key": None}
    return heartbeat.read(Entry(idx=0, kind=Kind.HEARTBEAT, value=value, sha256=sha256(value).digest(), **place))


READ: dict[str, Callable[[bytes], Struct]] = {
    "HEARTBEAT": _beat,
    "READING": reading.parse,
    "GAP": lambda value: json.decode(value, type=Gap),
    "ADMINISTRATION": act.parse,
}


def _refused() -> Iterator[Vector]:
    for kind, why, value in (
        ("HEARTBEAT", "a field that is not known", {**json.decode(BEAT.encode()), "more": 1}),
        ("HEARTBEAT", "drill is missing", {"ends": None, "unread": {}}),
        ("HEARTBEAT", "null for an absent field", {**json.decode(BEAT.encode()), "salt": None}),
        ("GAP", "a field that is not known", {**json.decode(GAP.encode()), "more": 1}),
        ("GAP", "came is missing", {"topic": GAP.topic, "case_id": GAP.case_id, "expected": 2}),
        ("READING", "a field that is not known", {**json.decode(READING.encode()), "more": 1}),
        ("ADMINISTRATION", "a field that is not known", {**json.decode(ACT.encode()), "more": 1}),
        ("ADMINISTRATION", "a field of the word that is not known", {**json.decode(ACT.encode()), "second": {**_word(), "more": 1}}),
        ("READING", "a way that is not known", {**json.decode(READING.encode()), "how": "COPY"}),
        ("READING", "a token in another form", {**json.decode(READING.encode()), "token": "token:0123"}),
        ("ADMINISTRATION", "an id of 31 digits", {**json.decode(ACT.encode()), "id": "0" * 31}),
        ("ADMINISTRATION", "no operator", {**json.decode(ACT.encode()), "by": "one"}),
        ("ADMINISTRATION", "a command in capitals", {**json.decode(ACT.encode()), "command": "Staff add"}),
        ("ADMINISTRATION", "a subject with an address", {**json.decode(ACT.encode()), "about": ["account:a@example"]}),
        ("ADMINISTRATION", "a digest of the arguments in another form", {**json.decode(ACT.encode()), "arguments": "x"}),
        ("ADMINISTRATION", "a word's digest in another form", {**json.decode(ACT.encode()), "second": {**_word(), "digest": "x"}}),
    ):
        data = json.encode(value, order="sorted")
        try:
            READ[kind](data)
        except (Malformed, DecodeError):
            yield bad(f"{kind}: {why}", why, kind, kind=kind, value_text=data.decode(), value=data)
            continue
        raise AssertionError(f"{kind}: {why}: it is read")


def _word() -> dict[str, Any]:
    held: dict[str, Any] = json.decode(ACT.encode())["second"]
    return held


def operators() -> VectorFile:
    """The two signed texts, each field of them, and acts that are not of two operators."""
    who = {"operators": plain(OPERATORS.keys)}
    stated = operator_word.statement(FIRST, COMMAND, DIGEST, NOW + 3600)
    text = statements.write(statements.Kind.OPERATOR_ACT, rest=PLAIN.encode())
    found = [
        good(
            "word",
            to=FIRST,
            command=COMMAND,
            digest_text=DIGEST,
            until=NOW + 3600,
            signed=stated,
            by=SECOND,
            public=public(0x32),
            signature=word().signature,
        ),
        good("act", signed=text, signed_text=text.decode(), by=FIRST, public=public(0x31), signature=ACT.signature),
        *(good(f"takes two: {command}", command=command, about=[], two=operator_word.by_two(command, ())) for command in sorted(BY_TWO)),
        *(
            good(f"ends: {one}", command=one, about=[f"{ENDED}token"], two=operator_word.by_two(one, (f"{ENDED}token",)))
            for one in sorted(MAY_END)
        ),
        good("takes one: staff disable", command="staff disable", about=[], two=operator_word.by_two("staff disable", ())),
    ]
    found += [good("an act of two operators", **who, value_text=ACT.encode().decode(), at=ACT.at)]
    assert not ACT.lacks(OPERATORS)
    for name, why, one in _alone():
        assert one.lacks(OPERATORS), name
        found.append(bad(name, why, "an act of two operators", **who, value_text=one.encode().decode()))
    return VectorFile("12.4", found)


def _alone() -> Iterator[tuple[str, str, Act]]:
    """Yield acts that lack something. Each field of the act and of the word is changed once without a new signature."""
    for name, changed in each_field(ACT, {**ACTS, "command": "staff enable", "second": word(until=NOW + 3599)}):
        yield f"field {name} changed after signing", "the first operator did not sign this", changed
    held = word()
    words: dict[str, Any] = {"by": "operator/three", "digest": "0e" * 32, "until": NOW + 3599, "signature": bytes(64)}
    for name, changed_word in each_field(held, words):
        yield f"word: field {name} changed", "the second operator did not sign this", _with(changed_word)
    yield "one operator twice", "the same operator gave the word and used it", _with(word(by=FIRST, key=0x31))
    yield "a word for another operator", "it is for another operator", _with(word(to=SECOND))
    yield "a word for another command", "it is for another command", _with(word(command="staff enable"))
    yield "a word that had ended", "until is before at", _with(word(until=NOW - 1))
    yield "a word of more than an hour", "until is more than 3,660 s after at", _with(word(until=NOW + 3661))
    yield "signed by the second alone", "by did not sign it", PLAIN.signed(secret(0x32))


def _with(second: Word) -> Act:
    return structs.replace(PLAIN, second=second).signed(secret(0x31))


ROW = Row(id=1, at=AT, service="intake", kind=EventKind.SIGNED_IN, who="account:a1", detail="page", place="0a1b2c3d4e5f", times=1, idx=None)
ROWS: dict[str, Any] = {
    "id": 3,
    "at": AT + 1,
    "service": "audit",
    "kind": EventKind.REFUSED,
    "who": "unknown",
    "detail": "password",
    "place": "",
    "times": 4,
    "idx": 17,
}


def events() -> VectorFile:
    """The seal of security events: of none, of one with each field changed, and of several."""
    found = [good("none", rows=[], events=0, seal_text="")]
    several = [structs.replace(ROW, id=n, times=n) for n in (1, 2, 3, 5, 8)]
    found.append(good("five, in the order of their ids", rows=several, events=5, seal_text=security.root(several)))
    for name, row in each_field(ROW, ROWS):
        leaf = json.encode([row.id, row.at, row.service, row.kind, row.who, row.detail, row.place, row.times])
        assert security.root([row]) == merkle.leaf_hash(leaf).hex()
        found.append(good(f"field {name}", rows=[row], leaf_text=leaf.decode(), events=1, seal_text=security.root([row])))
    found += [
        good(f"kind {kind}", rows=[structs.replace(ROW, kind=kind)], events=1, seal_text=security.root([structs.replace(ROW, kind=kind)]))
        for kind in EventKind
    ]
    why = "the root is that of other rows"
    return VectorFile(
        "16", [*found, bad("a row is missing", why, found[1]["name"], rows=several[:-1], events=5, seal_text=security.root(several))]
    )
