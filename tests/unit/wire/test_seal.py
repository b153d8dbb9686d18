"""A record value opens only as it was written, and its body only with the case's key, on its topic, under its meta."""

from __future__ import annotations

import io
import sys
from base64 import b64encode
from typing import Any

import fastavro
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed
from referral.wire import codec, seal
from referral.wire.schema.load import written
from referral.wire.signed import erasure_approval, trust_lines
from tests.harness.erased import INTAKE, PLAIN, erased
from tests.harness.wire_values import ANY_BODY, METAS, SCHEMAS, plain

KEY, NONCE, TOPIC = bytes(range(32)), bytes(range(12)), "referral-routing"
META = Meta(
    event_id="5e0c4b1e-7a53-4c53-9d3e-0f4a7b1d2c3d",
    case_id="00000000-0000-4000-8000-000000000001",
    case_seq=7,
    type="rung-failed.v1",
    fingerprint=codec.fingerprint("rung-failed.v1"),
    cause_id="00000000-0000-4000-8000-000000000002",
    recorded_at=1_700_000_000_000_000,
    source="notifier",
    drill=False,
)
VALUE = seal.seal(KEY, TOPIC, META, b"the body", NONCE)
ERASED = replace(META, type=CaseErased.TYPE, fingerprint=codec.fingerprint(CaseErased.TYPE))
FIRST = replace(META, type="case-erased.v1", fingerprint=codec.fingerprint("case-erased.v1"))
SECOND = replace(META, type="case-erased.v2", fingerprint=codec.fingerprint("case-erased.v2"))
SECOND_BODY = codec.encode(PLAIN).removesuffix(bytes(3)) + b"\x02\x40" + bytes(32)
"""As version 2 was written: a tag of 32 bytes in the place of the three signatures."""


@given(METAS, ANY_BODY, st.binary(min_size=32, max_size=32), st.binary(min_size=12, max_size=12))
def test_what_was_sealed_opens_and_unseals(meta: Any, body: Any, key: bytes, nonce: bytes) -> None:
    data = codec.encode(body)
    envelope = seal.open(seal.seal(key, TOPIC, meta, data, nonce))
    assert (envelope.meta, envelope.nonce) == (meta, nonce)
    assert envelope.meta_bytes == codec.encode(meta)
    assert seal.unseal(key, TOPIC, envelope) == data


def test_a_value_is_the_avro_record_sealed() -> None:
    schema = fastavro.parse_schema(written(SCHEMAS.by_type["sealed.v1"]), named_schemas={})
    source = io.BytesIO(VALUE)
    found = fastavro.schemaless_reader(source, schema, None)
    assert source.read() == b""
    envelope = seal.open(VALUE)
    found["meta"] = {k: str(v) if k.endswith("_id") else v for k, v in found["meta"].items() if k != "recorded_at"}
    assert found["meta"] == {k: v for k, v in plain(META).items() if k != "recorded_at"}
    assert (found["nonce"], found["sealed"]) == (envelope.nonce, envelope.sealed)


def test_the_same_record_has_the_same_bytes() -> None:
    assert seal.seal(KEY, TOPIC, META, b"the body", NONCE) == VALUE


def test_a_key_makes_its_cipher_once_and_both_end_together() -> None:
    key = seal.Key(KEY)
    holders = sys.getrefcount(key)
    assert seal.seal(key, TOPIC, META, b"the body", NONCE) == VALUE
    assert seal.unseal(key, TOPIC, seal.open(VALUE)) == b"the body"
    assert seal.cipher(key) is seal.cipher(key)
    assert sys.getrefcount(key) == holders, "a cipher that refers to its key would keep an erased case's key in memory"


def test_a_changed_byte_is_malformed() -> None:
    for at in range(len(VALUE)):
        for bit in (1, 0x80):
            changed = VALUE[:at] + bytes([VALUE[at] ^ bit]) + VALUE[at + 1 :]
            with pytest.raises(Malformed):
                seal.unseal(KEY, TOPIC, seal.open(changed))


def test_another_key_topic_or_meta_is_malformed() -> None:
    envelope = seal.open(VALUE)
    moved = seal.Envelope(meta=META, meta_bytes=codec.encode(replace(META, case_seq=8)), nonce=envelope.nonce, sealed=envelope.sealed)
    for key, topic, found in (
        (bytes(32), TOPIC, envelope),
        (KEY, "referral-intake", envelope),
        (KEY, TOPIC, moved),
        (None, TOPIC, envelope),
    ):
        with pytest.raises(Malformed) as error:
            seal.unseal(key, topic, found)
        assert error.value.reason == "seal"


def test_a_value_cut_short_is_malformed() -> None:
    for end in range(len(VALUE)):
        with pytest.raises(Malformed):
            seal.open(VALUE[:end])


def test_trailing_bytes_are_malformed() -> None:
    with pytest.raises(Malformed) as error:
        seal.open(VALUE + b"\x00")
    assert error.value.reason == "envelope"


