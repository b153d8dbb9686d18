"""Check FULL_TRANSITIVE compatibility: every version of a schema can read records of every other version.

Since this holds in both directions for every pair, the order of deployment never matters for reading. The rules: a field that not
every version has needs a default; a kind never changes; an enum may gain or lose symbols because it has a default.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

from referral.wire.schema.definition import Json, Schema, SchemaError, Schemas


def check(schemas: Schemas) -> None:
    """Compare all versions of every schema. Raises SchemaError naming both files and the field."""
    for stem in schemas.newest():
        versions = schemas.versions(stem)
        if [s.version for s in versions] != list(range(1, len(versions) + 1)):
            raise SchemaError(f"{stem}: versions are 1, 2, 3 … without a gap")
        for reader, writer in permutations(versions, 2):
            if reader.topic != writer.topic:
                raise SchemaError(f"{reader.type} and {writer.type}: one type has one topic")
            _record(reader.definition, writer.definition, _pair(reader, writer))


def _pair(reader: Schema, writer: Schema) -> str:
    return f"{reader.type} cannot read {writer.type}"


def _record(reader: Json, writer: Json, where: str) -> None:
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        path = f"{where}: {field['name']}"
        if field["name"] in written:
            _kind(field["type"], written[field["name"]]["type"], path)
        elif "default" not in field:
            raise SchemaError(f"{path}: a field that not every version has needs a default")
        elif not _simple(field["type"], field["default"]):
            raise SchemaError(f"{path}: its default is null, a number, a code, false, true, [] or {{}}")


def _kind(reader: Any, writer: Any, where: str) -> None:
    if isinstance(reader, list) and isinstance(writer, list):
        _kind(reader[1], writer[1], where)
    elif isinstance(reader, dict) and isinstance(writer, dict) and reader["type"] == writer["type"]:
        if reader.get("name") != writer.get("name") or reader.get("size") != writer.get("size"):
            raise SchemaError(f"{where}: another name or size")
        if any(reader.get(word) != writer.get(word) for word in ("code", "logicalType", "holds")):
            raise SchemaError(f"{where}: it means something else now; use a new field")
        if reader["type"] == "record":
            _record(reader, writer, where)
        for inner in ("items", "values"):
            if inner in reader:
                _kind(reader[inner], writer[inner], where)
    elif reader != writer:
        raise SchemaError(f"{where}: its kind changed; use a new field")


def _simple(kind: Any, default: Any) -> bool:
    """Return whether a default has the right kind and can be a struct's default unchanged."""
    if isinstance(kind, list):
        return default is None
    match kind if isinstance(kind, str) else kind["type"]:
        case "array":
            return bool(default == [])
        case "map":
            return bool(default == {})
        case "enum":
            return bool(default == "UNKNOWN")
        case "int" | "long":
            return type(default) is int
        case "boolean":
            return type(default) is bool
        case "string":
            return isinstance(default, str) and isinstance(kind, dict) and "code" in kind
        case _:
            return False
