"""Check the rules for schemas: safe to read from hostile bytes, unable to carry free text about a person, and used by a topic."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from referral.wire.schema.definition import Json, Schema, SchemaError, Schemas

# The value that carries every body of a case topic: it has no topic of its own, because all case topics carry it.
ENVELOPE = "sealed"
# The audit log's record of an entry: no topic carries it.
LEAF = "leaf"
# A value does not tell which version of these it begins with, so they can never have a second version.
FROZEN = {ENVELOPE, "meta"}
# The index of an enum fits one byte (zigzag), and a longer list would not be readable.
SYMBOLS = 64
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SYMBOL = re.compile(r"[A-Z][A-Z0-9_]*")
# Attributes by kind. Any other attribute is a mistake, which Avro would ignore silently.
ALLOWED = {
    "record": {"type", "name", "namespace", "doc", "topic", "fields"},
    "enum": {"type", "name", "symbols", "default", "doc"},
    "fixed": {"type", "name", "size", "doc", "holds"},
    "array": {"type", "items"},
    "map": {"type", "values", "code"},
    "string": {"type", "code", "logicalType"},
    "long": {"type", "logicalType"},
    "bytes": {"type", "holds"},
}
# double and float do not compare equal on every machine; instead of decimal, date and the rest use a long in the smallest unit.
LOGICAL = {"string": "uuid", "long": "timestamp-micros"}
PLAIN = {"int", "long", "boolean"}
# Permitted contents of bytes, because bytes could hide anything.
HOLDS = {"ciphertext", "digest", "nonce", "public", "signed"}


def check(schemas: Schemas) -> None:
    """Refuse schemas that are unsafe to read or could carry facts about a person. Raises SchemaError."""
    homes: dict[str, str] = {}
    for schema in schemas.by_type.values():
        where = schema.type
        _head(schema)
        named: dict[str, Json] = {}
        for path, node in _walk(schema.definition, where):
            _kind(path, node)
            if "name" in node and named.setdefault(node["name"], node) != node:
                raise SchemaError(f"{path}: {node['name']} is something else above")
        for name in _names(schema.definition, own=True):
            home = homes.setdefault(name, schema.stem)
            if home != schema.stem:
                raise SchemaError(f"{where}: {name} is already defined by {home}; put it into a shared file, or choose another name")
    _newest_uses_newest(schemas)


def orphans(schemas: Schemas, topics: Iterable[str]) -> None:
    """Refuse a schema that no topic and no other schema uses, and a topic without a schema. Raises SchemaError."""
    topics = set(topics)
    used = {use for schema in schemas.by_type.values() for use in schema.uses}
    for schema in schemas.by_type.values():
        if schema.topic and schema.topic not in topics:
            raise SchemaError(f"{schema.type}: topic {schema.topic} is not in topics.yaml")
        if not schema.topic and schema.type not in used and schema.stem not in (ENVELOPE, LEAF):
            raise SchemaError(f"{schema.type}: has no topic and nobody uses it; give it a topic, or delete it")
    empty = topics - {schema.topic for schema in schemas.by_type.values()}
    if empty:
        raise SchemaError(f"topics.yaml: {', '.join(sorted(empty))}: no schema travels there")


def _head(schema: Schema) -> None:
    name = "".join(part.capitalize() for part in schema.stem.split("-"))
    if schema.name != name or schema.definition.get("namespace") != "referral":
        raise SchemaError(f"{schema.type}: the record is referral.{name}")
    if schema.stem in FROZEN and schema.version > 1:
        raise SchemaError(f"{schema.type}: {schema.stem} has one version for ever; put what is new into the bodies")


def _newest_uses_newest(schemas: Schemas) -> None:
    """Refuse old references: a shared type has one struct, so the newest version of each type must use the newest shared types."""
    newest = schemas.newest()
    for schema in newest.values():
        for use in schema.uses:
            if newest[use.rpartition(".")[0]].type != use:
                raise SchemaError(f"{schema.type}: uses {use}, but there is a newer version: add a version of {schema.stem} that uses it")
        if loose := _names(schema.definition, own=False) - {newest[u.rpartition(".")[0]].name for u in schema.uses}:
            raise SchemaError(f"{schema.type}: {', '.join(sorted(loose))}: a record in a record stands in a file of its own, named in uses")


def _walk(node: Any, where: str) -> Iterator[tuple[str, Json]]:
    """Yield every kind with its path. Raises SchemaError for a bare word that is no plain kind, and for a union other than null or one."""
    if isinstance(node, str):
        if node not in PLAIN:
            raise SchemaError(f"{where}: {node} alone may hold anything; write it as an object with a code, a logicalType or holds")
        return
    if isinstance(node, list):
        if len(node) != 2 or node[0] != "null" or isinstance(node[1], list):
            raise SchemaError(f'{where}: a union is ["null", one kind]')
        yield from _walk(node[1], where)
        return
    yield where, node
    for field in node.get("fields", []):
        yield from _field(field, f"{where}.{field.get('name')}")
    for inner in ("items", "values"):
        if inner in node:
            if isinstance(node[inner], list) or (isinstance(node[inner], dict) and node[inner].get("type") in ("array", "map", "fixed")):
                raise SchemaError(f"{where}: an item is a plain kind or a record, never null, and no list of lists")
            yield from _walk(node[inner], f"{where}[]")


def _field(field: Json, where: str) -> Iterator[tuple[str, Json]]:
    if not NAME.fullmatch(str(field.get("name"))) or len(field["name"]) < 2 or keyword.iskeyword(field["name"]):
        raise SchemaError(f"{where}: a field's name is snake_case with two letters or more, and no keyword of Python")
    if not field.get("doc"):
        raise SchemaError(f"{where}: say in doc what it means, and the unit")
    if extra := set(field) - {"name", "type", "doc", "default"}:
        raise SchemaError(f"{where}: {', '.join(sorted(extra))}: a field has name, type, doc and perhaps default")
    yield from _walk(field["type"], where)


def _kind(path: str, node: Json) -> None:
    kind = node.get("type")
    if not isinstance(kind, str) or kind not in ALLOWED:
        raise SchemaError(f"{path}: {kind} is not among {', '.join(ALLOWED)}, int, boolean")
    if extra := set(node) - ALLOWED[kind]:
        raise SchemaError(f"{path}: {kind} has no {', '.join(sorted(extra))}")
    if node.get("logicalType", LOGICAL.get(kind)) != LOGICAL.get(kind):
        raise SchemaError(f"{path}: logicalType {node['logicalType']}: only {LOGICAL}; otherwise a long in the smallest unit")
    rule = RULES.get(kind)
    if rule:
        rule(path, node)


def _string(path: str, node: Json) -> None:
    if ("code" in node) == ("logicalType" in node):
        raise SchemaError(f'{path}: a string is an id (logicalType uuid) or a word of a named list ("code")')


def _enum(path: str, node: Json) -> None:
    symbols = node["symbols"]
    if symbols[0] != "UNKNOWN" or node.get("default") != "UNKNOWN":
        raise SchemaError(f"{path}: an enum begins with UNKNOWN and has it as default")
    if len(symbols) > SYMBOLS or len(set(symbols)) != len(symbols) or not all(SYMBOL.fullmatch(s) for s in symbols):
        raise SchemaError(f"{path}: at most {SYMBOLS} different symbols, each UPPER_CASE")


def _record(path: str, node: Json) -> None:
    if not node.get("doc"):
        raise SchemaError(f"{path}: say in doc what it means")
    names = [field["name"] for field in node["fields"]]
    if len(set(names)) != len(names):
        raise SchemaError(f"{path}: a field stands twice")
    if not names and "topic" not in node:
        raise SchemaError(f"{path}: a shared type without a field takes no bytes, so a list of it could claim any number of items")


def _map(path: str, node: Json) -> None:
    if "code" not in node:
        raise SchemaError(f'{path}: name the list of its keys ("code")')


def _bytes(path: str, node: Json) -> None:
    if node.get("holds") not in HOLDS or node.get("size", 1) < 1:
        raise SchemaError(f'{path}: bytes may hide anything; say what they hold ("holds": one of {", ".join(sorted(HOLDS))})')


RULES = {"string": _string, "enum": _enum, "record": _record, "map": _map, "bytes": _bytes, "fixed": _bytes}


def _names(definition: Json, *, own: bool) -> set[str]:
    """Return the names that a file defines itself (own: its record, enums and fixed), or the records that it only refers to."""
    names: set[str] = {definition["name"]} if own else set()
    stack = [field["type"] for field in definition["fields"]]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, Mapping):
            if node["type"] == "record":
                if not own:
                    names.add(node["name"])
                continue
            if own and "name" in node:
                names.add(node["name"])
            stack += [node[inner] for inner in ("items", "values") if inner in node]
    return names
