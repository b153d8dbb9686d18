"""Made-up values of every type that travels, from its schema: for Hypothesis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from referral.domain import events
from referral.wire.schema.definition import Schema
from referral.wire.schema.load import load

FOLDER = Path(__file__).parents[2] / "schemas" / "avro"
SCHEMAS = load(FOLDER)
TYPES = sorted(SCHEMAS.by_type[t].type for t in events.EVENTS)
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
INT = st.integers(-(2**31), 2**31 - 1)
LONG = st.integers(-(2**63), 2**63 - 1)


def builtins(kind: Any) -> st.SearchStrategy[Any]:
    """Values of one kind as Avro libraries take them."""
    if isinstance(kind, list):
        return st.none() | builtins(kind[1])
    if isinstance(kind, str):
        return {"int": INT, "long": LONG, "boolean": st.booleans()}[kind]
    match kind["type"]:
        case "string" if "logicalType" in kind:
            return st.uuids().map(str)
        case "string":
            return st.text(VISIBLE, max_size=200 if kind["code"] == "digest" else 63)
        case "long":
            return LONG
        case "bytes":
            return st.binary(max_size=100)
        case "fixed":
            return st.binary(min_size=kind["size"], max_size=kind["size"])
        case "enum":
            return st.sampled_from(kind["symbols"])
        case "array":
            return st.lists(builtins(kind["items"]), max_size=4)
        case "map":
            pairs = st.dictionaries(st.text(VISIBLE, max_size=80), builtins(kind["values"]), max_size=4)
            return pairs.map(lambda found: dict(sorted(found.items())))
        case _:
            return st.fixed_dictionaries({field["name"]: builtins(field["type"]) for field in kind["fields"]})


def struct(schema: Schema, value: Any) -> msgspec.Struct:
    """The generated struct of such a value."""
    found: msgspec.Struct = msgspec.convert(value, getattr(events, schema.name), builtin_types=(bytes,))
    return found


def plain(body: msgspec.Struct) -> Any:
    """The value of a struct as Avro libraries take it."""
    return msgspec.to_builtins(body, builtin_types=(bytes,))


def bodies(type_: str) -> st.SearchStrategy[msgspec.Struct]:
    """Structs of one type."""
    schema = SCHEMAS.by_type[type_]
    return builtins(schema.definition).map(lambda value: struct(schema, value))


ANY_BODY = st.sampled_from(TYPES).flatmap(bodies)
METAS = builtins(SCHEMAS.by_type["meta.v1"].definition).map(lambda value: struct(SCHEMAS.by_type["meta.v1"], value))
