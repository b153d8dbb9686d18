"""Write record headers of the CloudEvents Kafka protocol binding 1.0.2, binary mode, for other tools; our readers use the value.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from referral.domain.events import Meta
from referral.errors import Malformed
from referral.wire import codec

PREFIX = "referral."
SPECIFICATION = ("ce_specversion", b"1.0")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Headers = list[tuple[str, bytes]]


def of(meta: Meta, schema_id: str = "sealed.v1", traceparent: str | None = None) -> Headers:
    """Return the headers of a record of a case topic. schema_id: the schema of the sealed value."""
    return plain(meta.type, id=meta.event_id, source=meta.source, at=meta.recorded_at, schema_id=schema_id, traceparent=traceparent)


def plain(type_: str, *, id: str, source: str, at: int, schema_id: str | None = None, traceparent: str | None = None) -> Headers:
    """Return the headers of an unsealed record (policy-activated, quarantined). at: µs UTC; schema_id: by default the type itself."""
    headers = [SPECIFICATION, ("ce_id", id.encode()), *_shared(type_, source, at, schema_id or type_)]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return headers


@lru_cache(maxsize=256)  # records of one batch share a time and a source, and repeat a few types
def _shared(type_: str, source: str, at: int, schema_id: str) -> Headers:
    """Return the headers that follow the id."""
    return [
        ("ce_type", f"{PREFIX}{type_}".encode()),
        ("ce_source", f"/referral/{source}".encode()),
        ("ce_time", rfc3339(at)),
        ("ce_dataschema", dataschema(schema_id)),
        ("content-type", b"application/avro"),
    ]


def type_of(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """Return the event type in ce_type, e.g. policy-activated.v1. Malformed: none, two, or another prefix."""
    values = [value for name, value in headers if name == "ce_type"]
    if len(values) != 1 or values[0] is None or not values[0].startswith(PREFIX.encode()):
        raise Malformed("headers", "ce_type is missing, repeated, or not referral.<type>.v<N>")
    try:
        return values[0].decode("ascii").removeprefix(PREFIX)
    except UnicodeDecodeError:
        raise Malformed("headers", "ce_type") from None


@lru_cache(maxsize=256)  # one batch has one clock, so its records share one time
def rfc3339(at: int) -> bytes:
    """Return microseconds UTC as CloudEvents writes time: 2026-01-31T22:15:07.000250Z."""
    return (EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


@lru_cache(maxsize=256)
def dataschema(type_: str) -> bytes:
    """Return the URI of a schema: its type and the fingerprint that identifies it in `schemas/avro`."""
    return f"urn:referral:schema:{type_}:{codec.fingerprint(type_) & 0xFFFFFFFFFFFFFFFF:016x}".encode()
