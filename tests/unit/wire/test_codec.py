"""What the codec takes it writes again byte for byte; everything else is Malformed, and never a crash."""

from __future__ import annotations

import io
import time
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.events import (
    CaseErased,
    Door,
    Facts,
    KnockSent,
    OfferClosed,
    PolicyActivated,
    ReferralSubmitted,
    RungFailed,
    Traits,
    Why,
)
from referral.errors import Malformed, NewerVersion
from referral.wire import avro, codec
from tests.harness.wire_values import ANY_BODY, SCHEMAS, TYPES

ID = "5e0c4b1e-7a53-4c53-9d3e-0f4a7b1d2c3d"
FAILED = RungFailed(offer_id=ID, rung=1, reason="nobody-on-duty", at=1_700_000_000_000_000)
WHY = Why(rule="declined", procedure="0" * 16, directory="1" * 16, engine=1, passed=())
CLOSED = OfferClosed(why=WHY, offer_id=ID, how="EXPIRED", reason="", head=None)  # type: ignore[arg-type]


def decode(type_: str, data: bytes) -> Any:
    return codec.decode(type_, codec.fingerprint(type_), data)


def refused(type_: str, data: bytes) -> str:
    with pytest.raises(Malformed) as error:
        decode(type_, data)
    return str(error.value)


@given(ANY_BODY)
def test_a_body_comes_back_equal(body: Any) -> None:
    assert decode(body.TYPE, codec.encode(body)) == body


def again_or_malformed(type_: str, data: bytes) -> None:
    try:
        body = decode(type_, data)
    except Malformed as error:
        assert error.reason in ("body", "too-large")
    else:
        assert codec.encode(body) == data


@given(st.sampled_from(TYPES), st.binary(max_size=400))
def test_any_bytes_are_a_body_or_malformed(type_: str, data: bytes) -> None:
    again_or_malformed(type_, data)


@given(ANY_BODY, st.data())
def test_a_body_with_changed_bytes_is_another_body_or_malformed(body: Any, data: st.DataObject) -> None:
    good = codec.encode(body)
    at = data.draw(st.integers(0, len(good)))
    width = data.draw(st.integers(0, 3))
    again_or_malformed(body.TYPE, good[:at] + data.draw(st.binary(max_size=3)) + good[at + width :])


@given(ANY_BODY)
def test_a_body_cut_short_or_with_a_byte_too_many_is_malformed(body: Any) -> None:
    good = codec.encode(body)
    refused(body.TYPE, good + b"\x00")
    for end in range(len(good)):
        refused(body.TYPE, good[:end])


@pytest.mark.parametrize("index", [b"\x01", b"\x14", b"\x7e", b"\x80\x00", b"\xff"])
def test_an_enum_index_out_of_range_is_malformed(index: bytes) -> None:
    good = codec.encode(CLOSED)
    assert good[-2:] == b"\x08\x00"
    assert "index out of range" in refused(CLOSED.TYPE, good[:-2] + index + b"\x00")


def test_fastavro_takes_minus_one_as_the_last_symbol() -> None:
    """Why the hot path does not trust it (docs/decisions/0004-avro.md)."""
    schema = fastavro.parse_schema({"type": "enum", "name": "E", "symbols": ["UNKNOWN", "FIRST", "LAST"]})
    assert fastavro.schemaless_reader(io.BytesIO(b"\x01"), schema, None) == "LAST"


@pytest.mark.parametrize("index", [b"\x01", b"\x04", b"\x80\x00"])
def test_a_union_index_out_of_range_is_malformed(index: bytes) -> None:
    assert "union" in refused(CLOSED.TYPE, index + codec.encode(CLOSED)[1:])


NOT_LISTS = {
    "a block with its size before it": b"\x01\x02\x02a\x00",
    "a negative count": b"\x03",
    "a count beyond the end": b"\x7e\x02a\x00",
    "a count of 2**62": b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    "a count beyond 64 bits": b"\xff" * 9 + b"\x7f",
    "an endless count": b"\xff" * 60,
    "two blocks": b"\x02\x02a\x02\x02b\x00",
    "no end": b"\x02\x02a",
    "an empty block": b"\x80\x00\x00",
}


