"""`verify` judges what audit itself states: a gap stands before the record that shows it, a schema is the one that its leaf names."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import json, structs

from referral.proof.entry import Entry, Gap, Kind, digest
from referral.proof.verify.log import verify
from referral.runtime.settings import CHECKOUT
from referral.wire.schema.load import load
from services.audit import self_entries
from services.audit.ingest import Says, ingest
from tests.vectors.leaves import CASE, OTHER
from tests.vectors.order import LINES
from tests.vectors.short_log import Short


def bad(log: Short, keys: dict[str, bytes] | None = None) -> list[tuple[str, int | None]]:
    return [(f.code, f.idx) for f in verify(log.entries, log.keys if keys is None else keys).findings if f.weight.name == "BAD"]


def torn() -> Short:
    """A log in which sequence 2 of a case is missing: entry 1 says so."""
    log = Short()
    log.knock()
    log.knock(seq=3)
    log.knock(OTHER)
    assert [e.kind for e in log.entries] == [Kind.EVENT, Kind.GAP, Kind.EVENT, Kind.EVENT]
    return log


def test_a_gap_before_the_record_that_shows_it_is_only_the_gap() -> None:
    assert bad(torn()) == [("SEQUENCE_GAP", 2)]


TRUE = Gap(topic="referral-notification", case_id=CASE, expected=2, came=3)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("BODY", b"a whole story about a child"),
        ("BODY", b'{"more":1,' + TRUE.encode()[1:]),
        ("META_DIFFERS", structs.replace(TRUE, came=4).encode()),
        ("META_DIFFERS", structs.replace(TRUE, expected=3).encode()),
        ("META_DIFFERS", structs.replace(TRUE, expected=0).encode()),
        ("META_DIFFERS", structs.replace(TRUE, topic="referral-intake").encode()),
        ("META_DIFFERS", structs.replace(TRUE, case_id=OTHER).encode()),
    ],
)
def test_a_gap_that_says_something_else_is_named(code: str, value: bytes) -> None:
    log = torn()
    log.change(1, value=value, sha256=digest(value))
    assert (code, 1) in bad(log)


@pytest.mark.parametrize(
    "other",
    [
        {"offset": 90},
        {"partition": 11},
        {"topic": "referral-intake"},
        {"kafka_time": 1},
        {"key": b"x"},
        {"headers": (("x", b"y"),)},
        {"case_id": OTHER},
        {"case_seq": 2},
        {"type": "knock-sent.v1"},
        {"recorded_at": 1},
    ],
)
def test_a_gap_of_another_record_than_the_next_is_named(other: dict[str, Any]) -> None:
    log = torn()
    log.change(1, **other)
    assert ("META_DIFFERS", 1) in bad(log)


@pytest.mark.parametrize("other", [{"kafka_time": 1}, {"case_id": CASE}, {"type": "x"}, {"recorded_at": 1}, {"fingerprint": 1}])
def test_an_entry_of_audits_own_that_has_a_records_meta_is_named(other: dict[str, Any]) -> None:
    log = Short()
    log.own(Kind.COVER, bytes(16))
    log.change(0, **other)
    assert bad(log) == [("META_DIFFERS", 0)]


def stated(said: Says) -> list[Entry]:
    return ingest([], Short()._known, [said]).entries


def test_every_schema_that_audit_states_is_the_one_that_its_leaf_names() -> None:
    log = Short()
    for said in self_entries.schemas(load(CHECKOUT / "schemas" / "avro")):
        log.entries += ingest([], log._known, [said]).entries
    assert len(log.entries) > 70 and bad(log) == []


def test_a_schema_that_is_none_or_another_is_named() -> None:
    true = next(one for one in self_entries.schemas(load(CHECKOUT / "schemas" / "avro")) if one.type == "knock-sent.v1")
    laxer = json.decode(true.value)
    laxer["fields"] = laxer["fields"][:-1]
    changed = [
        structs.replace(true, value=b"not json"),
        structs.replace(true, value=b'{"type":"record"}'),
        structs.replace(true, value=b"[" * 100_000),
        structs.replace(true, value=json.encode(laxer)),
        structs.replace(true, fingerprint=true.fingerprint ^ 1),
    ]
    for said in changed:
        log = Short()
        log.entries = stated(said)
        assert bad(log) == [("BODY", 0)], said.value[:40]


@pytest.mark.parametrize("kind", [Kind.COVER, Kind.HEARTBEAT, Kind.READING, Kind.ADMINISTRATION, Kind.SCHEMA])
def test_what_audit_alone_writes_is_audits_to_answer_for(kind: Kind) -> None:
    """`findings.md` sent an office that found something hidden in a cover entry to the broker's administrator."""
    log = Short()
    log.own(kind, b"a whole story about a child")
    [found] = [one for one in verify(log.entries, {}).findings if one.weight.name == "BAD"]
    assert found.code == "BODY" and found.what.endswith("answerable: audit, which alone writes it"), found


def test_two_records_of_one_sequence_are_told_without_the_cases_key_also_beside_a_forged_one() -> None:
    log = Short()
    log.names(LINES)
    log.knock()
    log.knock(by="")
    one, two = log.knock(seq=3), log.knock(seq=3)
    assert [e.kind for e in log.entries[-2:]] == [Kind.EVENT, Kind.FORK] and one.value != two.value
    assert {("WRITER", 2), ("FORK", two.idx)} <= set(bad(log, {}))
