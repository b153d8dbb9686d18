"""Turn schemas into Python that reads and writes them: `referral/wire/compiled/`, written by `make setup`.

Each version of a type gets one reader that returns the newest struct: a field that the writer lacked gets its default, a field that we no
longer have is skipped, and a symbol that we no longer have becomes UNKNOWN. The newest version gets one writer. So does an older one
whose fields we all still have: `codec.encode_oldest` tells an engine of earlier rules what it knows. Straight code without a
schema at run time is five times faster than interpreting the schema (docs/decisions/0004-avro.md).
"""

from __future__ import annotations

from typing import Any

from referral.wire.schema.definition import Json, Schema, Schemas
from referral.wire.schema.lint import ENVELOPE

HEAD = '"""GENERATED from schemas/avro by `make generate`. Do not edit."""\n\nfrom __future__ import annotations\n\n'
# Code lists whose words may be longer than 63 characters.
LONG_LISTS = {"digest"}
SHARED = "shared"
"""The module of types that no topic carries alone."""
# By shape: the function that reads an item, and the table of its bytes.
READ_ITEM = {"uuid": "ident_at", "int": "int32", "bytes": "blob"}
TABLE = {"code": "CODES", "long_code": "LONG_CODES", "int": "INTS", "long": "LONGS", "boolean": "BOOLEAN_BYTES"}


def render(schemas: Schemas) -> dict[str, str]:
    """Return file name → text of the whole package: one module for each topic, one for what they share."""
    by_module: dict[str, dict[str, list[Schema]]] = {}
    for schema in schemas.by_type.values():
        if schema.stem != ENVELOPE:
            by_module.setdefault(module_of(schema), {}).setdefault(schema.stem, []).append(schema)
    files = {f"{name}.py": _Module(name, stems, schemas).text() for name, stems in by_module.items()}
    files["__init__.py"] = _tables([versions for stems in by_module.values() for versions in stems.values()], schemas)
    return files


def module_of(schema: Schema) -> str:
    """Return the name of the module that a schema is written into: its topic's, or that of the shared types."""
    return schema.topic.replace("-", "_") if schema.topic else SHARED


def _reader(schema: Schema) -> str:
    return f"read_{schema.stem.replace('-', '_')}_v{schema.version}"


def _writer(schema: Schema, schemas: Schemas) -> str:
    stem = f"write_{schema.stem.replace('-', '_')}"
    return f"{stem}_v{schema.version}" if f"{schema.stem}.v{schema.version + 1}" in schemas.by_type else stem


def _is_within(schema: Schema, newest: Schema) -> bool:
    """Return True if the newest version has every field of this one."""
    return {field["name"] for field in schema.definition["fields"]} <= {field["name"] for field in newest.definition["fields"]}


def _symbols(definition: Any, name: str) -> list[str]:
    """Return the symbols of the enum of this name, anywhere in a definition; empty if it has none."""
    if isinstance(definition, dict):
        if definition.get("type") == "enum" and definition["name"] == name:
            return list(definition["symbols"])
        definition = list(definition.values())
    inner = definition if isinstance(definition, list) else []
    return next((found for part in inner if (found := _symbols(part, name))), [])


def _tables(stems: list[list[Schema]], schemas: Schemas) -> str:
    prints = [f'    "{s.type}": {s.fingerprint},\n' for s in schemas.by_type.values()]
    rows: list[str] = []
    writers = []
    older: list[str] = []
    for versions in sorted(stems, key=lambda each: each[0].stem):
        versions = sorted(versions, key=lambda s: s.version)
        rows += [f'    "{s.type}": ({s.fingerprint}, {module_of(s)}.{_reader(s)}),\n' for s in versions if s.topic]
        newest = versions[-1]
        writers.append(f"    events.{newest.name}: {module_of(newest)}.{_writer(newest, schemas)},\n")
        before = [s for s in versions[:-1] if s.topic and _is_within(s, newest)]
        if before:
            each = "".join(f'("{s.type}", {module_of(s)}.{_writer(s, schemas)}), ' for s in before)
            older.append(f"    events.{newest.name}: ({each}),\n")
    modules = ", ".join(sorted({module_of(versions[0]) for versions in stems}))
    return (
        HEAD
        + "from collections.abc import Callable\nfrom typing import Any\n\nfrom msgspec import Struct\n"
        + "\nfrom referral.domain import events\n"
        + f"from referral.wire.compiled import {modules}\n"
        + "\nFINGERPRINTS = {\n"
        + "".join(prints)
        + "}\n"
        + "\nREADERS: dict[str, tuple[int, Callable[[bytes, int], tuple[Struct, int]]]] = {\n"
        + "".join(rows)
        + "}\n"
        + "\nWRITERS: dict[type, Callable[[Any], bytes]] = {\n"
        + "".join(writers)
        + "}\n"
        + "\nOLDER: dict[type, tuple[tuple[str, Callable[[Any], bytes]], ...]] = {\n"
        + "".join(older)
        + "}\n"
    )