@pytest.mark.parametrize("data", NOT_LISTS.values(), ids=NOT_LISTS.keys())
def test_a_list_in_another_form_is_malformed(data: bytes) -> None:
    good = codec.encode(CASE_SECTIONS)
    at = good.index(b"\x02\x10identity\x00")
    started = time.monotonic()
    refused(CASE_SECTIONS.TYPE, good[:at] + data + good[at + 11 :])
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("data", NOT_LISTS.values(), ids=NOT_LISTS.keys())
def test_a_map_in_another_form_is_malformed(data: bytes) -> None:
    for reader in (avro.int32, avro.code, avro.blob):
        with pytest.raises((ValueError, IndexError)):
            avro.mapping(data, 0, reader)


def test_keys_of_a_map_ascend_and_stand_once() -> None:
    one, two = b"\x02a\x02", b"\x02b\x04"
    assert avro.mapping(b"\x04" + one + two + b"\x00", 0, avro.int32) == ({"a": 1, "b": 2}, 8)
    for wrong in (two + one, one + one):
        with pytest.raises(ValueError, match="ascending"):
            avro.mapping(b"\x04" + wrong + b"\x00", 0, avro.int32)


def test_equal_maps_have_equal_bytes() -> None:
    one, other = ({"a": b"1", "b": b"2"}, {"b": b"2", "a": b"1"})
    bodies = [PolicyActivated(number=1, digest="", at=0, files=files, valid_from=0, before="") for files in (one, other)]
    assert codec.encode(bodies[0]) == codec.encode(bodies[1])