def test_size_is_bounded_before_opening() -> None:
    with pytest.raises(Malformed) as error:
        seal.open(VALUE + bytes(seal.VALUE_LIMIT))
    assert error.value.reason == "too-large"


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda tail: VALUE[:150] + tail))
def test_any_bytes_are_an_envelope_or_malformed(value: bytes) -> None:
    try:
        envelope = seal.open(value)
    except Malformed:
        return
    assert envelope.meta_bytes + envelope.nonce == value[: len(envelope.meta_bytes) + 12]
    assert value.endswith(envelope.sealed)


def test_case_erased_travels_unsealed() -> None:
    data = codec.encode(PLAIN)
    envelope = seal.open(seal.seal(None, "referral-intake", ERASED, data, b""))
    assert envelope.sealed == data == seal.unseal(None, "referral-intake", envelope)
    assert codec.decode(ERASED.type, ERASED.fingerprint, data) == PLAIN


def test_the_first_version_of_case_erased_is_empty_and_read_as_one_that_nobody_said() -> None:
    envelope = seal.open(seal.seal(None, "referral-intake", FIRST, b"", b""))
    body = codec.decode(FIRST.type, FIRST.fingerprint, seal.unseal(None, "referral-intake", envelope))
    assert isinstance(body, CaseErased) and (body.approved_by, body.signature) == (None, None)
    assert not erasure_approval.genuine(INTAKE.intake, META.case_id, body)


def test_an_erasure_that_intake_did_not_say_or_said_of_another_case_is_not_genuine() -> None:
    case = META.case_id
    said = erased(case)
    assert erasure_approval.genuine(INTAKE.intake, case, said)
    assert not erasure_approval.genuine(INTAKE.intake, case, PLAIN)
    assert not erasure_approval.genuine(INTAKE.intake, META.event_id, said)
    other = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    assert not erasure_approval.genuine((other.public_key().public_bytes_raw(),), case, said)
    assert not erasure_approval.genuine((), case, said) and not erasure_approval.genuine(
        INTAKE.intake, case, erasure_approval.signed(other, case, PLAIN)
    )
    changes: list[dict[str, object]] = [{"basis": "other"}, {"records": 7}, {"requested_at": 9}, {"approved_at": 9}]
    for changed in (*changes, {"approved_by": said.requested_by}, {"requested_by": said.approved_by}):
        assert not erasure_approval.genuine(INTAKE.intake, case, replace(said, **changed))


def test_a_tag_that_the_master_key_makes_erases_nothing_any_more() -> None:
    """Version 2 had an HMAC that every one of five services could make: records of old logs are read, and nobody believes them."""
    data = SECOND_BODY
    envelope = seal.open(seal.seal(None, "referral-intake", SECOND, data, b""))
    body = codec.decode(SECOND.type, SECOND.fingerprint, seal.unseal(None, "referral-intake", envelope))
    assert isinstance(body, CaseErased) and body.approved_by == PLAIN.approved_by and body.signature is None
    assert not erasure_approval.genuine(INTAKE.intake, SECOND.case_id, body)


def test_the_witness_policy_names_the_keys_of_intake_in_lines_that_others_pass_over() -> None:
    more = bytes(range(32))
    policy = (
        b"# a remark\nlog x\n" + trust_lines.intake_line(INTAKE.intake[0]) + b"quorum none\n  # intake  ed25519 " + b64encode(more) + b"\n"
    )
    assert trust_lines.intake_keys(policy) == (*INTAKE.intake, more) and trust_lines.intake_keys(b"quorum none\n") == ()
    for bad in (b"# intake", b"# intake ed25519 AAAA", b"# intake rsa " + b64encode(more), b"# intake ed25519 " + b64encode(more) + b" x"):
        with pytest.raises(Malformed, match="line 2 does not name a key of intake"):
            trust_lines.intake_keys(b"quorum none\n" + bad)


def test_nothing_hides_in_case_erased_and_nothing_else_travels_unsealed() -> None:
    with pytest.raises(ValueError, match="is empty"):
        seal.seal(KEY, "referral-intake", FIRST, b"x", NONCE)
    with pytest.raises(Malformed):
        seal.unseal(KEY, "referral-intake", seal.open(codec.encode(FIRST) + bytes(12) + b"\x02x"))
    with pytest.raises(Malformed):
        codec.decode(ERASED.type, ERASED.fingerprint, codec.encode(PLAIN) + b"x")
    with pytest.raises(ValueError, match="needs the case's key"):
        seal.seal(None, TOPIC, META, b"", NONCE)
    with pytest.raises(ValueError, match="needs the case's key"):
        seal.seal(KEY, TOPIC, META, b"", b"short")
    head = codec.encode(ERASED)
    with pytest.raises(Malformed):
        seal.unseal(KEY, "referral-intake", seal.open(head + NONCE + b"\x00"))
    with pytest.raises(Malformed):
        seal.unseal(KEY, TOPIC, seal.open(codec.encode(META) + NONCE + b"\x00"))


def test_an_envelope_shows_ids_and_not_what_it_holds() -> None:
    assert repr(seal.open(VALUE)) == f"Envelope(rung-failed.v1 {META.event_id} case={META.case_id} seq=7)"