class _Module:
    """The readers and the writers of one module. stems: versions by stem."""

    def __init__(self, name: str, stems: dict[str, list[Schema]], schemas: Schemas) -> None:
        self.name, self.schemas = name, schemas
        self.stems = [sorted(versions, key=lambda s: s.version) for _, versions in sorted(stems.items())]
        self.names: set[str] = set()
        self.shared = False
        self.tables: dict[str, str] = {}

    def text(self) -> str:
        functions = [function for versions in self.stems for function in self.functions(versions)]
        imports = [f"from referral.domain.events import {', '.join(sorted(self.names))}\n", "from referral.wire import avro\n"]
        if self.shared:
            imports.append(f"from referral.wire.compiled import {SHARED}\n")
        tables = "".join(f"{name} = {table}\n" for name, table in self.tables.items())
        return HEAD + "".join(imports) + ("\n" + tables if tables else "") + "".join("\n\n" + f for f in functions)

    def functions(self, versions: list[Schema]) -> list[str]:
        """Return a reader of each version, and the writers of the newest and of the older ones whose fields it has."""
        newest = versions[-1]
        self.names.add(newest.name)
        written = [schema for schema in versions if _is_within(schema, newest)]
        return [self.reader(schema, newest) for schema in versions] + [self.writer(schema) for schema in written]

    def reader(self, schema: Schema, newest: Schema) -> str:
        own = {field["name"]: field for field in newest.definition["fields"]}
        lines: list[str] = []
        for field in schema.definition["fields"]:
            target = own.get(field["name"])
            lines += self.read(field["type"], f"f_{field['name']}", schema, target and target["type"])
        written = {field["name"] for field in schema.definition["fields"]}
        arguments = [f"{name}={f'f_{name}' if name in written else self.default(own[name])}" for name in own]
        head = f'def {_reader(schema)}(d: bytes, i: int) -> tuple[{newest.name}, int]:\n    """{schema.type}"""\n'
        body = "".join(f"    {line}\n" for line in lines)
        return head + body + f"    return {newest.name}({', '.join(arguments)}), i\n"

    def read(self, kind: Any, name: str, schema: Schema, target: Any) -> list[str]:
        """Return the lines that read one field into a variable.

        kind: the field's kind in this version.
        name: the variable.
        schema: the version that is read.
        target: the field's kind in the newest version; None: it no longer has the field.
        """
        if isinstance(kind, list):
            inner = ["if n != 2:", '    avro.fail("union")', *self.read(kind[1], name, schema, target and target[1])]
            return ["n = d[i]", "i += 1", f"{name} = None", "if n:", *(f"    {line}" for line in inner)]
        match self.shape(kind):
            case "code":
                return [f"{name} = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]"]
            case "uuid":
                return [f"{name} = avro.ident(d[i : (i := i + 37)])"]
            case "enum":
                return [f"{name} = {self.symbols(kind, schema, target or kind)}[d[i]]", "i += 1"]
            case "boolean":
                return [f"{name} = avro.BOOLEANS[d[i]]", "i += 1"]
            case "int":
                short = ["n = d[i]", "if n > 0x7F:", f"    {name}, i = avro.int32(d, i)", "else:"]
                return [*short, f"    {name} = (n >> 1) ^ -(n & 1)", "    i += 1"]
            case "array" if self.shape(kind["items"]) == "code":
                return ["if d[i]:", f"    {name}, i = avro.codes(d, i)", "else:", f"    {name} = ()", "    i += 1"]
            case "array":
                return [f"{name}, i = avro.many(d, i, {self.item(kind['items'], schema, target and target['items'])})"]
            case "map":
                return [f"{name}, i = avro.mapping(d, i, {self.item(kind['values'], schema, target and target['values'])})"]
            case "fixed":
                return [f"{name}, i = avro.fixed(d, i, {kind['size']})"]
            case _:
                return [f"{name}, i = {self.item(kind, schema, target)}(d, i)"]

    def item(self, kind: Any, schema: Schema, target: Any) -> str:
        """Return the function that reads one value of this kind. Parameters as of `read`."""
        match self.shape(kind):
            case "enum":
                return f"avro.symbol({self.symbols(kind, schema, target or kind)})"
            case "record":
                return self.module(self.used(kind, schema)) + _reader(self.used(kind, schema))
            case shape:
                return f"avro.{READ_ITEM.get(shape, shape)}"

    def writer(self, schema: Schema) -> str:
        fields = schema.definition["fields"]
        parts = "".join(f"        {self.write(f['type'], 'x.' + f['name'], f['name'], schema)},\n" for f in fields)
        head = f'def {_writer(schema, self.schemas)}(x: {schema.name}) -> bytes:\n    """{schema.type}"""\n'
        return head + (f'    return b"".join((\n{parts}    ))\n' if fields else '    return b""\n')

    def write(self, kind: Any, value: str, field: str, schema: Schema) -> str:
        """Return the expression for the bytes of a value."""
        if isinstance(kind, list):
            variable = f"v_{field}"
            return f'b"\\x00" if ({variable} := {value}) is None else b"\\x02" + {self.write(kind[1], variable, field, schema)}'
        match self.shape(kind):
            case "array" if self.shape(kind["items"]) == "code":
                return f"avro.codes_bytes({value})"
            case "array":
                return f"avro.many_bytes({value}, {self.write_item(kind['items'], schema)})"
            case "map":
                return f"avro.mapping_bytes({value}, {self.write_item(kind['values'], schema)})"
            case "fixed":
                return f"avro.fixed_bytes({value}, {kind['size']})"
            case "uuid" | "bytes" | "record":
                return f"{self.write_item(kind, schema)}({value})"
            case _:
                return f"{self.table(kind, schema)}[{value}]"

    def write_item(self, kind: Any, schema: Schema) -> str:
        match self.shape(kind):
            case "uuid":
                return "avro.ident_bytes"
            case "bytes":
                return "avro.blob_bytes"
            case "record":
                return self.module(self.used(kind, schema)) + _writer(self.used(kind, schema), self.schemas)
            case _:
                return f"{self.table(kind, schema)}.__getitem__"

    def table(self, kind: Any, schema: Schema) -> str:
        match self.shape(kind):
            case "enum":
                self.names.add(kind["name"])
                newest = self.schemas.versions(schema.stem)[-1]
                known = _symbols(newest.definition, kind["name"]) or kind["symbols"]  # one that is gone is written by nobody
                rows = ", ".join(f'{kind["name"]}.{s}: b"\\x{2 * n:02x}"' for n, s in enumerate(kind["symbols"]) if s in known)
                is_older = newest.version > schema.version
                name = f"{kind['name']}_BYTES" + (f"_V{schema.version}" if is_older else "")
                self.tables[name] = f"{{{rows}}}"
                return name
            case shape:
                return f"avro.{TABLE[shape]}"

    def symbols(self, kind: Json, schema: Schema, target: Json) -> str:
        """Return the name of the table of an enum's symbols, as this version numbers them."""
        name = f"{kind['name']}_V{schema.version}"
        self.names.add(kind["name"])
        known = set(target["symbols"])
        rows = ", ".join(f"{2 * n}: {kind['name']}.{s if s in known else 'UNKNOWN'}" for n, s in enumerate(kind["symbols"]))
        self.tables[name] = f"{{{rows}}}"
        return name

    def shape(self, kind: Any) -> str:
        """Return one word for a kind: code, long_code, uuid, int, long, boolean, bytes, fixed, enum, array, map, record."""
        if isinstance(kind, str):
            return "record" if "." in kind else kind
        if kind["type"] == "string":
            return "uuid" if "logicalType" in kind else "long_code" if kind["code"] in LONG_LISTS else "code"
        return str(kind["type"])

    def used(self, kind: Any, schema: Schema) -> Schema:
        """Return the shared schema of a reference, in the version that `schema` uses."""
        name = (kind if isinstance(kind, str) else kind["name"]).rpartition(".")[2]
        return next(s for s in (self.schemas.by_type[u] for u in schema.uses) if s.name == name)

    def module(self, schema: Schema) -> str:
        """Return what stands before a function of this schema."""
        if module_of(schema) == self.name:
            return ""
        self.shared = True
        return f"{SHARED}."

    def default(self, field: Json) -> str:
        """Return the Python text of a field's default."""
        value, kind = field["default"], field["type"]
        match self.shape(kind[0] if isinstance(kind, list) else kind):
            case "enum":
                return f"{kind['name']}.{value}"
            case "array":
                return repr(tuple(value))
            case _:
                return repr(value)