TEXTS = {
    "not UTF-8": b"\xff\xfe",
    "a surrogate": "\ud800".encode("utf-8", "surrogatepass"),
    "a sentence": b"she said",
    "a name": "Gjyljeta ë".encode(),
    "Cyrillic": "Јована".encode(),
    "a new line": b"a\nb",
    "NUL": b"\x00",
    "64 characters": b"a" * 64,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_what_is_no_code_travels_in_neither_direction(text: bytes) -> None:
    good = codec.encode(FAILED)
    at = good.index(b"\x1cnobody-on-duty")
    said = refused(FAILED.TYPE, good[:at] + avro.LONGS[len(text)] + text + good[at + 15 :])
    assert "she" not in said
    word = text.decode("utf-8", "surrogatepass" if text[0] == 0xED else "replace")
    with pytest.raises(ValueError, match="a code is"):
        codec.encode(RungFailed(offer_id=ID, rung=1, reason=word, at=1))


@pytest.mark.parametrize("prefix", [b"\x1b", b"\x1d", b"\x9c\x00", b"\x81", b"\xff"])
def test_a_code_whose_length_is_odd_or_too_long_is_malformed(prefix: bytes) -> None:
    good = codec.encode(FAILED)
    at = good.index(b"\x1cnobody-on-duty")
    assert "a code is" in refused(FAILED.TYPE, good[:at] + prefix + good[at + 1 :])
    with pytest.raises(ValueError, match="a code is"):
        avro.WORDS[prefix + b"x"]


@pytest.mark.parametrize("text", ["", ID.upper(), ID.replace("-", ""), ID[:-1], ID + "0", "{" + ID[1:], "x" * 36])
def test_what_is_no_id_travels_in_neither_direction(text: str) -> None:
    refused(FAILED.TYPE, avro.LONGS[len(text)] + text.encode() + codec.encode(FAILED)[37:])
    with pytest.raises(ValueError, match="an id is a UUID"):
        codec.encode(RungFailed(offer_id=text, rung=1, reason="", at=1))


@pytest.mark.parametrize("number", [b"\x82\x00", b"\x82\x80\x00", b"\xff\xff\xff\xff\x1f", b"\xff" * 10])
def test_a_number_that_is_too_long_is_malformed(number: bytes) -> None:
    good = codec.encode(FAILED)
    assert good[37] == 2
    refused(FAILED.TYPE, good[:37] + number + good[38:])


@pytest.mark.parametrize("number", [b"\xff" * 9 + b"\x02", b"\xff" * 9 + b"\x7f", b"\x80" * 9 + b"\x00", b"\xff" * 10, b"\xff" * 30])
def test_a_long_beyond_64_bits_is_malformed(number: bytes) -> None:
    smallest = RungFailed(offer_id=ID, rung=1, reason="", at=-(2**63))
    good = codec.encode(smallest)
    assert good.endswith(b"\xff" * 9 + b"\x01")
    assert "number" in refused(FAILED.TYPE, good[:-10] + number)


def test_a_boolean_is_0_or_1() -> None:
    for item in (b"\x02", b"\xff"):
        with pytest.raises(ValueError, match="boolean"):
            avro.boolean(item, 0)


WRONG: list[Any] = [
    RungFailed(offer_id=ID, rung=2**31, reason="", at=1),
    RungFailed(offer_id=ID, rung=0, reason="", at=2**63),
    RungFailed(offer_id=ID, rung=0, reason=None, at=1),  # type: ignore[arg-type]
    RungFailed(offer_id=None, rung=0, reason="", at=1),  # type: ignore[arg-type]
    RungFailed(offer_id=ID, rung="1", reason="", at=1),  # type: ignore[arg-type]
    OfferClosed(why=None, offer_id=ID, how="EXPIRED", reason=""),  # type: ignore[arg-type]
    OfferClosed(why=WHY, offer_id=ID, how="GONE", reason=""),  # type: ignore[arg-type]
    PolicyActivated(number=1, digest="", at=0, files={"a": "text"}, valid_from=0, before=""),  # type: ignore[dict-item]
    PolicyActivated(number=1, digest="", at=0, files=None, valid_from=0, before=""),  # type: ignore[arg-type]
    Why(rule="", procedure="", directory="", engine=1, passed="abc"),  # type: ignore[arg-type]
    Why(rule="", procedure="", directory="", engine=1, passed=[]),  # type: ignore[arg-type]
    Facts(now=0, engine=1, free=[1]),  # type: ignore[arg-type]
    object(),
]


@pytest.mark.parametrize("body", WRONG, ids=lambda body: type(body).__name__)
def test_a_value_that_no_reader_takes_is_not_written(body: Any) -> None:
    with pytest.raises(ValueError):
        codec.encode(body)


def test_lists_are_tuples() -> None:
    for sections in (["identity"], "identity", None):
        body = ReferralSubmitted(**{f: getattr(CASE_SECTIONS, f) for f in CASE_SECTIONS.__struct_fields__} | {"sections": sections})
        with pytest.raises(ValueError):
            codec.encode(body)


def test_an_array_of_codes_has_the_same_bytes_however_many_others_were_written() -> None:
    first = avro.codes_bytes(("identity", "health"))
    for number in range(avro.CACHE + 1):
        avro.codes_bytes((f"c{number}",))
    assert len(avro.ARRAYS) <= avro.CACHE
    assert avro.codes_bytes(("identity", "health")) == first
    with pytest.raises(ValueError):
        avro.codes_bytes(("identity", "two words"))


def test_size_is_bounded_before_decoding() -> None:
    assert "too-large" in refused(KnockSent.TYPE, bytes(codec.BODY_LIMIT + 1))
    files = {"a.yaml": bytes(1024 * 1024)}
    bundle = PolicyActivated(number=1, digest="", at=0, files=files, valid_from=0, before="")
    assert decode(PolicyActivated.TYPE, codec.encode(bundle)) == bundle


def test_an_unknown_type_is_malformed_and_an_unknown_version_of_a_known_type_stops_the_reader() -> None:
    for type_ in (
        "offer-sold.v1",
        "",
        "offer-opened",
        "offer-opened.v",
        "offer-opened.v01",
        "offer-opened.vx",
        "offer-opened.v-1",
        "meta.v1",
    ):
        with pytest.raises(Malformed) as error:
            codec.decode(type_, 0, b"")
        assert error.value.reason == "unknown-type"
    for type_ in ("offer-opened.v2", "case-erased.v10"):
        with pytest.raises(NewerVersion):
            codec.decode(type_, 0, b"")


def test_a_fingerprint_that_is_not_this_version_s_is_malformed() -> None:
    with pytest.raises(Malformed) as error:
        codec.decode(CaseErased.TYPE, codec.fingerprint(CaseErased.TYPE) ^ 1, b"")
    assert error.value.reason == "fingerprint"


def test_the_program_ships_the_schemas_that_it_was_compiled_from() -> None:
    assert {type_: codec.fingerprint(type_) for type_ in SCHEMAS.by_type} == {s.type: s.fingerprint for s in SCHEMAS.by_type.values()}


def test_a_body_shows_ids_and_nothing_else() -> None:
    assert repr(CASE_SECTIONS) == f"ReferralSubmitted(referral_id={ID})"
    assert repr(WHY) == "Why()"


def _submission() -> ReferralSubmitted:
    traits = Traits(concern="trafficking", age="child", age_band="", sex="female", found_in="gjakova", home="", urgency="emergency",
                    origin="unknown", asylum="unknown", languages=("sq",), flags=())  # fmt: skip
    return ReferralSubmitted(referral_id=ID, agency="school-gjakova", door=Door.HTTP, opens=True, traits=traits, consent=None,
                             sections=("identity",), received_at=1)  # fmt: skip


CASE_SECTIONS = _submission()
