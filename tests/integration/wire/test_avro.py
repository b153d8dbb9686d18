"""An independent implementation of Avro (avro-python3 1.10.2) agrees about every schema and every byte."""

from __future__ import annotations

import io
import json
from typing import Any

import avro.io
import avro.schema
import avro.schemanormalization as normal
import fastavro
import pytest
from hypothesis import HealthCheck, given, settings

from referral.wire import codec
from referral.wire.schema.definition import Schema
from referral.wire.schema.load import written
from tests.harness.wire_values import SCHEMAS, TYPES, builtins, struct

FILES = sorted(SCHEMAS.by_type)
THEIRS = {type_: avro.schema.parse(json.dumps(written(SCHEMAS.by_type[type_]))) for type_ in FILES}
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def oracle_writes(type_: str, value: Any) -> bytes:
    out = io.BytesIO()
    avro.io.DatumWriter(THEIRS[type_]).write(value, avro.io.BinaryEncoder(out))
    return out.getvalue()


def oracle_reads(type_: str, data: bytes, reader: Any = None) -> Any:
    source = io.BytesIO(data)
    found = avro.io.DatumReader(THEIRS[type_], reader).read(avro.io.BinaryDecoder(source))
    assert source.read() == b""
    return found


@pytest.mark.parametrize("type_", FILES)
def test_canonical_form_and_fingerprint(type_: str) -> None:
    schema: Schema = SCHEMAS.by_type[type_]
    canonical = normal.ToParsingCanonicalForm(THEIRS[type_])
    assert schema.canonical == canonical
    assert schema.fingerprint == int.from_bytes(normal.Fingerprint(canonical, "CRC-64-AVRO"), "little", signed=True)


def test_the_published_fingerprint_of_the_empty_string() -> None:
    """Avro specification, Schema Fingerprints: the empty value's number is 0xc15d213aa4d7a795."""
    assert int.from_bytes(normal.Fingerprint("", "CRC-64-AVRO"), "little") == 0xC15D213AA4D7A795
    assert int.from_bytes(bytes.fromhex(fastavro.schema.fingerprint("", "CRC-64-AVRO")), "little") == 0xC15D213AA4D7A795


@pytest.mark.parametrize("type_", TYPES)
def test_every_value_has_the_same_bytes_and_comes_back(type_: str) -> None:
    schema = SCHEMAS.by_type[type_]
    parsed = fastavro.parse_schema(without_logical_types(written(schema)), named_schemas={})

    @FEW
    @given(builtins(schema.definition))
    def agree(value: Any) -> None:
        body = struct(schema, value)
        ours = codec.encode(body)
        assert ours == oracle_writes(type_, value)
        assert oracle_reads(type_, ours) == value
        assert codec.decode(type_, schema.fingerprint, ours) == body
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, value)
        assert ours == out.getvalue()

    agree()


def without_logical_types(node: Any) -> Any:
    if isinstance(node, list):
        return [without_logical_types(item) for item in node]
    if isinstance(node, dict):
        return {key: without_logical_types(value) for key, value in node.items() if key != "logicalType"}
    return node


@FEW
@given(value=builtins(SCHEMAS.by_type["rung-failed.v1"].definition))
def test_resolution_as_the_oracle_does_it(value: Any) -> None:
    """A reader with a new field, without an old one, and with them in another order: what our compiled readers do too."""
    definition = json.loads(json.dumps(written(SCHEMAS.by_type["rung-failed.v1"])))
    kept = [f for f in reversed(definition["fields"]) if f["name"] != "reason"]
    definition["fields"] = [*kept, {"name": "wait", "type": "int", "default": 7}]
    reader = avro.schema.parse(json.dumps(definition))
    found = oracle_reads("rung-failed.v1", oracle_writes("rung-failed.v1", value), reader)
    assert found == {**{k: v for k, v in value.items() if k != "reason"}, "wait": 7}
