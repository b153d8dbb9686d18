"""Read the Avro schemas that the program ships with.

A file is `<event>.v<N>.avsc`: one record or shared type. `uses` names the shared files whose types it refers to; `topic` names the topic
whose records carry it. A released file is never edited (`release_lock`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastavro.schema import SchemaParseException, fingerprint, parse_schema, to_parsing_canonical_form

from referral.wire.schema import compatibility, lint
from referral.wire.schema.definition import Json, Schema, SchemaError, Schemas

FILE = re.compile(r"(?P<stem>[a-z]+(-[a-z]+)*)\.v(?P<version>[1-9][0-9]*)\.avsc")
# A person writes a schema file, so it has a few kilobytes.
FILE_LIMIT = 256 * 1024


def load(folder: Path) -> Schemas:
    """Read every schema of a folder. Raises SchemaError for a file that does not parse, resolve, or pass `lint` and `compatibility`."""
    raw = {path.name.removesuffix(".avsc"): _read(path) for path in sorted(folder.glob("*.avsc"))}
    parsed = [_schema(type_, raw, folder) for type_ in raw]
    schemas = Schemas({s.type: s for s in parsed}, {s.fingerprint: s for s in parsed})
    lint.check(schemas)
    compatibility.check(schemas)
    return schemas


def _read(path: Path) -> Json:
    if not FILE.fullmatch(path.name):
        raise SchemaError(f"{path.name}: call it <event>.v<N>.avsc")
    if path.stat().st_size > FILE_LIMIT:
        raise SchemaError(f"{path.name}: larger than {FILE_LIMIT} bytes")
    try:
        document = json.loads(path.read_text("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{path.name}: {error}") from None
    if not isinstance(document, dict) or document.get("type") != "record":
        raise SchemaError(f"{path.name}: a file holds one record")
    return document


def _once(pairs: list[tuple[str, Any]]) -> Json:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return unique


def _schema(type_: str, raw: Mapping[str, Json], folder: Path) -> Schema:
    match = FILE.fullmatch(f"{type_}.avsc")
    assert match is not None
    own = raw[type_]
    shared: dict[str, Json] = {}
    for use in own.get("uses", []):
        if use not in raw:
            raise SchemaError(f"{type_}.avsc: uses {use}, which is no file here")
        shared[f"{raw[use].get('namespace')}.{raw[use].get('name')}"] = raw[use]
    definition = _expand(own, shared, ())
    canonical = _canonical(type_, definition)
    return Schema(
        type=type_,
        stem=match["stem"],
        version=int(match["version"]),
        name=str(own.get("name")),
        topic=own.get("topic"),
        uses=tuple(own.get("uses", ())),
        definition=definition,
        canonical=canonical,
        fingerprint=_number(canonical),
        path=folder / f"{type_}.avsc",
    )


def _canonical(type_: str, definition: Json) -> str:
    try:
        return str(to_parsing_canonical_form(parse_schema(_first_only(definition, set()), named_schemas={})))
    except (SchemaParseException, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SchemaError(f"{type_}.avsc: no Avro schema: {type(error).__name__} {error}") from None


def _number(canonical: str) -> int:
    return int.from_bytes(bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO")), "little", signed=True)


def fingerprint_of(data: bytes) -> int:
    """Return the fingerprint of a schema as it is logged (`written`, in JSON): CRC-64-AVRO, signed. SchemaError: it is none."""
    try:
        definition = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"logged.avsc: {error}") from None
    return _number(_canonical("logged", definition))


def _expand(node: Any, shared: Mapping[str, Json], inside: tuple[str, ...]) -> Any:
    """Replace every reference to a shared type by its definition. inside: names of the enclosing types, to detect recursion."""
    if isinstance(node, str) and node in shared:
        if node in inside:
            raise SchemaError(f"{node}: contains itself; a value without a bound on its depth cannot be read safely")
        return _expand(shared[node], shared, (*inside, node))
    if isinstance(node, list):
        return [_expand(item, shared, inside) for item in node]
    if isinstance(node, dict):
        return {k: _expand(v, shared, inside) if k in ("type", "items", "values", "fields") else v for k, v in node.items() if k != "uses"}
    return node


def _first_only(node: Any, seen: set[str]) -> Any:
    """Replace repeated definitions of a type by its name: Avro wants each type defined once."""
    if isinstance(node, list):
        return [_first_only(item, seen) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("record", "enum", "fixed"):
        full = f"{node.get('namespace', 'referral')}.{node.get('name')}"
        if full in seen:
            return full
        seen.add(full)
    return {k: _first_only(v, seen) if k in ("type", "items", "values", "fields") else v for k, v in node.items()}


def written(schema: Schema) -> Json:
    """Return the schema for Avro libraries: each named type is defined at its first use and named at later ones."""
    once: Json = _first_only(schema.definition, set())
    return once
