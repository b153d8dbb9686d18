"""The Avro bodies of events: struct ↔ exact bytes. Decoding is strict: what it accepts, it would write again byte for byte."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import msgspec
from msgspec import Struct

from referral.domain.events import EVENTS, Meta
from referral.errors import Malformed, NewerVersion
from referral.wire.schema import Schemas, load

# A body is a few hundred bytes; a policy bundle is the exception (topics.yaml: referral-policy takes 8 MiB).
BODY_LIMIT = 256 * 1024
POLICY_LIMIT = 8 * 1024 * 1024


@cache
def schemas() -> Schemas:
    return load(Path(__file__).parents[2] / "schemas" / "avro")


@cache
def _parsed(type_: str) -> Any:
    return fastavro.parse_schema(_plain(schemas().by_type[type_].definition), named_schemas={})


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if isinstance(node, dict):
        return {k: _plain(v) for k, v in node.items() if k not in ("logicalType", "doc", "code", "topic")}
    return node


def fingerprint(type_: str) -> int:
    """CRC-64-AVRO of a shipped type, e.g. offer-opened.v1: what Meta.fingerprint holds. KeyError: not shipped."""
    return schemas().by_type[type_].fingerprint


def encode(body: Struct) -> bytes:
    """The exact Avro body."""
    type_ = "meta.v1" if isinstance(body, Meta) else body.TYPE  # type: ignore[attr-defined]
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _parsed(type_), msgspec.to_builtins(body, builtin_types=(bytes,)))
    return out.getvalue()


def decode(type: str, fingerprint: int, data: bytes) -> Struct:
    """The body that the bytes hold. Malformed: they are no such body. NewerVersion: deploy this consumer first."""
    struct = EVENTS.get(type)
    if struct is None:
        stem = type.rpartition(".")[0]
        if any(known.rpartition(".")[0] == stem for known in EVENTS):
            raise NewerVersion(type)
        raise Malformed("unknown-type")
    if schemas().by_type[type].fingerprint != fingerprint:
        raise Malformed("fingerprint", type)
    if len(data) > (POLICY_LIMIT if type.startswith("policy-") else BODY_LIMIT):
        raise Malformed("too-large", type)
    return _strict(type, struct, data)


def _strict(type_: str, struct: Any, data: bytes) -> Struct:
    try:
        body: Struct = msgspec.convert(fastavro.schemaless_reader(io.BytesIO(data), _parsed(type_), None), struct)
        again = encode(body) if type_ != "meta.v1" else data
    except Exception as error:
        raise Malformed("body", type_) from error
    if again != data:
        raise Malformed("body", type_)
    return body


def decode_meta(value: bytes) -> tuple[Meta, int]:
    """The Meta at the beginning of a record value and the position after it."""
    source = io.BytesIO(value)
    try:
        meta = msgspec.convert(fastavro.schemaless_reader(source, _parsed("meta.v1"), None), Meta)
        again = encode(meta)
    except Exception as error:
        raise Malformed("envelope", "meta") from error
    if value[: len(again)] != again or source.tell() != len(again):
        raise Malformed("envelope", "meta")
    return meta, len(again)


def long(number: int) -> bytes:
    """An Avro long: zigzag, seven bits a byte, least first."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """The Avro long at a position, and the position after it. Malformed: truncated, or not the shortest form."""
    number = shift = 0
    start = at
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("envelope", "number")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    value = (number >> 1) ^ -(number & 1)
    if long(value) != data[start:at]:
        raise Malformed("envelope", "number")
    return value, at
