"""Read and lint the Avro schemas that the program ships with.

A file is `<event>.v<N>.avsc`: one record (or shared type), with `uses` naming the shared files whose types it refers to, and
`topic` where it travels as the body of a record. A released file is never edited.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

Json = dict[str, Any]
FILE = re.compile(r"(?P<stem>[a-z][a-z-]*)\.v(?P<version>[1-9][0-9]*)\.avsc")


@dataclass(frozen=True, slots=True)
class Schema:
    """One file. type: e.g. offer-opened.v1. definition: as written, references expanded. fingerprint: CRC-64-AVRO, signed."""

    type: str
    stem: str
    version: int
    name: str
    topic: str | None
    definition: Json
    fingerprint: int
    path: Path

    def __repr__(self) -> str:
        return f"Schema({self.type} {self.fingerprint:#x})"


@dataclass(frozen=True, slots=True)
class Schemas:
    by_type: Mapping[str, Schema]
    by_fingerprint: Mapping[int, Schema]

    def bodies(self) -> Iterator[Schema]:
        """The schemas that travel: those with a topic."""
        return (s for s in self.by_type.values() if s.topic)


class SchemaError(Exception):
    """A schema file breaks a rule. The message names file, field and what to do."""


def load(folder: Path) -> Schemas:
    """Read every schema of a folder. Raises SchemaError for what does not parse, resolve or pass the lint."""
    raw: dict[str, Json] = {}
    for path in sorted(folder.glob("*.avsc")):
        if not FILE.fullmatch(path.name):
            raise SchemaError(f"{path.name}: call it <event>.v<N>.avsc")
        raw[path.name.removesuffix(".avsc")] = json.loads(path.read_text("utf-8"))
    found = [_schema(type_, raw, folder) for type_ in raw]
    return Schemas({s.type: s for s in found}, {s.fingerprint: s for s in found})


def _schema(type_: str, raw: Mapping[str, Json], folder: Path) -> Schema:
    match = FILE.fullmatch(f"{type_}.avsc")
    assert match is not None
    own = raw[type_]
    shared: dict[str, Json] = {}
    for use in own.get("uses", []):
        if use not in raw:
            raise SchemaError(f"{type_}.avsc: uses {use}, which is no file here")
        shared[f"{raw[use]['namespace']}.{raw[use]['name']}"] = raw[use]
    definition = _expand(own, shared, set())
    lint(definition, type_)
    canonical = to_parsing_canonical_form(parse_schema(definition, named_schemas={}))
    number = int.from_bytes(bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO")), "little", signed=True)
    return Schema(type_, match["stem"], int(match["version"]), own["name"], own.get("topic"), definition, number, folder / f"{type_}.avsc")


def _expand(node: Any, shared: Mapping[str, Json], seen: set[str]) -> Any:
    """Put each shared type in place of its first reference, as Avro asks."""
    if isinstance(node, str) and node in shared:
        if node in seen:
            return node
        seen.add(node)
        return _expand(shared[node], shared, seen)
    if isinstance(node, list):
        return [_expand(item, shared, seen) for item in node]
    if isinstance(node, dict):
        return {k: _expand(v, shared, seen) if k in ("type", "items", "values", "fields") else v for k, v in node.items() if k != "uses"}
    return node


def lint(definition: Json, where: str) -> None:
    """Refuse what would make reading unsafe or let a person's facts in. Raises SchemaError."""
    for path, node in _walk(definition, where):
        kind = node.get("type") if isinstance(node, dict) else None
        if kind == "enum" and (node["symbols"][0] != "UNKNOWN" or node.get("default") != "UNKNOWN"):
            raise SchemaError(f"{path}: an enum begins with UNKNOWN and has it as default")
        if kind == "string" and "code" not in node and node.get("logicalType") != "uuid":
            raise SchemaError(f'{path}: a string is an id (logicalType uuid) or a word of a named list ("code")')
        if kind == "record" and not node.get("doc"):
            raise SchemaError(f"{path}: say in doc what it means")


def _walk(node: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, str):
        if node == "string":
            raise SchemaError(f'{where}: a bare string may hold anything; name its list: {{"type": "string", "code": "…"}}')
        return
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, where)
        return
    yield where, node
    if isinstance(node.get("type"), dict | list):
        yield from _walk(node["type"], where)
    for field in node.get("fields", []):
        yield from _walk(field["type"], f"{where}.{field['name']}")
    for inner in ("items", "values"):
        if inner in node:
            yield from _walk(node[inner], f"{where}[]")
