"""CloudEvents in binary mode, as the Kafka protocol binding says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.errors import Malformed
from referral.wire import headers
from tests.unit.wire.test_seal import META


def test_the_headers_of_a_record() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert headers.of(META, traceparent=trace) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", META.event_id.encode()),
        ("ce_type", b"referral.rung-failed.v1"),
        ("ce_source", b"/referral/notifier"),
        ("ce_time", b"2023-11-14T22:13:20.000000Z"),
        ("ce_dataschema", b"urn:referral:schema:sealed.v1:8af83d53e92efed8"),
        ("content-type", b"application/avro"),
        ("traceparent", trace.encode()),
    ]
    assert dict(headers.of(META)).keys() == dict(headers.of(META, traceparent=trace)).keys() - {"traceparent"}


def test_a_record_that_travels_unsealed_names_its_own_schema() -> None:
    found = headers.plain("policy-activated.v1", id="1", source="routing", at=0)
    assert dict(found)["ce_dataschema"].startswith(b"urn:referral:schema:policy-activated.v1:")
    assert headers.type_of(found) == "policy-activated.v1"


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_time_is_rfc_3339_to_the_microsecond(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    at = (moment - headers.EPOCH).days * 86_400_000_000 + (moment - headers.EPOCH).seconds * 1_000_000 + moment.microsecond
    assert datetime.fromisoformat(headers.rfc3339(at).decode()) == moment


@pytest.mark.parametrize(
    "found",
    [
        [],
        [("ce_type", b"org.example.x.v1")],
        [("ce_type", b"referral.a.v1"), ("ce_type", b"referral.b.v1")],
        [("ce_type", b"referral.\xff")],
        [("CE_TYPE", b"referral.a.v1")],
    ],
)
def test_a_record_without_one_type_of_ours_is_malformed(found: list[tuple[str, bytes]]) -> None:
    with pytest.raises(Malformed) as error:
        headers.type_of(found)
    assert error.value.reason == "headers"
